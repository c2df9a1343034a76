"""Schedulers that are not read: what comes nearest, and how that differs."""

NEAREST: dict[str, str] = {
    "AmusedScheduler": "noise.Absorbing with sampler.Confident, for token ids. It draws the "
        "confidence with another temperature.",
    "BlockRefinementScheduler": "noise.Absorbing with sampler.Confident. It has no blocks, and "
        "keeps what is unmasked.",
    "CMStochasticIterativeScheduler": "sampler.Consistency on schedule.Karras with "
        "Gaussian('F'). Its network is the data at sigma = 0, not at sigma_min, and noise is not "
        "less by sigma_min².",
    "ConsistencyDecoderScheduler": "LCMScheduler. It has the boundary condition that this one "
        "lacks.",
    "DDIMInverseScheduler": "DDIMScheduler, for sampling. Paths here go from noise to data only.",
    "DDPMWuerstchenScheduler": "schedule.Cosine with sampler.Ancestral. It ends at the data, where "
        "this one ends at alpha-bar = 0.9999.",
    "DPMSolverMultistepInverseScheduler": "DPMSolverMultistepScheduler, for sampling. Paths here "
        "go from noise to data only.",
    "DPMSolverSDEScheduler": "DPMSolverMultistepScheduler with algorithm_type "
        "'sde-dpmsolver++'. It has one call in a step, not two.",
    "DPMSolverSinglestepScheduler": "DPMSolverMultistepScheduler; sampler.DPMSolverPP2S is "
        "single-step, with its second call halfway in log-SNR, not at a time of the grid.",
    "DiscreteDDIMScheduler": "noise.Uniform with sampler.Ancestral. It draws tokens from the "
        "posterior, and has no corrector.",
    "EntropyBoundScheduler": "sampler.EntropyBound with noise.Absorbing. Its bound is fixed.",
    "FlowMapEulerDiscreteScheduler": "sampler.Jump with Gaussian('velocity'). Its network is told "
        "both times as a pair [t, s].",
    "HeliosDMDScheduler": "FlowMatchEulerDiscreteScheduler. It has one stage and one size.",
    "HeliosScheduler": "UniPCMultistepScheduler with use_flow_sigmas. It has one stage and one "
        "size.",
    "KDPM2AncestralDiscreteScheduler": "KDPM2DiscreteScheduler, without noise, or "
        "EulerAncestralDiscreteScheduler, with one call in a step.",
    "KarrasVeScheduler": "EDMEulerScheduler, or sampler.Heun(churn=...). It has no corrector in "
        "a scheduler of its own.",
    "LTXEulerAncestralRFScheduler": "FlowMatchEulerDiscreteScheduler, or sampler.Ancestral on "
        "schedule.Flow. The former adds no noise, the latter that of the exact posterior.",
    "MiniMaxH3Scheduler": "FlowMatchEulerDiscreteScheduler. Its velocity has the other sign, and "
        "its network is told T·sigma.",
    "PiflowScheduler": "FlowMatchEulerDiscreteScheduler. Its network predicts one velocity, not a "
        "policy.",
    "RFD4ProteinaScheduler": "FlowMatchEulerDiscreteScheduler. It adds no noise, and does not "
        "rescale the score by temperature.",
    "RePaintScheduler": "DDPMScheduler with model.sample(known=..., mask=...). It does not go "
        "back and resample.",
    "SASolverScheduler": "DPMSolverMultistepScheduler with algorithm_type 'sde-dpmsolver++', or "
        "sampler.SDE. They add noise at all times, and have no corrector.",
    "SCMScheduler": "sampler.Consistency with Gaussian('v'). Its data have variance 1, where "
        "these have sigma_data².",
    "ScoreSdeVeScheduler": "sampler.Ancestral on schedule.Geometric. It has no Langevin steps, and "
        "ends at the data.",
    "TCDScheduler": "LCMScheduler, which noises x afresh, or DDIMScheduler, which is this one "
        "at eta = 0.",
    "VQDiffusionScheduler": "noise.Mixed with sampler.Ancestral. Its mask and its uniform part "
        "grow at one rate.",
}  # fmt: skip
"""By class, after "nearest: "."""

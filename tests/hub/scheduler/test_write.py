"""Our modules as a `scheduler_config.json`: Diffusers has the same process, and the same path."""

import json
from typing import Any

import diffusers
import pytest
from torch import Tensor

from diffusion import errors, grid, noise, rng, sampler, schedule
from diffusion.guidance import Threshold
from diffusion.hub.scheduler import Betas, Kept, Large, Timestep, read, write
from diffusion.noise import Gaussian
from diffusion.sampler.on import On
from diffusion.schedule.scales import bars

from .runs import SD, SEED, START, TOLERANCE, both, config, network, peer

V = {"prediction_type": "v_prediction"}
INDEX, FLOW = Timestep(), Timestep("flow")


def modules(plan: Any) -> list[Any]:
    return [plan.schedule, plan.noise, plan.sampler, plan.timestep, plan.guidance]


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("DDPM", {}),
        ("DDPM", {"variance_type": "fixed_large", "clip_sample_range": 0.5}),
        ("DDPM", {"variance_type": "learned_range", "clip_sample": False, **SD}),
        ("DDPM", {"timestep_spacing": "linspace", "beta_schedule": "sigmoid"}),
        ("DDIM", {}),
        ("DDIM", {"set_alpha_to_one": False, "steps_offset": 1, "clip_sample": False, **SD}),
        ("DDIM", {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing", **V}),
        ("DDIM", {"trained_betas": [0.1, 0.2, 0.3], "num_train_timesteps": 3}),
        ("FlowMatchEulerDiscrete", {}),
        ("FlowMatchEulerDiscrete", {"shift": 3.0, "num_train_timesteps": 500}),
    ],
)  # fmt: skip
def test_what_was_read_is_written(name: str, settings: dict[str, Any]) -> None:
    """Every key, without their file; then the same modules again."""
    saved = config(peer(name, **settings))
    plan = read(saved)
    written = json.loads(json.dumps(write(*modules(plan))))
    ends = ("beta_schedule",) if "trained_betas" in settings else ()
    assert {k: v for k, v in written.items() if k not in ends} == {
        k: v for k, v in saved.items() if k not in ends
    }
    assert modules(read(written)) == modules(plan)


@pytest.mark.parametrize("name", ["UniPCMultistep", "EulerDiscrete", "LCM", "EDMEuler", "PNDM"])
def test_the_original_is_kept_while_it_is_true(name: str) -> None:
    given = {"skip_prk_steps": True} if name == "PNDM" else {}
    saved = {**config(peer(name, **given)), "_extra": "kept", "clip_sample": False}
    plan = read(saved)
    assert write(*modules(plan), config=saved) == saved
    changed = sampler.DDIM() if plan.timestep.kind == "index" else sampler.UniPC()
    one = [plan.schedule, plan.noise, changed, plan.timestep]
    if plan.timestep.kind == "index":
        assert write(*one, config=saved)["_class_name"] == "DDIMScheduler"
    else:
        with pytest.raises(errors.MismatchError):
            write(*one, config=saved)


def made(written: dict[str, Any]) -> Any:
    """Their scheduler of settings that we wrote."""
    return getattr(diffusers, written["_class_name"]).from_config(written)


SCHEDULES = [
    schedule.Linear(1000), schedule.Cosine(1000), schedule.Sigmoid(200),
    schedule.ZeroTerminal(schedule.Linear(100)), Betas(kind="scaled_linear", snr=3.0),
]  # fmt: skip


@pytest.mark.parametrize(
    ("one", "parameter"), zip(SCHEDULES, ("x", "epsilon", "v", "v", "epsilon"), strict=True)
)
def test_diffusers_has_our_process_and_our_path(one: Any, parameter: str) -> None:
    """As a model that we trained is saved: with a sampler that has no grid.

    1 - beta is float32 in Diffusers: where a schedule ends in almost no signal, as two of these do,
    that is not enough for epsilon to tell x.
    """
    process = Gaussian(parameter)
    written = json.loads(json.dumps(write(one, process, sampler.DDIM(), INDEX)))
    theirs = made(written)
    gap = theirs.alphas_cumprod.double() - bars(one)[1:]
    assert float(gap.abs().max()) < 1e-6
    runs = both(theirs, 10)
    bound, top = process.bind(one), one.steps
    times = [round(top * (1 - i / 10)) for i in range(11)]  # the model's own ten steps

    def predict(z: Tensor, y: Any, t: Any) -> Tensor:
        return network(z, t - 1).unsqueeze(0)

    draws = rng.Generator().manual_seed(SEED)
    ours = list(sampler.DDIM()(bound, predict, START, None, times, draws))
    assert runs._replace(ours=ours).gap() < TOLERANCE
    again = read(written)
    assert write(*modules(again)) == written


def test_straight_paths_by_the_variance_preserving_one() -> None:
    """Flow's noise levels, with path "vp", are a table of betas like any other."""
    written = write(schedule.Flow(100), Gaussian("v", path="vp"), sampler.Ancestral(), INDEX)
    assert written["_class_name"] == "DDPMScheduler"
    theirs = made(written)
    gap = theirs.alphas_cumprod.double() - bars(schedule.Flow(100))[1:]
    assert float(gap.abs().max()) < 1e-6


def test_clipping_is_a_setting() -> None:
    for solver, guidance in ((sampler.Ancestral(), Threshold("static", limit=0.7)),
                             (Large(), Threshold("static", limit=0.7)),
                             (sampler.DDIM(), Kept(Threshold("static", limit=0.7)))):  # fmt: skip
        written = write(Betas(), Gaussian("epsilon"), solver, INDEX, guidance)
        assert written["clip_sample"] is True
        assert written["clip_sample_range"] == 0.7
        assert not write(Betas(), Gaussian("epsilon"), solver, INDEX)["clip_sample"]


@pytest.mark.parametrize(
    ("one", "process", "solver", "told", "said"),
    [
        (Betas(), noise.Absorbing(5), sampler.Ancestral(), INDEX, "know Gaussian noise"),
        (Betas(), Gaussian("score"), sampler.DDIM(), INDEX, "predicts epsilon, v, x"),
        (Betas(), Gaussian("v"), sampler.UniPC(), INDEX, "UniPC.. can't be written; Ancestral"),
        (Betas(), Gaussian("v"), sampler.DDIM(eta=0.5), INDEX, "can't be written"),
        (Betas(), Gaussian("v"), sampler.DDIM(), FLOW, "tells this network 'index' times"),
        (Betas(), Gaussian("v", "learned"), sampler.Ancestral(), INDEX, "variance='fixed' or"),
        (Betas(), Gaussian("v", eta=0.5), sampler.Ancestral(), INDEX, "eta=1 it has"),
        (Betas(), Gaussian("velocity"), sampler.DDIM(), FLOW, r"of schedule.Flow\(\) only"),
        (schedule.Flow(1000, 3.0), Gaussian("velocity"), sampler.DDIM(), FLOW, "only"),
        (schedule.Flow(1000), Gaussian("velocity"), sampler.UniPC(), FLOW, "FlowAdams"),
        (schedule.Flow(1000), Gaussian("velocity"), sampler.DDIM(), INDEX, "'flow' times"),
        (schedule.Karras(), Gaussian("v"), sampler.DDIM(), INDEX, "path='vp'"),
        (Betas(), Gaussian("v"), On(sampler.DDIM(), grid.Karras(5)), INDEX, "visit timesteps"),
        (schedule.Flow(1000), Gaussian("velocity"), On(sampler.DDIM(), grid.Karras(5)), FLOW,
         "a grid that was read"),
    ],
)  # fmt: skip
def test_what_diffusers_has_not(
    one: Any, process: Any, solver: Any, told: Timestep, said: str
) -> None:
    with pytest.raises(errors.MismatchError, match=said):
        write(one, process, solver, told)

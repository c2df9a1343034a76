"""Faults of the modules of a sampling."""

from __future__ import annotations

from diffusion import grid, guidance, noise, sampler, schedule

from . import wrong
from .faults import Fault, edited, model, modules, pipeline
from .pairs import (
    CFG,
    TIMES,
    denoise,
    element,
    half,
    rougher,
    unknown,
    wrap,
)

D, C = "denoise", "denoise.clip"


WITHIN = [
    # Schedule
    Fault(
        "another offset of the schedule",
        D,
        0,
        "schedule",
        modules(
            {"schedule": lambda: schedule.Cosine(100)}, schedule=lambda: schedule.Cosine(100, 9e-3)
        ),
    ),
    Fault(
        "another exponent of the schedule",
        D,
        0,
        "schedule",
        modules(schedule=lambda: schedule.Cosine(100, exponent=1.9)),
    ),
    Fault(
        "one wrong coefficient, at t = 40",
        D,
        0,
        "schedule",
        modules(schedule=lambda: wrong.LateCosine(100)),
    ),
    Fault(
        "every coefficient off by one step",
        D,
        0,
        "schedule",
        modules(schedule=lambda: wrong.ShiftedCosine(100)),
    ),
    Fault(
        "the schedule computed in bfloat16",
        D,
        0,
        "schedule",
        modules(schedule=lambda: wrong.SinglePrecision(100)),
    ),
    Fault("another schedule", D, 0, "schedule", modules(schedule=lambda: schedule.Linear(100))),
    Fault(
        "another number of the schedule's steps",
        D,
        0,
        "schedule",
        modules(schedule=lambda: schedule.Cosine(120)),
    ),
    Fault(
        "a wrong slope of a flow",
        D,
        0,
        "schedule",
        modules(
            {"schedule": lambda: schedule.Flow(100), "noise": lambda: noise.Gaussian("velocity")},
            schedule=lambda: wrong.BadSlopes(100),
        ),
    ),
    Fault(
        "a flow that is wrong near the data only",
        D,
        3,
        "schedule",
        lambda: tuple(
            pipeline(model(schedule=flow, noise=noise.Gaussian("velocity")), steps=TIMES)
            for flow in (schedule.Flow(100), wrong.LateFlow(100))
        ),
    ),
    # Time grid
    Fault(
        "times off by one",
        D,
        0,
        "time grid",
        denoise({"steps": TIMES}, steps=[t - 1 for t in TIMES[:-1]] + [0]),
    ),
    Fault(
        "a step is missing",
        D,
        2,
        "time grid",
        denoise({"steps": TIMES}, steps=[80, 67, 53, 27, 13, 0]),
    ),
    Fault("another number of steps", D, 0, "time grid", denoise({"steps": 6}, steps=7)),
    Fault(
        "another grid",
        D,
        0,
        "time grid",
        denoise({"steps": grid.Uniform(6, "flow")}, steps=grid.Uniform(6, "log_snr")),
    ),
    # Noise
    Fault(
        "another eta of the posterior",
        D,
        0,
        "noise",
        modules(
            {"noise": lambda: noise.Gaussian("v"), "sampler": sampler.Ancestral},
            noise=lambda: noise.Gaussian("v", eta=0.5),
        ),
    ),
    Fault(
        "the output read as epsilon, not v",
        D,
        0,
        "noise",
        modules(noise=lambda: noise.Gaussian("epsilon")),
    ),
    Fault("another path", D, 0, "noise", modules(noise=lambda: noise.Gaussian("v", path="flow"))),
    Fault("items noised too far", D, 0, "noise", modules(noise=lambda: wrong.LoudPrior("v"))),
    Fault(
        "the network shown scaled states",
        D,
        0,
        "noise",
        modules(noise=lambda: wrong.ScaledInputs("v")),
    ),
    # Network
    Fault("one weight changed by 0.001", D, 0, "net", edited(element)),
    Fault("a NaN in a weight", D, 0, "net", edited(unknown)),
    Fault("a layer's number of groups, no weight", D, 0, "net", edited(rougher)),
    Fault("the network in bfloat16", D, 0, "net", half(False)),
    Fault("the network in bfloat16, and an encoder before it", "encode", None, "net", half(True)),
    Fault("a sign error around the network", D, 0, "net", wrap(wrong.minus)),
    Fault("the network shown the time before", D, 0, "net", wrap(wrong.early)),
    Fault("the network shown swapped channels", D, 0, "net", wrap(wrong.swapped)),
    Fault("the network without its condition", D, 0, "net", wrap(wrong.unconditional)),
    # Guidance
    Fault(
        "another strength of guidance",
        D,
        0,
        "guidance",
        modules(guidance=lambda: CFG(strength=2.0)),
    ),
    Fault(
        "a sign error of guidance",
        D,
        0,
        "guidance",
        modules(guidance=lambda: wrong.Minus(strength=1.5)),
    ),
    Fault("no guidance", D, 0, "guidance", modules(guidance=lambda: None)),
    Fault(
        "guidance off at late times",
        D,
        4,
        "guidance",
        modules(guidance=lambda: guidance.Interval(CFG(strength=1.5), low=0.3)),
    ),
    Fault(
        "both predictions of guidance mixed up", D, 0, "guidance", modules(guidance=wrong.Reversed)
    ),
    # Sampler
    Fault(
        "another order of the sampler",
        D,
        0,
        "sampler",
        modules(
            {"sampler": lambda: sampler.DPMSolverPP(order=2)},
            sampler=lambda: sampler.DPMSolverPP(order=1),
        ),
    ),
    Fault(
        "another eta of the sampler", D, 0, "sampler", modules(sampler=lambda: sampler.DDIM(0.5))
    ),
    Fault(
        "no corrector",
        D,
        1,
        "sampler",
        modules({"sampler": sampler.UniPC}, sampler=lambda: sampler.UniPC(corrector=0)),
    ),
    Fault(
        "a sampler of two calls a step",
        D,
        0,
        "sampler",
        denoise({"steps": TIMES}, sampler=sampler.Heun()),
    ),
    Fault(
        "the sampler asks at the time before",
        D,
        0,
        "sampler",
        modules({"sampler": sampler.Ancestral}, sampler=wrong.EarlySampler),
    ),
]

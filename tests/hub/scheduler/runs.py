"""One trajectory by a scheduler of Diffusers, and by the plan of its settings.

Both start at the same state, ask the same network, and draw the same noise. Nothing of theirs is
told to ours but the settings, as they are saved: times, and the numbers that the network is told
for them, are our own.
"""

import importlib
import json
import math
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import diffusers
import torch
from torch import Tensor

from diffusion import rng
from diffusion.hub.scheduler import Plan, read

TOLERANCE = 1e-5
"""Of every state, relative to the largest number in it. Their coefficients are float32."""
SEED = 3
DRAWS = torch.Generator().manual_seed(0)
INWARD, OUTWARD = (torch.randn(3, 3, generator=DRAWS).double() for _ in range(2))
START = torch.randn(8, 1, 3, generator=DRAWS).double()
EXPLODING = ("EulerDiscrete", "EulerAncestral", "Heun", "KDPM2", "LMS")
"""Schedulers whose states are z/signal."""
SD = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}
"""The table of Stable Diffusion."""


def network(z: Tensor, k: float) -> Tensor:
    """Any smooth function of a state at unit variance and of the time it is told."""
    return 0.3 * torch.tanh(z @ INWARD + 0.003 * k - 1) @ OUTWARD + 0.4 * math.sin(0.02 * k) * z


def peer(name: str, **settings: Any) -> Any:
    """Their scheduler."""
    if name == "CosineDPMSolverMultistep":  # its module wants a package for Brownian motion
        sys.modules.setdefault("torchsde", types.ModuleType("torchsde"))
        path = "diffusers.schedulers.scheduling_cosine_dpmsolver_multistep"
        return importlib.import_module(path).CosineDPMSolverMultistepScheduler(**settings)
    return getattr(diffusers, f"{name}Scheduler")(**settings)


def config(one: Any) -> dict[str, Any]:
    """The settings, from the text that a scheduler saves."""
    found: dict[str, Any] = json.loads(one.to_json_string())
    return found


class Runs(NamedTuple):
    """States after each step, the numbers that the network was told, and the plan."""

    ours: list[Tensor]
    theirs: list[Tensor]
    told: list[float]
    timesteps: list[float]
    plan: Plan

    def gaps(self) -> list[float]:
        """The largest difference in each state, relative to the largest number in it.

        A last step of theirs that moves nothing has no state of ours.
        """
        theirs = self.theirs
        if len(theirs) == len(self.ours) + 1:
            torch.testing.assert_close(theirs[-1], theirs[-2], rtol=1e-5, atol=1e-6)
            theirs = theirs[:-1]
        pairs = zip(self.ours, theirs, strict=True)
        return [float((a - b).abs().max() / b.abs().max()) for a, b in pairs]

    def gap(self) -> float:
        return max(self.gaps())

    def apart(self) -> float:
        """The largest difference of the numbers."""
        return max(abs(a - b) for a, b in zip(self.told, self.timesteps, strict=False))


def both(
    one: Any, count: int, net: Any = network, borrowed: bool = False, times: Any = None, **call: Any
) -> Runs:
    """`count` steps of both.

    Args:
        borrowed: our network is told their numbers, where these are not the state's own.
        times: ours, in place of the grid's. call: what a pipeline would pass with the call.
    """
    even = {"even": True} if "sigmas" in call else {}
    plan = read(config(one), **even, **({"mu": call["mu"]} if "mu" in call else {}))
    noise = plan.bound()
    visited = plan.times(count) if times is None else times
    noise.prepare(visited)
    spread = math.hypot(*noise.clock(visited[0])) if noise.parameter == "F" else 1.0
    other, timesteps = theirs(one, count, net, START * spread, noise.path, call)
    told: list[float] = []

    def predict(z: Tensor, y: Any, t: Any) -> Any:
        told.append(plan.timestep(t, noise.clock))
        number = timesteps[len(told) - 1] if borrowed else told[-1]
        return torch.stack(net(noise.inputs(z, t), number).split(z.shape[1], 1))

    guided = predict if plan.guidance is None else plan.guidance(predict, noise)
    draws = rng.Generator().manual_seed(SEED)
    ours = list(plan.sampler(noise, guided, START * spread, None, visited, draws))
    return Runs(ours, other, told, timesteps, plan)


def theirs(
    one: Any, count: int, net: Any, start: Tensor, path: str, call: dict[str, Any]
) -> tuple[list[Tensor], list[float]]:
    """Their states, on our path, and their timesteps."""
    name = type(one).__name__
    given = "sigmas" in call or "timesteps" in call
    one.set_timesteps(**({} if given else {"num_inference_steps": count}), **call)
    if name == "DEISMultistepScheduler":
        one.sigmas = one.sigmas.double()  # its closed forms lose five digits in float32
    exploding = name.startswith(EXPLODING) or path == "vp"

    def scale() -> float:
        return math.hypot(1.0, float(one.sigmas[one.step_index or 0])) if exploding else 1.0

    z, states, steps = start * scale(), [], one.timesteps.tolist()
    with drawing(one, start) as draw:
        for i, k in enumerate(one.timesteps):
            draw()
            shown = one.scale_model_input(z, k) if hasattr(one, "scale_model_input") else z
            z = step(one, net(shown, float(k)), i, k, z)
            if getattr(one, "state_in_first_order", True) or i == len(steps) - 1:
                states.append(z / scale())
    warm = name == "PNDMScheduler" and len(states) > 1
    return states[1:] if warm else states, steps


@contextmanager
def drawing(one: Any, like: Tensor) -> Iterator[Any]:
    """Their noise is ours, one draw for each step: in float64, before they round it."""
    module, draws, now = sys.modules[type(one).__module__], rng.Generator().manual_seed(SEED), []
    own = {
        name: getattr(module, name, None) for name in ("randn_tensor", "BrownianTreeNoiseSampler")
    }
    vars(module)["randn_tensor"] = lambda *a, dtype=None, **k: now[-1].to(dtype or like.dtype)
    vars(module)["BrownianTreeNoiseSampler"] = lambda *a, **k: lambda *ends: now[-1]
    try:
        yield lambda: now.append(rng.normal(like, draws))
    finally:
        vars(module).update(own)


def step(one: Any, hat: Tensor, i: int, k: Any, z: Tensor) -> Tensor:
    """One step, with what each class wants to be told beside the state."""
    name, later = type(one).__name__, one.timesteps[i + 1 :].tolist()
    if name == "UnCLIPScheduler":
        made: Tensor = one.step(hat, k, z, prev_timestep=later[0] if later else -1).prev_sample
    elif name == "CogVideoXDPMScheduler":
        back = int(one.timesteps[i - 1]) if i else None
        made, one.old = one.step(hat, one.old if i else None, k, back, z)
    else:
        made = one.step(hat, k, z).prev_sample
    return made

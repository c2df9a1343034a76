"""One trajectory by a Diffusers scheduler, and the same one by ours from its saved settings."""

import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from diffusion import rng
from diffusion.base import Sampler
from diffusion.hub import scheduler
from diffusion.hub.scheduler import Plan
from diffusion.noise import Gaussian

SEED = 3
DRAWS = torch.Generator().manual_seed(0)
INWARD, OUTWARD = (torch.randn(3, 3, generator=DRAWS).double() for _ in range(2))
START = torch.randn(8, 3, generator=DRAWS).double()


class Ours(NamedTuple):
    """The modules that one file stands for, bound."""

    process: Gaussian
    sampler: Sampler
    plan: Plan

    def times(self, count: int) -> list[Any]:
        """Where a run of `count` steps goes."""
        found = self.plan.times(count)
        self.process.prepare(found)
        return found


def read(file: Path) -> Ours:
    """The process and the sampler of a saved scheduler."""
    plan = scheduler.read(json.loads(file.read_text()), str(file))
    return Ours(plan.bound(), plan.sampler, plan)


def network(z: Tensor, k: Any) -> Tensor:
    """Any smooth function of a state at unit variance and of their timestep, 0 to 999."""
    u = float(k) / 1000
    return 0.3 * torch.tanh(z @ INWARD + 3 * u - 1) @ OUTWARD + math.sin(u * math.pi / 2) * z


class Runs(NamedTuple):
    """States after each step; the times t that ours are at, their timesteps, their scheduler."""

    ours: list[Tensor]
    theirs: list[Tensor]
    times: list[Any]
    timesteps: list[float]
    peer: Any

    def gap(self) -> float:
        """The largest difference of all states, relative to the largest number in the state."""
        gaps = [
            float((a - b).abs().max() / b.abs().max())
            for a, b in zip(self.ours, self.theirs, strict=True)
        ]
        return max(gaps)


def both(peer: Any, count: int, folder: Path, net: Any = network, start: Tensor = START) -> Runs:
    """`count` steps of both from the same start, with the same network and the same noise."""
    peer.save_pretrained(folder)
    mine = read(folder / "scheduler_config.json")
    other = theirs(peer, count, net, start)
    times, timesteps = mine.times(count), peer.timesteps.tolist()
    return Runs(ours(mine, times, timesteps, net, start), other, times, timesteps, peer)


def theirs(peer: Any, count: int, net: Any, start: Tensor) -> list[Tensor]:
    """By `step`; states on exploding paths (Euler's) are brought back to unit variance."""
    name, draws = type(peer).__name__, rng.Generator().manual_seed(SEED)
    peer.set_timesteps(count)
    scales = [1.0] * (count + 1)
    if name == "EulerDiscreteScheduler":
        scales = [math.hypot(1.0, float(level)) for level in peer.sigmas]
    z, states = start * scales[0], []
    for k, scale in zip(peer.timesteps, scales[1:], strict=True):
        shown = peer.scale_model_input(z, k) if hasattr(peer, "scale_model_input") else z
        noise: dict[str, Any] = {"generator": draws} if name == "DDPMScheduler" else {}
        if peer.config.get("algorithm_type", "").startswith("sde"):
            noise = {"variance_noise": rng.normal(z, draws)}
        z = peer.step(net(shown, k), k, z, **noise).prev_sample
        states.append(z / scale)
    return states


def ours(
    mine: Ours, times: list[Any], timesteps: list[float], net: Any, start: Tensor
) -> list[Tensor]:
    """By the sampler, which asks the network at times t: it is told their numbers for them."""
    number = dict(zip(times[:-1], timesteps, strict=True))

    def predict(z: Tensor, y: Any, t: Any) -> Tensor:
        hat: Tensor = net(z, number[t])
        return hat.unsqueeze(0)

    draws = rng.Generator().manual_seed(SEED)
    return list(mine.sampler(mine.process, predict, start, None, times, draws))

r"""Guidance in terms of the predicted x of a Gaussian process, whatever the network predicts.

A term g added to the score, ∇log p(z) + g, moves the predicted x = (z + sigma²·score)/signal by
(sigma²/signal)·g, and epsilon with it, so that z = signal·x + sigma·epsilon still holds.
"""

from typing import Any

import torch
from torch import Tensor

from ..base import Guidance, Noise
from ..noise.clock import fit
from ..noise.gaussian import Gaussian
from ..noise.split import Split, for_x
from .parts import members


def gaussian(guidance: Guidance, noise: Noise[Any]) -> str | None:
    """Why a guidance of one state's x can't guide `noise`, or None."""
    return None if isinstance(noise, Gaussian) else _none(guidance, noise)


def somewhere(guidance: Guidance, noise: Noise[Any], instead: str) -> str | None:
    """Why a guidance of the Gaussian parts can't guide `noise`, which has none, or None.

    It leaves other parts alone; `instead` is what does for them.
    """
    has = any(isinstance(part, Gaussian) for part in members(noise))
    return None if has else _none(guidance, noise, instead)


def _none(guidance: Guidance, noise: Noise[Any], instead: str = "guidance.ClassifierFree()") -> str:
    return (
        f"{type(guidance).__name__} changes the x that a Gaussian process predicts, and "
        f"{type(noise).__name__} predicts none. Use noise.Gaussian, or {instead}."
    )


def replace(noise: Any, z: Tensor, t: Any, hat: Tensor | Split, x: Tensor) -> Tensor | Split:
    """`hat` with another predicted x; a second parameter, such as a variance, stays.

    At the time 0 z is the data, a modality that is known: no output of the network changes x.
    """
    if not isinstance(t, Tensor) and t == 0:
        return hat
    first, own = noise.express(z, t, x).unsqueeze(0), for_x(hat)
    changed = first if len(own) == 1 else torch.cat([first, own[1:]])
    return Split(changed, hat.epsilon) if isinstance(hat, Split) else changed


def move(noise: Any, z: Tensor, t: Any, hat: Tensor | Split, score: Tensor) -> Tensor | Split:
    """`hat` with `score` added to the score."""
    x = noise.predict(z, t, hat)
    return replace(noise, z, t, hat, x + (fit(lever(noise, t), z) * score).to(x.dtype))


def lever(noise: Any, t: Any) -> Any:
    """sigma²/signal, how a score moves x. Pure noise says nothing of x: there it is 0."""
    signal, sigma = noise.clock(t)
    if isinstance(signal, Tensor):
        return torch.where(signal > 0, sigma**2 / signal, 0.0)
    return sigma**2 / signal if signal else 0.0

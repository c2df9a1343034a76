"""What a module is examined with, where the caller or a model knows better than a guess."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Setting:
    """Examples and partners; None lets the examiner choose.

    Attributes:
        w: items `[b, ...]`. x: encoded states `[b, ...]`. y: conditions `[b]`. t: times `[b]`.
        schedule, noise, data: partners of a noise, a loss, a sampler, a guidance.
        hat: `hat(x, epsilon, z, t)`, what a perfect network answers; for a noise that predicts
            neither x nor epsilon. seed: of everything random.
    """

    w: Any = None
    x: Any = None
    y: Any = None
    t: Any = None
    schedule: Any = None
    noise: Any = None
    data: Any = None
    hat: Callable[..., Any] | None = None
    seed: int = 0

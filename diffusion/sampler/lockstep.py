"""Joint states: every modality walks by its own rule, and all see one network call."""

from collections.abc import Callable, Generator, Iterator, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

from torch import Tensor

from ..base import Predict
from ..distribution.draw import draw
from ..noise.gaussian import Gaussian
from ..noise.joint import Joint
from ..rng import Rng
from ..tree import State

Walk: TypeAlias = Generator[Tensor, Any, None]


def lockstep(
    walk: Callable[[Any, Tensor, Sequence[Any], Rng], Walk],
    noise: Joint,
    predict: Predict,
    z: Any,
    y: State,
    times: Sequence[Any],
    rng: Rng,
) -> Iterator[State]:
    """Gaussian parts by `walk(noise, z, times, rng)`, the others by ancestral steps."""
    walks: dict[str, Walk] = {}
    for key, part in noise.parts.items():
        own = [t[key] if isinstance(t, dict) else t for t in times]
        known = own[0] == own[-1]  # a modality that is held where it is
        kind = _hold if known else walk if isinstance(part, Gaussian) else _ancestral
        walks[key] = kind(part, z[key], own, rng)
    z = {key: next(one) for key, one in walks.items()}
    for t in times[:-1]:
        hat: Any = predict(z, y, t)
        z = {key: one.send(hat[key]) for key, one in walks.items()}
        yield z


def _ancestral(noise: Any, z: Tensor, times: Sequence[Any], rng: Rng) -> Walk:
    for t, s in pairwise(times):
        hat = yield z
        z = draw(noise.step(z, t, s, hat), rng)[0]
    yield z


def _hold(noise: Any, z: Tensor, times: Sequence[Any], rng: Rng) -> Walk:
    for _ in times:
        yield z

"""A noise bound to a schedule, states to run it on, and what a perfect network would answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..base import Bridge
from ..distribution.draw import draw
from ..noise.categorical import Redraw
from ..noise.stepwise import Stepwise
from ..rng import generator
from ..schedule import Linear
from ..tree import State
from .exam import gap
from .setting import Setting

STEPS = 12
DRAWS = 10_000
ERRORS = 6.0
"""How many standard errors two samples of one law may be apart."""
BUDGET = 2_000_000
"""Elements drawn at once, so that large states stay small."""


def bound(noise: Any, schedule: Any, x: State, soft: bool = False) -> Any:
    """`noise`, following a schedule, as a model would bind it to states like `x`."""
    if isinstance(noise, Bridge):
        return noise.bind(schedule, soft, x)
    return Stepwise(noise, schedule, soft, None, x)


def clock(schedule: Any) -> Any:
    """The schedule to examine with: few, large and unequal steps, where a wrong index shows."""
    return Linear(STEPS, 0.999, 0.12) if schedule is None else schedule


def states(noise: Any, x: Tensor | None) -> Iterator[Tensor]:
    """States `[3, ...]` that the noise may be for: floats, ids, one-hot vectors; a given one."""
    classes = getattr(noise, "classes", None) or getattr(noise, "k", None)
    mask = getattr(noise, "mask", None)
    k = classes if isinstance(classes, int) else 5
    ids = torch.tensor([[0, 1, k - 1], [1, k - 1, 0], [k - 1, 0, 1]])
    if isinstance(mask, int):
        ids = torch.where(ids == mask, (mask + 1) % k, ids)
    values = torch.tensor([[-1.0, 0.5, 0.25], [0.7, -0.3, 1.0], [0.1, 0.9, -0.6]])
    floats = torch.stack([values, -values.flip(1)], -1).double()
    onehot = torch.nn.functional.one_hot(ids, k).double()
    given = [] if x is None else [x[:3].double() if x.is_floating_point() else x[:3]]
    # What is called k, or classes, is for tokens; then floats would only happen to work.
    yield from [ids, onehot, *given, floats] if isinstance(classes, int) else [
        floats, *given, ids, onehot,
    ]  # fmt: skip


@dataclass
class Process:
    """A noise bound to a schedule, and a state `x` `[3, ...]` that it takes.

    `hard` ends in the data; `soft` holds t = 0 half a step away, as losses see it.
    """

    noise: Any
    schedule: Any
    x: Tensor
    setting: Setting

    def __post_init__(self) -> None:
        self.hard = bound(self.noise, self.schedule, self.x)
        self.soft = bound(self.noise, self.schedule, self.x, soft=True)
        self.top: int = self.schedule.steps

    @classmethod
    def of(cls, noise: Any, setting: Setting) -> Process:
        """The first kind of state that the noise takes. Errors: those of the first kind."""
        errors: list[Exception] = []
        for x in states(noise, setting.x if isinstance(setting.x, Tensor) else None):
            try:
                found = cls(noise, clock(setting.schedule), x, setting)
                t = torch.full((len(x),), min(2, found.top))
                z = found.hard.prior(x, t).sample()[0]
                found.hard.posterior(x, z, t).sample()
            except Exception as error:  # it takes another kind of state, or none: then this is told
                errors.append(error)
            else:
                return found
        raise errors[0]

    @property
    def discrete(self) -> bool:
        """Whether states are class ids."""
        return not self.x.is_floating_point()

    @property
    def onehot(self) -> bool:
        """Whether states are one-hot vectors."""
        return not self.discrete and bool(((self.x == 0) | (self.x == 1)).all())

    def times(self, t: int, like: Tensor | None = None) -> Tensor:
        """`t` for every row."""
        return torch.full((len(self.x if like is None else like),), t)

    def many(self, row: int = 0) -> Tensor:
        """One state again and again, to draw from its law many times."""
        count = max(500, min(DRAWS, BUDGET // self.x[0].numel()))
        return self.x[row].expand(count, *self.x.shape[1:]).contiguous()

    @property
    def middle(self) -> list[int]:
        """Some times from early to late, above 1."""
        return sorted({min(2, self.top), max(2, self.top // 2), self.top})

    def oracles(
        self, noise: Any, x: Tensor, epsilon: Any, z: Tensor, t: Tensor
    ) -> dict[str, Tensor]:
        """What a perfect network may answer, by what it would predict."""
        if self.setting.hat is not None:
            return {"hat": self.setting.hat(x, epsilon, z, t)}
        name = getattr(self.noise, "parameter", None)
        if isinstance(self.noise, Redraw) or self.discrete or self.onehot:
            return self._classes(noise, x, z, name)
        found = {"x": x, "epsilon": epsilon if isinstance(epsilon, Tensor) else torch.zeros_like(x)}
        if hasattr(noise, "target"):
            found = {str(name): noise.target(name, x, found["epsilon"], t)}
        elif name in found:
            found = {name: found[name]}
        return {key: self._second(noise, x, z, t, value) for key, value in found.items()}

    def _classes(self, noise: Any, x: Tensor, z: Tensor, name: Any) -> dict[str, Tensor]:
        k = getattr(self.noise, "classes", None) or getattr(self.noise, "k", None) or 5
        onehot = x if self.onehot else torch.nn.functional.one_hot(x, k).double()
        found = {"logits": 60 * onehot[None], "p": onehot[None]}
        return {name: found[name]} if name in found else found

    def _second(self, noise: Any, x: Tensor, z: Tensor, t: Tensor, first: Tensor) -> Tensor:
        """`first` and, where the noise reads a variance too, what means the posterior's."""
        variance = getattr(self.noise, "variance", "fixed")
        if variance == "range":
            return torch.stack([first, -torch.ones_like(first)])
        if variance == "learned":
            sigma = torch.as_tensor(noise.posterior(x, z, t).sigma, dtype=x.dtype)
            return torch.stack([first, 2 * sigma.clamp_min(1e-20).log().expand_as(first)])
        return first[None]


def redraw(law: Any, seed: int = 0) -> Tensor:
    """A draw determined by the seed: equal laws give equal draws."""
    value: Tensor = draw(law, generator(seed, "check"))[0]
    return value


def differ(a: Any, b: Any) -> float:
    """How far draws of two laws from one seed are apart; of ids, the share that differs."""
    one, two = redraw(a), redraw(b)
    if one.shape != two.shape:
        raise ValueError(f"draws have shapes {list(one.shape)} and {list(two.shape)}")
    if not one.is_floating_point():
        return float((one != two).double().mean())
    return gap(one, two)


def errors_apart(a: Tensor, b: Tensor) -> float:
    """The largest difference of means and second moments of two samples, in standard errors."""
    if not a.is_floating_point():
        k = int(max(a.max(), b.max())) + 1
        a, b = (torch.nn.functional.one_hot(v, k).double() for v in (a, b))
    centre = b.mean(0)
    worst = 0.0
    for power in (1, 2):
        one, two = ((v.double() - centre) ** power for v in (a, b))
        error = (
            one.var(0) / len(one) + two.var(0) / len(two) + 1 / len(one) ** 2 * _unit(two)
        ).sqrt()
        difference = (one.mean(0) - two.mean(0)).abs()
        worst = max(worst, float((difference / error).nan_to_num(torch.inf).max()))
    return worst


def _unit(value: Tensor) -> Tensor:
    """The square of the sample's size: keeps exact equality from being 0/0."""
    return (value.abs().amax(0) + 1e-9) ** 2

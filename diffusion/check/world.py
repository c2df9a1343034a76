"""Small complete worlds: a noise, a schedule, data, and a perfect network for them.

For losses, guidances and samplers, which can't be examined alone. The first world that a module
runs in is the one it is examined in.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from ..base import Bridge
from ..batch import Batch
from ..component import Component, arguments
from ..data import Embedding, Identity
from ..distribution import Categorical
from ..distribution.draw import draw
from ..exact.oracle import residual
from ..noise import Absorbing, Gaussian, Uniform
from ..noise.categorical import Redraw
from ..tree import State, rows
from .process import bound, clock
from .setting import Setting

CLASSES, SIZE = 5, 6


class World:
    """A noise bound to a schedule, and items; `x` are their states.

    `parameters` is p, how many parameters the network predicts for each element; `continuous`,
    whether its times for samplers are floats.
    """

    def __init__(self, noise: Any, data: Any, w: Tensor, schedule: Any = None) -> None:
        self.noise, self.data, self.w = noise, data, w
        self.continuous = False
        self.schedule = clock(schedule)
        with torch.no_grad():
            self.x: Tensor = data.encode(w)
        self.hard = bound(noise, self.schedule, self.x)
        self.soft = bound(noise, self.schedule, self.x, soft=True)
        self.parameters = 1 if getattr(noise, "variance", "fixed") == "fixed" else 2
        self.top: int = self.schedule.steps
        self.y = torch.arange(len(w)) % 3

    def __repr__(self) -> str:
        return f"{self.noise!r} on {type(self.data).__name__}"

    def hats(self) -> Tensor:
        """A random network output."""
        shape = tuple(self.x.shape)
        if isinstance(self.noise, Redraw) and not self.x.is_floating_point():
            shape = (*shape, self.noise.classes)
        return torch.randn(self.parameters, *shape)

    def batch(self, t: Tensor, loss: Any = None, continuous: bool = False) -> Batch[Any]:
        """A training batch at times `t`, with a random network output."""
        times = t.double() / self.top if continuous else t
        z, epsilon = draw(self.soft.prior(self.x, times), None)
        made: Batch[Any] = Batch(
            self.soft, self.data, loss, w=self.w, x=self.x, y=self.y, t=times, z=z,
            epsilon=epsilon, hat=self.hats(),
        )  # fmt: skip
        made.net = lambda z, y, t: made.hat[:, : len(z)]  # the same answer at any time
        return made

    def oracle(self, z: State, y: State, t: Any, soft: bool = False) -> Tensor:
        """What a perfect network answers, for the state `z` of the items `x`."""
        noise = self.soft if soft else self.hard
        count = -(len(z) // -len(self.x))
        x = self.x.repeat(count, *(1,) * (self.x.dim() - 1))[: len(z)].to(z.dtype)
        if isinstance(self.noise, Redraw):
            onehot = (
                x if x.is_floating_point() else torch.nn.functional.one_hot(x, self.noise.classes)
            )
            hat = 60.0 * onehot[None].to(torch.get_default_dtype())
        else:
            t, end = t.unbind(1) if isinstance(t, Tensor) and t.dim() == 2 else (t, t)
            signal, sigma = noise.clock(t)
            epsilon = residual(z.double(), x.double(), signal, sigma)
            hat = noise.target(noise.parameter, x.double(), epsilon, t).to(z.dtype)[None]
            if end is not t:
                hat = self._average(noise, x, epsilon, z, t, end)
        return hat.expand(self.parameters, *hat.shape[1:])

    def _average(
        self, noise: Any, x: Tensor, epsilon: Tensor, z: Tensor, t: Tensor, s: Tensor
    ) -> Tensor:
        """The average velocity between two times, for networks that know both."""
        signal, sigma = (rows(v, z) for v in noise.clock(s))
        width = rows((t - s).double(), z) / (1 if t.is_floating_point() else self.top)
        slope = (z - signal * x - sigma * epsilon) / width
        at_once = noise.target("velocity", x.double(), epsilon, t)
        return torch.where(width > 0, slope, at_once).to(z.dtype)[None]

    def times(self, count: int) -> Sequence[Any]:
        """`count` descending times from T to 0, unevenly spaced where they can't be even."""
        grid = sorted({round(self.top * (1 - i / count)) for i in range(count + 1)}, reverse=True)
        return [t / self.top for t in grid] if self.continuous else list(grid)

    def floating(self) -> World:
        """This world with continuous times."""
        self.continuous = True
        return self


def tokens() -> Tensor:
    """Ids `[b, 4]` that leave out the last class, which may be a mask."""
    return torch.arange(SIZE * 4).reshape(SIZE, 4) % (CLASSES - 1)


def vectors() -> Tensor:
    """Vectors `[b, 4]`."""
    return torch.linspace(-1, 1, SIZE * 4).reshape(SIZE, 4).sin()


def gaussian(parameter: str = "epsilon", **options: Any) -> World:
    """Vectors under Gaussian noise."""
    return World(Gaussian(parameter, **options), Identity(), vectors())


def categorical(noise: Any = None) -> World:
    """Ids under categorical noise."""
    return World(Uniform(CLASSES) if noise is None else noise, Identity(), tokens())


def embedded() -> World:
    """Ids as vectors, under Gaussian noise."""
    return World(Gaussian("x"), Embedding(k=CLASSES, d=8), tokens())


def worlds(module: Any, setting: Setting) -> Iterator[World]:
    """Worlds that a module may be for, the likeliest first."""
    if isinstance(setting.noise, Bridge) and setting.data is not None and setting.w is not None:
        yield World(setting.noise, setting.data, setting.w[:SIZE], setting.schedule)
    name = next(_parameters(module), "epsilon")
    makers: list[Callable[[], World]] = [
        lambda: gaussian(name), lambda: gaussian(name, variance="range"), embedded, categorical,
        lambda: categorical(Absorbing(CLASSES)),
    ]  # fmt: skip
    if any(issubclass(law, Categorical) for law in _laws(type(module))):
        makers.insert(0, categorical)
    for make in makers:
        yield make()


def _parameters(value: Any) -> Iterator[str]:
    """The names of parameters that a module, or one inside it, asks for."""
    if isinstance(value, (tuple, list)):
        for item in value:
            yield from _parameters(item)
    if isinstance(value, Component):
        name = getattr(value, "parameter", None)
        if isinstance(name, str):
            yield name
        yield from _parameters(list(arguments(value).values()))


def _laws(cls: type) -> Iterator[type]:
    """The distributions that a class is declared for, as in `Loss[Categorical]`."""
    for base in (b for c in cls.__mro__ for b in getattr(c, "__orig_bases__", ())):
        yield from (arg for arg in typing.get_args(base) if isinstance(arg, type))

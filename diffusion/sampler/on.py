"""A sampler with times of its own."""

from collections.abc import Iterator, Sequence
from typing import Any

from ..base import Grid, Noise, Predict, Sampler
from ..errors import InputError
from ..rng import Rng
from ..tree import State


class On(Sampler):
    """`sampler`, which visits the times of a grid: `On(UniPC(), grid.Karras(20))`.

    Args:
        sampler: what steps. places: where; a number of steps that is asked for replaces its own.
    """

    sampler: Sampler
    places: Grid

    def __post_init__(self) -> None:
        for name, kind in (("sampler", Sampler), ("places", Grid)):
            value = getattr(self, name)
            if not isinstance(value, kind):
                raise InputError(f"On.{name}: expected a {kind.__name__}, got {value!r}.")
        vars(self)["maps"] = getattr(self.sampler, "maps", False)

    def fits(self, noise: Noise[Any]) -> str | None:
        return self.sampler.fits(noise)

    def grid(self, steps: int) -> Grid | None:
        return self.places.vary(steps=steps)

    def __call__(
        self, noise: Any, predict: Predict, z: State, y: State, times: Sequence[Any], rng: Rng
    ) -> Iterator[State]:
        return self.sampler(noise, predict, z, y, times, rng)

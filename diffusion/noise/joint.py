"""Several processes at once: every state is a dict with one entry for each modality."""

from typing import Any, Self

from torch import Tensor

from ..base import Bridge, Schedule
from ..distribution import Joint as Product
from ..distribution import Point
from ..errors import InputError
from ..rng import Rng
from ..tree import State


class Joint(Bridge[Product]):
    """Independent noise on every modality; one network sees them all.

    Args:
        parts: a bridge for each name. schedules: a schedule for each name that shall not follow
            the model's. Times are shared, or a dict with one for each name (see `time.Joint`): a
            modality at time 0 is known, which conditions the others on it.
    """

    parts: dict[str, Any]
    schedules: dict[str, Schedule] | None = None

    def __post_init__(self) -> None:
        for key, part in self.parts.items():
            if not isinstance(part, Bridge):
                raise InputError(
                    f"noise.Joint[{key!r}]: expected a Bridge (Gaussian, Uniform, Absorbing, ...); "
                    f"got {type(part).__name__}. A noise with only the five tutorial methods "
                    "can't be joined."
                )
        for key in self.schedules or {}:
            if key not in self.parts:
                raise InputError(
                    f"noise.Joint: schedules[{key!r}] names no part; parts are {list(self.parts)}."
                )

    def __getitem__(self, key: str) -> Any:
        return self.parts[key]

    def bind(self, schedule: Schedule, soft: bool = False, like: State = None) -> Self:
        own = self.schedules or {}
        if like is not None and (not isinstance(like, dict) or set(like) != set(self.parts)):
            found = list(like) if isinstance(like, dict) else "a single tensor"
            raise InputError(
                f"noise.Joint: has parts {list(self.parts)}, the data encode to {found}. Use "
                "data.Joint with the same names."
            )
        parts = {
            key: part.bind(own.get(key, schedule), soft, None if like is None else like[key])
            for key, part in self.parts.items()
        }
        return self.vary(parts=parts)

    def prepare(self, times: Any) -> None:
        for part in self.parts.values():
            part.prepare(times)

    def before(self, t: Any) -> Any:
        return self._each(lambda part, t: part.before(t), t)

    def stationary(self, shape: Any) -> Product:
        return Product({key: part.stationary(shape[key]) for key, part in self.parts.items()})

    def pure(self, shape: Any, t: Any) -> Product:
        return Product(self._each(lambda part, t, shape: part.pure(shape, t), t, shape))

    def prior(self, x: State, t: Any) -> Product:
        return Product(self._each(lambda part, x, t: part.prior(x, t), x, t))

    def bridge(self, x: State, z: State, t: Any, s: Any) -> Product:
        return Product(self._each(lambda part, x, z, t, s: part.bridge(x, z, t, s), x, z, t, s))

    def step(self, z: State, t: Any, s: Any, hat: State) -> Product:
        return Product(self._each(_step, z, t, s, hat))

    def predict(self, z: State, t: Any, hat: State) -> State:
        return self._each(lambda part, z, t, hat: part.predict(z, t, hat), z, t, hat)

    def inputs(self, z: State, t: Any) -> State:
        return self._each(lambda part, z, t: part.inputs(z, t), z, t)

    def known(self, x: State, t: Any, rng: Rng = None) -> State:
        return self._each(lambda part, x, t: part.known(x, t, rng), x, t)

    def _each(self, function: Any, *states: State) -> dict[str, Any]:
        def pick(state: State, key: str) -> State:
            return state[key] if isinstance(state, dict) else state

        return {
            key: function(part, *(pick(state, key) for state in states))
            for key, part in self.parts.items()
        }


def _step(part: Any, z: Tensor, t: Any, s: Any, hat: Tensor) -> Any:
    if isinstance(t, (int, float)) and t == s:  # a modality that is held where it is
        return Point(z)
    return part.step(z, t, s, hat)

"""A time of its own for every modality."""

from typing import Any

from ..base import Time
from ..errors import InputError


class Joint(Time):
    """Independent times: the network learns every conditional of a joint model at once.

    A modality at time 0 is known, so sampling can condition any modality on any other (Bao et al.
    2023, UniDiffuser). All parts must be continuous, or all discrete.
    """

    parts: dict[str, Time]

    def __post_init__(self) -> None:
        kinds = {part.continuous for part in self.parts.values()}
        if len(kinds) != 1:
            raise InputError("time.Joint: expected parts that are all continuous or all discrete.")
        vars(self)["continuous"] = kinds.pop()

    def sample(self, steps: int, size: int) -> Any:
        return {key: part.sample(steps, size) for key, part in self.parts.items()}

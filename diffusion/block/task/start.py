"""Where the sampling of a picture begins."""

from __future__ import annotations

from typing import Annotated, Any

from ...errors import InputError
from ...model import Model
from ..base import Block
from ..coder import fitted
from ..port import Ports


class Strength(Block):
    """How noisy a picture is made, unless the call says.

    Args:
        usual: a share of time in (0, 1].
    """

    usual: float = 0.8

    def __post_init__(self) -> None:
        super().__post_init__()
        _share(self.usual)

    def __call__(self, strength: float | None = None) -> Annotated[float, "strength"]:
        return self.usual if strength is None else _share(strength)


class Start(Block):
    """The picture as latents to begin with, if a strength is given; else noise alone."""

    model: Model[Any]

    def ports(self) -> Ports:
        ports = fitted(self.model, super().ports(), "original", "latents")
        made = ports.outputs["latents"]
        return ports._replace(outputs={"latents": made._replace(type=made.type | None)})

    def __call__(self, original: Any, strength: float | None = None) -> Annotated[Any, "latents"]:
        return None if strength is None or not _share(strength) else original


def _share(strength: float) -> float:
    if not 0 < strength <= 1:
        raise InputError(
            f"strength: expected a share of time in (0, 1], 1 is noise alone; got {strength}."
        )
    return strength

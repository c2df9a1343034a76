"""Components that are `nn.Module`s too."""

from typing import Any, Self

from torch import nn

from ..component import Component


class Module(nn.Module, Component):
    """An `nn.Module` whose constructor's arguments are its configuration; compared by identity."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        self = super().__new__(cls)
        nn.Module.__init__(self)
        return self

    def __repr__(self) -> str:
        return Component.__repr__(self)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

"""A function of the user's as a block."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from ...errors import InputError
from ..base import Block
from ..port import Ports, declared


class Call(Block):
    """A function whose parameters are what it reads, by name.

        Denoise(model, each={"say": Call(lambda step, steps: print(step, "of", steps))})

        def brighten(state: Tensor) -> Annotated[Tensor, "state"]:
            return state + 0.01

    Args:
        function: parameters without a type are of any; those with a default are optional. Without
            a return annotation it makes nothing, and must return None; see `diffusion.block.port`
            for how a result is named. What it raises, the sampling raises, with the step.
    """

    function: Callable[..., Any]

    def __post_init__(self) -> None:
        super().__post_init__()
        self._ports = _read(self.function)

    def ports(self) -> Ports:
        return self._ports

    def __call__(self, **given: Any) -> Any:
        return self.function(**given)


def _read(function: Callable[..., Any]) -> Ports:
    """The ports that a function's signature declares."""
    name = getattr(function, "__name__", type(function).__name__)
    try:
        sign = inspect.signature(function)
    except (TypeError, ValueError):
        raise InputError(
            f"Call.function: {name} does not tell its parameters; wrap it: Call(lambda state: ...)."
        ) from None
    plain: Any = function if inspect.isroutine(function) else type(function).__call__
    hints = dict(getattr(plain, "__annotations__", {}))
    for key in sign.parameters:
        hints.setdefault(key, Any)
    hints.setdefault("return", type(None))

    @functools.wraps(plain, assigned=("__module__", "__name__"), updated=())
    def method(self: Any) -> Any:
        raise NotImplementedError

    first = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    method.__annotations__ = hints
    method.__signature__ = sign.replace(parameters=[first, *sign.parameters.values()])  # type: ignore[attr-defined]
    return declared(type(name, (), {"__call__": method}))

"""Running blocks: names checked on the way in and out, and failures that say where they were."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from torch import Tensor

from ..errors import DiffusionError, InputError, suggest
from . import kind, shape
from .port import Port, Ports
from .port import name as called

if TYPE_CHECKING:
    from .base import Block


class Place(NamedTuple):
    """Where in a composition a block runs: names from the outside in, and the denoising step."""

    path: tuple[str, ...] = ()
    step: int | None = None

    def __truediv__(self, name: str) -> Place:
        return Place((*self.path, name), self.step)

    def __str__(self) -> str:
        step = [] if self.step is None else [f"step {self.step}"]
        return ", ".join([*([" > ".join(self.path)] if self.path else []), *step])


class Made(NamedTuple):
    """A value that a block will have made by then, of this type."""

    type: Any


class Recorder(Protocol):
    """What may look at every run of a block."""

    def record(
        self, block: Block, given: Mapping[str, Any], at: Place, work: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]:
        """Do the work, and keep what went in and came out."""
        ...


RECORDER: ContextVar[Recorder | None] = ContextVar("recorder", default=None)


class BlockError(DiffusionError):
    """A block failed. The cause is `__cause__`.

    Attributes:
        at: its place. values: what had been made until then, by name.
    """

    def __init__(self, at: Place, cause: BaseException) -> None:
        where = f"{at}: " if str(at) else ""
        super().__init__(f"{where}{type(cause).__name__}: {cause}")
        self.at, self.values = at, dict[str, Any]()


def run(block: Block, given: Mapping[str, Any], at: Place) -> dict[str, Any]:
    """What a block makes of its inputs, by name."""
    recorder = RECORDER.get()
    try:
        if recorder is None:
            return block.run(given, at)
        return recorder.record(block, given, at, lambda: block.run(given, at))
    except BlockError:
        raise
    except Exception as error:
        raise BlockError(at, error) from error


def unwrapped(block: Block, result: Any, sizes: dict[str, int]) -> dict[str, Any]:
    """What a block returned, by name. Errors: anything that it did not declare.

    Args:
        sizes: by the names in its shapes, as its inputs have them; new ones are added.
    """
    ports = block.ports()
    if ports.single:
        made = {next(iter(ports.outputs)): result}
    else:
        made = _named(block, result, ports.outputs)
    for name, value in made.items():
        reason = _misfit(value, ports.outputs[name], sizes)
        if reason is not None:
            raise InputError(f"{type(block).__name__}'s output {name}: {reason}.")
    return made


def _named(block: Block, result: Any, outputs: Mapping[str, Port]) -> dict[str, Any]:
    made = {} if result is None and not outputs else result
    if not isinstance(made, dict) or made.keys() != outputs.keys():
        got = ", ".join(made) or "none" if isinstance(made, dict) else type(result).__name__
        raise InputError(
            f"{type(block).__name__} declares the outputs {', '.join(outputs) or 'none'}, "
            f"and returned {got}."
        )
    return made


def wrapped(ports: Ports, made: dict[str, Any]) -> Any:
    """Outputs as a caller gets them: one is returned as it is."""
    return made[next(iter(ports.outputs))] if ports.single else made


def check(
    ports: Ports, given: Mapping[str, Any], where: str, sizes: Mapping[str, int]
) -> dict[str, int]:
    """Raise unless these are a call's inputs: all that are required, no others, of their types.

    Returns the sizes by the names in the ports' shapes.
    """
    inputs = ports.inputs
    if not given.keys() <= inputs.keys():
        name = next(name for name in given if name not in inputs)
        raise InputError(
            f"{where} has no input {name!r}; it has {', '.join(inputs) or 'none'}."
            f"{suggest(name, inputs)}"
        )
    if len(given) < len(inputs):
        missing = [name for name in inputs if name not in given and inputs[name].required]
        if missing:
            raise InputError(
                f"{where} needs {', '.join(f'{n} ({inputs[n]})' for n in missing)}; got "
                f"{', '.join(given) or 'nothing'}."
            )
    known = dict(sizes)
    for name, value in given.items():
        reason = _misfit(value, inputs[name], known)
        if reason is not None and not (value is None and inputs[name].default is None):
            raise InputError(f"{where}'s input {name}: {reason}.")
    return known


def _misfit(value: Any, port: Port, known: dict[str, int]) -> str | None:
    """Why a value does not go where a port is, or None; `known` sizes are those of names."""
    if type(value) is not port.type and not kind.holds(value, port.type):
        return f"expected {called(port.type)}; got {type(value).__name__}: {value!r:.100}"
    if port.shape is not None and isinstance(value, Tensor):
        reason = shape.fits(port.shape, tuple(value.shape), known)
        return None if reason is None else f"got {reason}"
    return None

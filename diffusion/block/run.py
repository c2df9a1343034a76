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
        step = "" if self.step is None else f", step {self.step}"
        return " > ".join(self.path) + step


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
        super().__init__(f"{at}: {type(cause).__name__}: {cause}")
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


def unwrapped(block: Block, result: Any) -> dict[str, Any]:
    """What a block returned, by name. Errors: anything that it did not declare."""
    ports = block.ports()
    if ports.single:
        made = dict.fromkeys(ports.outputs, result)
    elif not ports.outputs:
        made = {} if result is None else {"?": result}
    else:
        made = result if isinstance(result, dict) else {"?": result}
    if made.keys() != ports.outputs.keys():
        got = type(result).__name__ if "?" in made else ", ".join(made) or "none"
        raise InputError(
            f"{type(block).__name__} declares the outputs {', '.join(ports.outputs) or 'none'}, "
            f"and returned {got}."
        )
    known = dict(block.sizes())
    for name, value in made.items():
        _fitting(f"{type(block).__name__}'s output {name}", value, ports.outputs[name], known)
    return made


def wrapped(ports: Ports, made: dict[str, Any]) -> Any:
    """Outputs as a caller gets them: one is returned as it is."""
    return made[next(iter(ports.outputs))] if ports.single else made


def check(ports: Ports, given: Mapping[str, Any], where: str, sizes: Mapping[str, int]) -> None:
    """Raise unless these are a call's inputs: all that are required, no others, of their types."""
    for name in given:
        if name not in ports.inputs:
            there = ", ".join(ports.inputs) or "none"
            raise InputError(
                f"{where} has no input {name!r}; it has {there}.{suggest(name, ports.inputs)}"
            )
    missing = [n for n, port in ports.inputs.items() if port.required and n not in given]
    if missing:
        raise InputError(
            f"{where} needs {', '.join(f'{n} ({ports.inputs[n]})' for n in missing)}; got "
            f"{', '.join(given) or 'nothing'}."
        )
    known = dict(sizes)
    for name, value in given.items():
        port = ports.inputs[name]
        if value is None and port.default is None:
            continue
        _fitting(f"{where}'s input {name}", value, port, known)


def _fitting(where: str, value: Any, port: Port, known: dict[str, int]) -> None:
    if not kind.holds(value, port.type):
        raise InputError(
            f"{where}: expected {called(port.type)}; got {type(value).__name__}: {value!r:.100}."
        )
    if port.shape is not None and isinstance(value, Tensor):
        reason = shape.fits(port.shape, tuple(value.shape), known)
        if reason is not None:
            raise InputError(f"{where}: got {reason}.")

"""Examining a composition: every block alone, then the modules in it.

health = examine(pipe)
print(health)                # a table
health.ok
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .. import rng
from ..check import Report, Result
from ..check import check as check_module
from ..check.exam import Exam
from ..component import Component
from ..errors import DiffusionError
from .base import Block
from .conduct import EXAMS, Case
from .invent import invent
from .run import RECORDER, Place
from .tree import Path, held, walk

MARKS = {True: "ok", False: "FAIL", None: "-"}


@dataclass
class Health:
    """What was found. Attributes: blocks: results by place; modules: reports by place."""

    blocks: dict[str, list[Result]] = field(default_factory=dict)
    modules: dict[str, Report] = field(default_factory=dict)

    @property
    def failures(self) -> list[Result]:
        """The results that failed, by their places."""
        found = [one.under(place) for place, results in self.blocks.items() for one in results]
        found += [one.under(place) for place, report in self.modules.items() for one in report]
        return [one for one in found if one.passed is False]

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return not self.failures

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        names = [one.name for one in EXAMS]
        wide = max([len("block"), *map(len, self.blocks), *map(len, self.modules)])
        yield "  ".join([f"{'block':<{wide}}", *names])
        for place, results in self.blocks.items():
            marks = {one.name: MARKS[one.passed] for one in results}
            cells = [f"{marks.get(name, '-'):<{len(name)}}" for name in names]
            yield "  ".join([f"{place:<{wide}}", *cells]).rstrip()
        if self.modules:
            yield "\nmodule"
        for place, report in self.modules.items():
            yield f"{place:<{wide}}  {report.summary}"
        if self.failures:
            yield "\nwhat failed"
        yield from map(str, self.failures)


def examine(
    block: Block, inputs: Mapping[str, Any] | None = None,
    recorded: Mapping[Path, Mapping[str, Any]] | None = None, seed: int = 0, modules: bool = True,
) -> Health:  # fmt: skip
    """Examine a block, all blocks inside it, and all their models and modules.

    Args:
        inputs: of the whole; without them they are invented from its ports.
        recorded: inputs of blocks inside, by their places.
        modules: whether the models and modules are examined too, which for large ones takes long.

    The whole runs once, so that each block inside is examined on what it would be given. A block
    that is not reached gets inputs invented from its own ports.
    """
    heard = _Heard()
    token = RECORDER.set(heard)
    try:
        with rng.scope(rng.fold(seed, "doctor")):
            given = dict(invent(block) if inputs is None else inputs)
            block.run(given, Place())
            heard.inputs[()] = given
    except Exception:  # it is found again, and named, where it happens
        pass
    finally:
        RECORDER.reset(token)
    if inputs is not None:
        heard.inputs[()] = dict(inputs)
    health = Health()
    for place, one in walk(block):
        known = (recorded or {}).get(place) or heard.of(place)
        results = list(_results(one, known, seed))
        health.blocks[".".join(place) or type(block).__name__] = results
    for name, module in held(block) if modules else ():
        health.modules[name] = _module(module, seed)
    return health


def _results(block: Block, given: Mapping[str, Any] | None, seed: int) -> Iterator[Result]:
    try:
        with rng.scope(rng.fold(seed, "invent")):
            case = Case(block, dict(invent(block) if given is None else given))
    except DiffusionError as error:
        yield _failed(EXAMS[0], error)
        return
    for one in EXAMS:
        yield one.run(case, seed)


def _failed(one: Exam, error: Exception) -> Result:
    return Result(one.name, False, str(error), one.promise, one.fix, error)


def _module(module: Any, seed: int) -> Report:
    if isinstance(module, Component) or not hasattr(module, "parameters"):
        return check_module(module, seed=seed)
    return Report(type(module).__name__, ())


class _Heard:
    """Keeps what each block was given the first time it ran."""

    def __init__(self) -> None:
        self.inputs: dict[Path, dict[str, Any]] = {}

    def record(
        self, block: Block, given: Mapping[str, Any], at: Place, work: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]:
        self.inputs.setdefault(at.path, dict(given))
        return work()

    def of(self, place: Path) -> dict[str, Any] | None:
        """Of the block at a place; what runs many times is called by the number of its turn."""
        turns = tuple("0" if name == "block" else name for name in place)
        return self.inputs.get(place, self.inputs.get(turns))

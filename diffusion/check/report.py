"""What an examination found, for people and for programs."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from textwrap import wrap


@dataclass(frozen=True)
class Result:
    """One thing that was examined.

    Attributes:
        name: what. passed: None where it does not apply to this module. figure: what was measured,
            or why it does not apply. promise: what must hold. fix: where to look if it does not.
        error: the exception, if the examination met one.
    """

    name: str
    passed: bool | None
    figure: str
    promise: str
    fix: str
    error: BaseException | None = None

    def under(self, prefix: str) -> "Result":
        """The same result, as that of a part of a larger module."""
        return replace(self, name=f"{prefix}: {self.name}")

    def __str__(self) -> str:
        mark = {True: "ok", False: "FAIL", None: "-"}[self.passed]
        line = f"  {mark:<5} {self.name:<44} {self.figure}".rstrip()
        if self.passed is not False:
            return line
        indent = " " * 10
        told = wrap(f"{self.promise} {self.fix}", 96, initial_indent=indent)
        return "\n".join(
            [line, *(part if i == 0 else indent + part for i, part in enumerate(told))]
        )


@dataclass(frozen=True)
class Report:
    """The results of one module: iterable, printable, and `ok` if none failed."""

    subject: str
    results: tuple[Result, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return not self.failures

    @property
    def failures(self) -> tuple[Result, ...]:
        """The results that failed."""
        return tuple(result for result in self.results if result.passed is False)

    def __iter__(self) -> Iterator[Result]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)

    def __str__(self) -> str:
        lines = [self.subject, *map(str, self.results), f"  {self.summary}"]
        return "\n".join(lines)

    @property
    def summary(self) -> str:
        """How many passed, failed, and did not apply."""
        count = {mark: sum(r.passed is mark for r in self.results) for mark in (True, False, None)}
        parts = [f"{count[True]} passed", f"{count[False]} failed"]
        return ", ".join(parts + ([f"{count[None]} do not apply"] if count[None] else []))

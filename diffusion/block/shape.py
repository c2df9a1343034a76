"""Symbolic shapes: `"b c h w"`, `"b 3 h w"`, `"b ..."`. A name is one size within a block."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, NamedTuple

from ..errors import InputError

Token = Hashable
"""A size in a composition: an int, or a name with the place where it is used."""
REST = "..."


class Shape(NamedTuple):
    """Sizes and names of sizes; `...` at the end stands for any further axes."""

    sizes: tuple[int | str, ...]
    open: bool = False

    @classmethod
    def parse(cls, text: str, where: str) -> Shape:
        """Read `"b c h w"`. Errors: anything but numbers, names, and `...` at the end."""
        words = text.split()
        fine = bool(words) and all(w.isidentifier() or w.isdecimal() for w in words if w != REST)
        if not fine or REST in words[:-1]:
            raise InputError(
                f'{where}: expected a shape such as "b c h w", "b 3 h w" or "b ..."; got {text!r}.'
            )
        last = words[-1] == REST
        kept = words[:-1] if last else words
        return cls(tuple(int(word) if word.isdecimal() else word for word in kept), last)

    def __str__(self) -> str:
        return " ".join(map(str, (*self.sizes, *([REST] if self.open else []))))


class Sizes:
    """Sizes that were found equal, of which some are known."""

    def __init__(self) -> None:
        self._parents: dict[Token, Token] = {}

    def find(self, token: Token) -> Token:
        """What stands for all that equal `token`: a number, if one of them is known."""
        while token in self._parents:
            token = self._parents[token]
        return token

    def equal(self, a: Token, b: Token) -> bool:
        """Take `a` and `b` as the same size; False if they are known to differ."""
        a, b = self.find(a), self.find(b)
        if a == b:
            return True
        if isinstance(a, int) and isinstance(b, int):
            return False
        if isinstance(a, int):
            a, b = b, a
        self._parents[a] = b
        return True

    def unify(self, a: tuple[Shape, Any], b: tuple[Shape, Any]) -> bool:
        """Take two shapes, each with the place its names belong to, as the same."""
        (one, here), (two, there) = a, b
        shorter = min(one, two, key=lambda shape: len(shape.sizes))
        if len(one.sizes) != len(two.sizes) and not shorter.open:
            return False
        pairs = zip(one.sizes, two.sizes, strict=False)
        return all(self.equal(_token(x, here), _token(y, there)) for x, y in pairs)

    def named(self, shape: Shape, place: Any, names: dict[Token, str]) -> Shape:
        """A shape with the names that sizes have outside, which `names` collects."""
        found: list[int | str] = []
        for size in shape.sizes:
            token = self.find(_token(size, place))
            if isinstance(token, int):
                found.append(token)
                continue
            if token not in names:
                names[token] = _free(str(size), set(names.values()))
            found.append(names[token])
        return Shape(tuple(found), shape.open)


def either(a: Shape | None, b: Shape | None, taken: set[str]) -> Shape | None:
    """What is known of a tensor that has one of two shapes, in the same names.

    Args:
        taken: names in use; sizes that differ get names of their own, which are added.
    """
    if a is None or b is None:
        return None
    sizes: list[int | str] = []
    for one, other in zip(a.sizes, b.sizes, strict=False):
        known = one
        if one != other:
            known = _free(next((s for s in (one, other) if isinstance(s, str)), "n"), taken)
            taken.add(known)
        sizes.append(known)
    return Shape(tuple(sizes), a.open or b.open or len(a.sizes) != len(b.sizes))


def alike(a: Shape | None, b: Shape | None) -> bool:
    """Whether two shapes differ in names only."""
    return a is None or b is None or Sizes().unify((a, 0), (b, 1))


def _token(size: int | str, place: Any) -> Token:
    return size if isinstance(size, int) else (place, size)


def _free(name: str, taken: set[str]) -> str:
    found, count = name, 2
    while found in taken:
        found, count = f"{name}{count}", count + 1
    return found


def fits(shape: Shape, sizes: tuple[int, ...], known: dict[str, int]) -> str | None:
    """Why a tensor's sizes are not those of `shape`, or None; `known` names are kept equal."""
    count = len(shape.sizes)
    if len(sizes) < count or (len(sizes) > count and not shape.open):
        return f'{len(sizes)} axes for "{shape}"'
    for wanted, got in zip(shape.sizes, sizes, strict=False):
        if isinstance(wanted, str):
            wanted = known.setdefault(wanted, got)
        if wanted != got:
            return f'{list(sizes)} for "{shape}"' + (
                f" with {', '.join(f'{k} = {v}' for k, v in known.items())}" if known else ""
            )
    return None

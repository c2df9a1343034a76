"""Valid pipelines of toys, drawn at random, and what breaks one link of them."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from diffusion.block.port import Port
from diffusion.block.shape import Shape

from .toys import Toy

PLAIN = (int, float, str, bool)
WIDER: dict[Any, Any] = {int: (int, float), bool: (bool, int, float), float: (float,), str: (str,),
                         Tensor: (Tensor, Tensor | None)}  # fmt: skip
TOKENS = ("B", "C", "H", "W", 1, 3, 4)


@dataclass
class Value:
    """What stands under a name in a valid program: sizes are tokens, the same all over it."""

    kind: Any
    tokens: tuple[Any, ...] | None = None


class Program:
    """A valid pipeline of toys, and the values that it is called with."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.sizes = {token: self.chance.randint(2, 5) for token in "BCHW"}
        self.log: list[Toy] = []
        self.values: dict[str, Value] = {}
        self.given: dict[str, Any] = {}
        self.toys: dict[str, Toy] = {}
        for _ in range(self.chance.randint(2, 7)):
            self._add()

    def _add(self) -> None:
        chance, local = self.chance, dict[Any, Any]()
        known = list(self.values)
        some = chance.sample(known, min(len(known), chance.randint(0, 3)))
        reads = {key: self._read(self.values[key], local) for key in some}
        for _ in range(chance.randint(0 if reads else 1, 2)):
            key, value = self._name(), self._value()
            self.values[key] = value
            reads[key] = self._read(value, local)
            self.given[key] = self._given(value)
        makes = {}
        for _ in range(chance.randint(1, 2)):
            key, value = self._name(), self._value((*local, 1, 3))
            makes[key] = Port(value.kind, self._shape(value, local, exact=True))
            self.values[key] = value
        self.toys[f"block{len(self.toys)}"] = Toy(reads, makes, self.log)

    def _name(self) -> str:
        return f"value{len(self.values)}" + "".join(self.chance.choices("abcdefgh", k=6))

    def _value(self, tokens: tuple[Any, ...] = TOKENS) -> Value:
        kind = self.chance.choice((*PLAIN, Tensor, Tensor, Tensor, Tensor))
        if kind is not Tensor:
            return Value(kind)
        return Value(kind, tuple(self.chance.choices(tokens, k=self.chance.randint(1, 4))))

    def _read(self, value: Value, local: dict[Any, Any]) -> Port:
        return Port(self.chance.choice(WIDER[value.kind]), self._shape(value, local))

    def _shape(self, value: Value, local: dict[Any, Any], exact: bool = False) -> Shape | None:
        """In names of the block's own: letters in the order they come, or numbers as they are."""
        if value.tokens is None:
            return None
        cut = not exact and len(value.tokens) > 1 and self.chance.random() < 0.2
        kept = value.tokens[:-1] if cut else value.tokens
        found = [local.setdefault(token, token if isinstance(token, int) else f"n{len(local)}")
                 for token in kept]  # fmt: skip
        return Shape(tuple(found), cut)

    def _given(self, value: Value) -> Any:
        if value.tokens is None:
            return {int: 3, float: 0.5, str: "word", bool: True}[value.kind]
        return torch.zeros([self.sizes.get(token, token) for token in value.tokens])


def reads(program: Program) -> list[tuple[str, str]]:
    """Every link: a block and what it reads."""
    return [(name, key) for name, toy in program.toys.items() for key in toy.reads]


def changed(toy: Toy, key: str, port: Port) -> Toy:
    """With another input; sizes that only the old one told are 3."""
    reads = {**toy.reads, key: port}
    told = {size for one in reads.values() if one.shape for size in one.shape.sizes}

    def fixed(one: Port) -> Port:
        sizes = one.shape and tuple(size if size in told else 3 for size in one.shape.sizes)
        return one._replace(shape=sizes and Shape(sizes))

    return Toy(reads, {k: fixed(one) for k, one in toy.makes.items()}, toy.log)


def renamed(p: Program) -> dict[str, Toy]:
    name, key = p.chance.choice(reads(p))
    toy = p.toys[name]
    new = {f"other_{key}" if k == key else k: one for k, one in toy.reads.items()}
    return {**p.toys, name: Toy(new, toy.makes, toy.log)}


def retyped(p: Program) -> dict[str, Toy]:
    name, key = p.chance.choice(reads(p))
    old = p.toys[name].reads[key].type
    wrong = int if old in (str, Tensor, Tensor | None) else str
    return {**p.toys, name: changed(p.toys[name], key, Port(wrong))}


def reshaped(p: Program) -> dict[str, Toy] | None:
    """One axis more than there is."""
    links = [link for link in reads(p) if p.values[link[1]].tokens]
    if not links:
        return None
    name, key = p.chance.choice(links)
    axes = tuple(f"axis{i}" for i in range(len(p.values[key].tokens or ()) + 1))
    return {**p.toys, name: changed(p.toys[name], key, Port(Tensor, Shape(axes)))}


def resized(p: Program) -> dict[str, Toy] | None:
    """A number where there is another size."""
    links = [link for link in reads(p) if p.values[link[1]].tokens]
    if not links:
        return None
    name, key = p.chance.choice(links)
    port = p.toys[name].reads[key]
    assert port.shape
    sizes = list(port.shape.sizes)
    sizes[p.chance.randrange(len(sizes))] = 7
    shape = Shape(tuple(sizes), port.shape.open)
    return {**p.toys, name: changed(p.toys[name], key, port._replace(shape=shape))}


def dropped(p: Program) -> dict[str, Toy] | None:
    needed = {key for _, key in reads(p)}
    names = [name for name, toy in p.toys.items() if needed & toy.makes.keys()]
    if not names:
        return None
    gone = p.chance.choice(names)
    return {name: toy for name, toy in p.toys.items() if name != gone}


def swapped(p: Program) -> dict[str, Toy] | None:
    """A block before the one whose output it reads."""
    makers = {key: name for name, toy in p.toys.items() for key in toy.makes}
    links = [(makers[key], name) for name, key in reads(p) if key in makers]
    if not links:
        return None
    one, other = p.chance.choice(links)
    turn = {one: other, other: one}
    return {turn.get(name, name): p.toys[turn.get(name, name)] for name in p.toys}


def doubled(p: Program) -> dict[str, Toy] | None:
    """What one block makes, a later one makes too."""
    names = list(p.toys)
    if len(names) < 2:
        return None
    one, other = sorted(p.chance.sample(range(len(names)), 2))
    key, port = p.chance.choice(list(p.toys[names[one]].makes.items()))
    toy = p.toys[names[other]]
    kept = {k: v for k, v in toy.reads.items() if k != key}
    return {**p.toys, names[other]: Toy(kept, {**toy.makes, key: port}, toy.log)}


BREAKS: tuple[Callable[[Program], dict[str, Toy] | None], ...] = (
    renamed, retyped, reshaped, resized, dropped, swapped, doubled,
)  # fmt: skip

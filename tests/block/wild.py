"""Compositions of anything, drawn at random."""

from __future__ import annotations

import random
from typing import Any

from torch import Tensor

from diffusion.block import Block, Branch, Map, Parallel, Pipeline, Repeat
from diffusion.block.port import REQUIRED, Port
from diffusion.block.shape import Shape

from .toys import Toy


class Wild:
    """Compositions of anything, most of them wrong."""

    def __init__(self, seed: int, rigid: bool) -> None:
        self.chance, self.rigid, self.log = random.Random(seed), rigid, list[Toy]()

    def block(self, depth: int) -> Block:
        made = self._toy() if depth == 0 else self._composed(depth)
        if self.chance.random() < 0.2:
            made = made.rename(**self._names(made))
        return made

    def _composed(self, depth: int) -> Block:
        kinds = ["Pipeline", "Pipeline", "Parallel"]
        kinds += [] if self.rigid else ["Branch", "Branch", "Repeat", "Map"]
        kind, less = self.chance.choice(kinds), depth - self.chance.randint(1, depth)
        if kind == "Repeat":
            return Repeat(self.block(less), self.chance.randint(1, 3))
        if kind == "Map":
            inner = self.block(less)
            keys = list(inner.ports().inputs)
            return Map(
                inner, self.chance.sample(keys, min(len(keys), 1 + self.chance.randrange(2)))
            )
        if kind == "Branch":
            other = None if self.chance.random() < 0.3 else self.block(less)
            return Branch(self.chance.choice("abcdef"), self.block(less), other)
        inner = {f"block{i}": self.block(less) for i in range(self.chance.randint(1, 3))}
        return Pipeline(**inner) if kind == "Pipeline" else Parallel(**inner)

    def _names(self, made: Block) -> dict[str, str]:
        keys = [*made.ports().inputs, *made.ports().outputs]
        return {self.chance.choice(keys): self.chance.choice("abcdef")} if keys else {}

    def _toy(self) -> Toy:
        chance, names = self.chance, "uvw"
        reads = {key: self._port(names, chance.random() < 0.2)
                 for key in chance.sample("abcdef", chance.randint(0, 2))}  # fmt: skip
        own = {size for port in reads.values() if port.shape and port.required
               for size in port.shape.sizes}  # fmt: skip
        free = tuple(s for s in own if isinstance(s, str)) if self.rigid else (*names, "x")
        makes = {key: self._port(free, False, made=True)
                 for key in chance.sample("abcdef", chance.randint(0, 2))}  # fmt: skip
        return Toy(reads, makes, self.log)

    def _port(self, names: Any, optional: bool, made: bool = False) -> Port:
        chance = self.chance
        if chance.random() < 0.2:
            return Port(int, None, 1 if optional else REQUIRED)
        if not self.rigid and chance.random() < 0.1:
            return Port(Any, None, None if optional else REQUIRED)
        sizes = tuple(chance.choices((*names, *names, 2, 3), k=chance.randint(1, 2)))
        open = chance.random() < 0.15 and not (made and self.rigid)
        kind = Tensor | None if optional else Tensor
        return Port(kind, Shape(sizes, open), None if optional else REQUIRED)

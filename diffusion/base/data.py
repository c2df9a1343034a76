"""The contract of data transforms."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import field
from typing import Any, Self

import torch
from torch import Tensor, nn

from ..component import Component
from ..errors import InputError


class Data(Component):
    """Training data and the transform between what is stored and what is diffused.

    Args:
        w: items, first axis the item: a tensor, a (memory-mapped) array, a map-style data set
            whose items are `w` or `(w, y)`, or None when only sampling.
        y: conditions, one for each item; class ids are 1..K, 0 is the null condition.
        batch: items in a batch. shuffle: a new order each epoch, a function of (seed, epoch).
        names: class names in the order of their ids 1..K.
        alphabet: for text, the character of each id; see `spell`.
        text: for models of captions, a module from prompts to conditions; see `describe`.

    `nn.Module`s assigned to attributes are trained, moved and saved with the model.
    """

    w: Any = None
    y: Any = None
    batch: int = 1
    shuffle: bool = False
    names: tuple[str, ...] = field(default=(), kw_only=True)
    alphabet: str = field(default="", kw_only=True)
    text: Any = field(default=None, kw_only=True)

    @abstractmethod
    def encode(self, w: Tensor) -> Tensor:
        """`x` for a batch of items: `[b, ...] -> [b, ...]`."""

    @abstractmethod
    def decode(self, x: Tensor) -> Tensor:
        """Items for a batch of encodings: the inverse of `encode` on its range."""

    @property
    def bins(self) -> float | None:
        """Width of a quantisation bin of `x` on [-1, 1], or None where data are not quantised."""
        return None

    def logits(self, x: Tensor) -> Tensor | None:
        """log p(w | x) up to a constant, `[b, ..., K]`, or None where items are not class ids."""
        return None

    def describe(self, prompts: Sequence[str]) -> dict[str, Tensor]:
        """The conditions that prompts stand for, each `[b, ...]`.

        `given` `[b]` is 1 in all of them: guidance and label dropout, for which no condition is
        zeros, make it 0, and the network then takes what stands for no prompt.
        """
        if self.text is None:
            raise InputError(f"{type(self).__name__}.text is None: prompts need a text encoder.")
        said: dict[str, Tensor] = self.text(list(prompts))
        return {**said, "given": torch.ones(len(prompts))}

    def spell(self, w: Tensor) -> list[str]:
        """Ids `[b, l]` as text. An id beyond the alphabet, a mask that was not filled, is "_"."""
        if not self.alphabet:
            raise InputError(f"{type(self).__name__}.alphabet is empty: ids have no characters.")
        known, count = self.alphabet, len(self.alphabet)
        return ["".join(known[i] if 0 <= i < count else "_" for i in row) for row in w.tolist()]

    def modules(self) -> dict[str, nn.Module]:
        """The networks this transform owns, by attribute."""
        return {name: value for name, value in vars(self).items() if isinstance(value, nn.Module)}

    def using(self, modules: dict[str, nn.Module]) -> Self:
        """A copy that shares the items and owns other networks, by the names of `modules()`."""
        other = copy.copy(self)
        vars(other).update(modules)
        return other

    def __len__(self) -> int:
        return 0 if self.w is None else len(self.w)

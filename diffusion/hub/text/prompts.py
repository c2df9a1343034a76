"""The base of what makes conditions from prompts."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

from torch import Tensor, nn

from ...base.module import Module
from ...component import arguments, signature
from ...errors import require
from .write import write

OWN = "_prompts"
"""Settings that Diffusers has no word for, in a `model_index.json`; it skips such names."""


class Prompts(Module):
    """Text encoders and tokenizers, and how a pipeline joins what they say.

        prompts(["a cat", "a dog"])  ->  {"encoder_hidden_states": [2, tokens, width], ...}

    Keys are the denoiser's arguments, as Diffusers calls them, and tensors are batch-first. Texts
    are padded to one length: a sample depends on its own prompt only. The encoders are frozen, and
    stay in evaluation mode.

    Subclasses have fields named as the components of a pipeline's folder (`text_encoder`,
    `tokenizer`, `text_encoder_2`, ...), and then their settings.

    Attributes:
        optional: components that may be None. shared: settings that Diffusers keeps too.
    """

    optional: ClassVar[tuple[str, ...]] = ()
    shared: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        for name in self.components():
            self._check(name)
        length = getattr(self, "length", 1)
        require(length > 0, f"{type(self).__name__}.length", "a number of tokens", length)
        self.requires_grad_(False).eval()

    def _check(self, name: str) -> None:
        found, where = getattr(self, name), f"{type(self).__name__}.{name}"
        absent = found is None and name in self.optional
        if name.startswith("text_encoder"):
            fine = isinstance(found, nn.Module) and hasattr(found, "config")
            require(fine or absent, where, "a text encoder of transformers", type(found).__name__)
            other = name.replace("text_encoder", "tokenizer")
            paired = (found is None) == (getattr(self, other) is None)
            require(paired, where, f"it and {other}, or neither", "one of them")
        else:
            fine = callable(found) and hasattr(found, "model_max_length")
            require(fine or absent, where, "a tokenizer of transformers", type(found).__name__)

    @classmethod
    def components(cls) -> list[str]:
        """The names of the fields that are encoders and tokenizers."""
        return [n for n in signature(cls).parameters if n.startswith(("text_encoder", "tokenizer"))]

    @abstractmethod
    def encode(self, texts: list[str]) -> dict[str, Tensor]:
        """The conditions of some texts."""

    def forward(self, prompts: str | Sequence[str]) -> dict[str, Tensor]:
        """The conditions of prompts, a row for each."""
        texts = [prompts] if isinstance(prompts, str) else list(prompts)
        fine = bool(texts) and all(isinstance(text, str) for text in texts)
        require(fine, type(self).__name__, "texts, such as ['a cat', 'a dog']", repr(prompts))
        return self.encode(texts)

    def null(self) -> dict[str, Tensor]:
        """The conditions that stand for no prompt, `[1, ...]`."""
        return self.encode([""])

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Tokenizers are shared: they never change, and a copy would not compare equal."""
        for name in self.components():
            if name.startswith("tokenizer"):
                memo[id(getattr(self, name))] = getattr(self, name)
        made = type(self).__new__(type(self))
        memo[id(self)] = made
        vars(made).update(copy.deepcopy(vars(self), memo))
        return made

    def train(self, mode: bool = True) -> Self:
        """Nothing: frozen encoders stay in evaluation mode."""
        return super().train(False)

    def __repr__(self) -> str:
        shown = [f"{name}={type(getattr(self, name)).__name__}" for name in self.components()]
        shown += [f"{name}={value!r}" for name, value in self.settings().items()]
        return f"{type(self).__name__}({', '.join(shown)})"

    def settings(self) -> dict[str, Any]:
        """The settings that are not the defaults."""
        known, parts = signature(type(self)).parameters, self.components()
        found = {k: v for k, v in arguments(self).items() if k not in parts}
        return {k: v for k, v in found.items() if v != known[k].default}

    def save(self, folder: str | Path) -> dict[str, Any]:
        """Write each component into a folder of its own, as transformers does.

        Returns: the entries that are due in the folder's `model_index.json`.
        """
        entries: dict[str, Any] = {
            name: write(getattr(self, name), Path(folder) / name) for name in self.components()
        }
        settings = self.settings()
        entries |= {name: settings.pop(name) for name in self.shared if name in settings}
        return entries | ({OWN: {"recipe": type(self).__name__, **settings}} if settings else {})

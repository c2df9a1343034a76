"""Conditions from any encoder of sentences, such as MiniLM."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor
from torch.nn.functional import normalize

from ...errors import require
from ..files import read_json
from .load import load_encoder, load_tokenizer
from .prompts import Prompts
from .tokens import tokens


class Sentences(Prompts):
    """What an encoder says of each token, or its mean over them (Reimers & Gurevych 2019).

    Conditions are `[b, length, width]` with a mask, or `[b, 1, width]`. With `label`, the mean's
    direction goes along as `class_labels` `[b, width]`, of unit variance: what a network with
    `class_embed_type="projection"` adds to its time.

    Args:
        text_encoder: any encoder of transformers that takes ids and a mask.
        length: tokens of a text. mean: whether to take the mean over the text's tokens.
        label: whether to give the mean as `class_labels` too.
    """

    text_encoder: Any
    tokenizer: Any
    length: int
    mean: bool = False
    label: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        places = getattr(self.text_encoder.config, "max_position_embeddings", self.length)
        most = min(places, self.tokenizer.model_max_length)
        fine = self.length <= most
        require(fine, "Sentences.length", f"at most the {most} that it can read", self.length)

    @classmethod
    def read(
        cls, folder: str | Path, length: int, mean: bool = False, label: bool = False,
        dtype: torch.dtype | None = None, device: torch.device | str = "cpu",
    ) -> Self:  # fmt: skip
        """An encoder and its tokenizer from one folder, as transformers writes and hubs hold it.

        Errors: as of `diffusion.hub.text.read`.
        """
        folder = Path(folder)
        classes = read_json(folder / "config.json").get("architectures") or ["none"]
        encoder = load_encoder(folder, str(classes[0]), dtype, device)
        return cls(encoder, load_tokenizer(folder, "AutoTokenizer"), length, mean, label)

    def encode(self, texts: list[str]) -> dict[str, Tensor]:
        ids, mask = tokens(self.text_encoder, self.tokenizer, texts, self.length)
        states = self.text_encoder(ids, attention_mask=mask)[0]
        weight = mask[..., None].to(states.dtype)
        mean = (states * weight).sum(1, keepdim=True) / weight.sum(1, keepdim=True).clamp(min=1)
        found = {"encoder_hidden_states": mean if self.mean else states}
        if not self.mean:
            found["encoder_attention_mask"] = mask
        if self.label:
            found["class_labels"] = normalize(mean[:, 0], dim=1) * mean.shape[-1] ** 0.5
        return found

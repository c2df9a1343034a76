"""PixArt and Wan: one T5 encoder, which does not see padding."""

from __future__ import annotations

import html
import importlib.util
import warnings
from typing import Any

from torch import Tensor

from .prompts import Prompts
from .tokens import tokens


class PixArt(Prompts):
    """States `[b, length, width]` of T5, and which of them are text. Chen et al. 2023.

    Prompts are read in lower case.

    Args:
        length: tokens: 120 in PixArt-α, 300 in PixArt-Σ.
    """

    text_encoder: Any
    tokenizer: Any
    length: int = 120

    def encode(self, texts: list[str]) -> dict[str, Tensor]:
        low = [text.lower().strip() for text in texts]
        ids, mask = tokens(self.text_encoder, self.tokenizer, low, self.length)
        states = self.text_encoder(ids, attention_mask=mask)[0]
        return {"encoder_hidden_states": states, "encoder_attention_mask": mask}


class Wan(Prompts):
    """States `[b, length, width]` of UMT5, zero after the text. Wan et al. 2025.

    Prompts are cleaned as they were in training: mended by ftfy, where it is installed, without
    HTML entities, and with single spaces.
    """

    text_encoder: Any
    tokenizer: Any
    length: int = 512

    def encode(self, texts: list[str]) -> dict[str, Tensor]:
        clean = [cleaned(text) for text in texts]
        ids, mask = tokens(self.text_encoder, self.tokenizer, clean, self.length)
        states = self.text_encoder(ids, attention_mask=mask)[0]
        return {"encoder_hidden_states": states.masked_fill(mask[..., None] == 0, 0)}


def cleaned(text: str) -> str:
    """A prompt of Wan, cleaned."""
    if importlib.util.find_spec("ftfy"):
        text = importlib.import_module("ftfy").fix_text(text)
    elif not text.isascii():
        warnings.warn(
            "Wan was trained on texts mended by ftfy, which changes quotation marks and full-width "
            "letters. It is not installed: pip install ftfy",
            stacklevel=2,
        )
    return " ".join(html.unescape(html.unescape(text)).split())

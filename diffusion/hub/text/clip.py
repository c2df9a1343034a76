"""Stable Diffusion 1, 2 and XL: one CLIP text encoder, or two."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from ... import tree
from .prompts import Prompts
from .tokens import tokens


class StableDiffusion(Prompts):
    """The last states `[b, tokens, width]` of a text encoder. Rombach et al. 2022.

    Args:
        text_encoder: any encoder; one whose config says `use_attention_mask` doesn't see padding.
        tokenizer: its `model_max_length` is the number of tokens, 77 for CLIP.
    """

    text_encoder: Any
    tokenizer: Any

    def encode(self, texts: list[str]) -> dict[str, Tensor]:
        ids, mask = tokens(self.text_encoder, self.tokenizer, texts)
        masked = getattr(self.text_encoder.config, "use_attention_mask", False)
        states = self.text_encoder(ids, attention_mask=mask if masked else None)[0]
        return {"encoder_hidden_states": states}


class StableDiffusionXL(Prompts):
    """The last states but one of two encoders side by side, and the second's `text_embeds`.

    Podell et al. 2023, section 2.1. The refiner has the second encoder only.

    Args:
        force_zeros_for_empty_prompt: no prompt is zeros; else it is the empty text.
    """

    text_encoder: Any
    tokenizer: Any
    text_encoder_2: Any
    tokenizer_2: Any
    force_zeros_for_empty_prompt: bool = True

    optional: ClassVar[tuple[str, ...]] = ("text_encoder", "tokenizer")
    shared: ClassVar[tuple[str, ...]] = ("force_zeros_for_empty_prompt",)

    def encode(self, texts: list[str]) -> dict[str, Tensor]:
        states, pooled = penultimate(self.text_encoder_2, self.tokenizer_2, texts)
        if self.text_encoder is not None:
            first, _ = penultimate(self.text_encoder, self.tokenizer, texts)
            states = torch.cat([first, states], dim=-1)
        return {"encoder_hidden_states": states, "text_embeds": pooled}

    def null(self) -> dict[str, Tensor]:
        empty = super().null()
        zeros: dict[str, Tensor] = tree.map(torch.zeros_like, empty)
        return zeros if self.force_zeros_for_empty_prompt else empty


def penultimate(
    encoder: Any, tokenizer: Any, texts: list[str], length: int | None = None
) -> tuple[Tensor, Tensor]:
    """What the last layer but one says `[b, tokens, width]`, and the output proper `[b, ...]`."""
    said = encoder(tokens(encoder, tokenizer, texts, length).ids, output_hidden_states=True)
    return said.hidden_states[-2], said[0]

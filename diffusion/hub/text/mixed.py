"""Stable Diffusion 3 and Flux: CLIP and T5 together."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from .clip import penultimate
from .prompts import Prompts
from .tokens import limit, tokens


class StableDiffusion3(Prompts):
    """Two CLIPs side by side, padded to T5's width and followed by T5; their pooled states joined.

    Esser et al. 2024, appendix B.3.

    Args:
        length: tokens of T5, after those of CLIP.
        joint_attention_dim: width of the conditions; zeros are put in the place of an absent T5.
    """

    text_encoder: Any
    tokenizer: Any
    text_encoder_2: Any
    tokenizer_2: Any
    text_encoder_3: Any
    tokenizer_3: Any
    length: int = 256
    joint_attention_dim: int = 4096

    optional: ClassVar[tuple[str, ...]] = ("text_encoder_3", "tokenizer_3")

    def encode(self, texts: list[str]) -> dict[str, Tensor]:
        count = limit(self.tokenizer)
        one, pooled = penultimate(self.text_encoder, self.tokenizer, texts, count)
        two, pooled_2 = penultimate(self.text_encoder_2, self.tokenizer_2, texts, count)
        last = self._t5(texts, one)
        first = torch.cat([one, two], dim=-1)
        first = F.pad(first, (0, last.shape[-1] - first.shape[-1]))
        return {
            "encoder_hidden_states": torch.cat([first, last], dim=1),
            "pooled_projections": torch.cat([pooled, pooled_2], dim=-1),
        }

    def _t5(self, texts: list[str], like: Tensor) -> Tensor:
        if self.text_encoder_3 is None:
            return like.new_zeros(len(texts), self.length, self.joint_attention_dim)
        ids = tokens(self.text_encoder_3, self.tokenizer_3, texts, self.length).ids
        states: Tensor = self.text_encoder_3(ids)[0]
        return states


class Flux(Prompts):
    """States `[b, length, width]` of T5, and the pooled state of CLIP. Labs et al. 2024.

    Args:
        length: tokens of T5: 512, and 256 at most for FLUX.1-schnell.
    """

    text_encoder: Any
    tokenizer: Any
    text_encoder_2: Any
    tokenizer_2: Any
    length: int = 512

    def encode(self, texts: list[str]) -> dict[str, Tensor]:
        pooled = self.text_encoder(tokens(self.text_encoder, self.tokenizer, texts).ids)
        ids = tokens(self.text_encoder_2, self.tokenizer_2, texts, self.length).ids
        return {
            "encoder_hidden_states": self.text_encoder_2(ids)[0],
            "pooled_projections": pooled.pooler_output,
        }

"""Pipelines of Diffusers with tiny text encoders, one for every way that prompts are read."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import diffusers
import torch
from torch import Tensor

from . import tiny

STATES, MASK = "encoder_hidden_states", "encoder_attention_mask"
NETWORK = "SD3Transformer2DModel"
TEXT, POOLED = "text_embeds", "pooled_projections"
Conditions = dict[str, Tensor]
Parts = Callable[[], dict[str, Any]]


class Case(NamedTuple):
    """A pipeline, its components, and how its `encode_prompt` is called and read.

    Attributes:
        outputs: which condition each output is; "null " marks those of no prompt.
    """

    pipeline: str
    parts: Parts
    outputs: tuple[str, ...]
    options: dict[str, Any] = {}  # noqa: RUF012 - never changed

    def make(self) -> Any:
        """The pipeline."""
        return tiny.pipeline(self.pipeline, **self.parts())

    @torch.no_grad()  # as their calls; with gradients, attention takes another kernel
    def theirs(self, pipeline: Any, texts: list[str]) -> tuple[Conditions, Conditions]:
        """What it says of texts, and of no text."""
        outputs = pipeline.encode_prompt(texts, **self.options)
        said = dict(zip(self.outputs, outputs, strict=False))
        null = {k.removeprefix("null "): v for k, v in said.items() if k.startswith("null ")}
        return {k: v for k, v in said.items() if not k.startswith("null ")}, null


def one(encoder: Callable[[], Any], tokenizer: Callable[[], Any]) -> dict[str, Any]:
    return {"text_encoder": encoder(), "tokenizer": tokenizer()}


def xl(refiner: bool = False, zeros: bool = True) -> dict[str, Any]:
    first = {} if refiner else one(partial(tiny.clip, 8), tiny.clip_tokenizer)
    second = {"text_encoder_2": tiny.clip(12, True), "tokenizer_2": tiny.clip_tokenizer()}
    return first | second | {"force_zeros_for_empty_prompt": zeros}


def sd3(t5: bool) -> dict[str, Any]:
    network = getattr(diffusers, NETWORK)(
        sample_size=4, in_channels=4, num_layers=1, attention_head_dim=8, num_attention_heads=2,
        joint_attention_dim=32, caption_projection_dim=16, pooled_projection_dim=28,
    )  # fmt: skip
    first = one(partial(tiny.clip, 8, True), tiny.clip_tokenizer)
    second = {"text_encoder_2": tiny.clip(12, True), "tokenizer_2": tiny.clip_tokenizer()}
    third = {"text_encoder_3": tiny.t5(32), "tokenizer_3": tiny.t5_tokenizer()}
    return first | second | {"transformer": network} | (third if t5 else {})


def flux() -> dict[str, Any]:
    second = {"text_encoder_2": tiny.t5(16), "tokenizer_2": tiny.t5_tokenizer()}
    return one(partial(tiny.clip, 8), tiny.clip_tokenizer) | second


CLIP = partial(one, partial(tiny.clip, 8), tiny.clip_tokenizer)
BERT = partial(one, partial(tiny.bert, 8, use_attention_mask=True), tiny.bert_tokenizer)
T5 = partial(one, partial(tiny.t5, 16), tiny.t5_tokenizer)
UMT5 = partial(one, partial(tiny.t5, 16, True), tiny.t5_tokenizer)
SD = (STATES, f"null {STATES}")
XL = (STATES, f"null {STATES}", TEXT, f"null {TEXT}")
SD3 = (STATES, f"null {STATES}", POOLED, f"null {POOLED}")
PIXART = (STATES, MASK, f"null {STATES}", f"null {MASK}")
CALL = {"device": "cpu", "num_images_per_prompt": 1, "do_classifier_free_guidance": True}
ALL = {"prompt_2": None, "prompt_3": None}
CASES = {
    "sd": Case("StableDiffusionPipeline", CLIP, SD, CALL),
    "sd-img2img": Case("StableDiffusionImg2ImgPipeline", CLIP, SD, CALL),
    "sd-inpaint": Case("StableDiffusionInpaintPipeline", CLIP, SD, CALL),
    "sd-bert": Case("StableDiffusionPipeline", BERT, SD, CALL),
    "xl": Case("StableDiffusionXLPipeline", xl, XL),
    "xl-empty": Case("StableDiffusionXLPipeline", partial(xl, zeros=False), XL),
    "xl-refiner": Case("StableDiffusionXLImg2ImgPipeline", partial(xl, refiner=True), XL),
    "sd3": Case("StableDiffusion3Pipeline", partial(sd3, t5=True), SD3, ALL),
    "sd3-clip": Case("StableDiffusion3Pipeline", partial(sd3, t5=False), SD3, ALL),
    "flux": Case("FluxPipeline", flux, (STATES, POOLED)),
    "alpha": Case("PixArtAlphaPipeline", T5, PIXART),
    "sigma": Case("PixArtSigmaPipeline", T5, PIXART),
    "wan": Case("WanPipeline", UMT5, SD, {"max_sequence_length": 512}),
}

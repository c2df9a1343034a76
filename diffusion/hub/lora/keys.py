"""What the name of a tensor in a LoRA file says: whose, which layer's, and what it is."""

import re
from typing import NamedTuple

DENOISER = "denoiser"
PREFIXES = {
    "lora_unet_": DENOISER, "lora_transformer_": DENOISER, "lycoris_": DENOISER,
    "unet.": DENOISER, "transformer.": DENOISER, "diffusion_model.": DENOISER,
    "model.diffusion_model.": DENOISER,
    "lora_te_": "text_encoder", "lora_te1_": "text_encoder", "lora_te2_": "text_encoder_2",
    "lora_te3_": "text_encoder_3", "text_encoder.": "text_encoder",
    "text_encoder_2.": "text_encoder_2", "text_encoder_3.": "text_encoder_3",
    "text_encoders.clip_l.transformer.": "text_encoder",
    "text_encoders.t5xxl.transformer.": "text_encoder_3",
}  # fmt: skip
"""How names begin: those of kohya, OneTrainer and LyCORIS, of Diffusers, of the original
checkpoints, and of ComfyUI. Names without a beginning are the denoiser's."""
PEFT = "base_model.model."

TENSOR = re.compile(
    r"""(?P<layer>.+?)(?:
        \.lora_(?P<one>A|B|down|up|mid)(?:\.[^.]+)?\.weight         # peft; kohya
      | (?:\.lora_linear_layer|[._]lora)(?P<stream>[12]?)\.(?P<two>down|up)\.weight  # old Diffusers
      | \.(?P<three>alpha|dora_scale)
      | \.lora_(?P<four>magnitude)_vector(?:\.[^.]+)*
    )""",
    re.VERBOSE,
)
KINDS = {"A": "down", "B": "up"}
FOREIGN = {
    "hada_": "LoHa", "lokr_": "LoKr", "oft_": "OFT", "on_input": "IA3", "lora_embedding": "peft's "
    "for embeddings", "bundle_emb": "an embedding of textual inversion", "emb_params": "an "
    "embedding of textual inversion", ".diff": "a difference of a whole tensor",
    ".bias": "a bias", "vera_lambda": "VeRA", "hra_": "HRA",
}  # fmt: skip
"""Parts of names of tensors that are not supported, and what they are."""


class Key(NamedTuple):
    """One tensor: `kind` is "down", "up", "mid", "alpha", "dora_scale" or "magnitude"."""

    part: str
    layer: str
    kind: str


def parse(name: str) -> Key | None:
    """The key that a name stands for; None for a tensor that is none of a LoRA."""
    found = TENSOR.fullmatch(name)
    if found is None:
        return None
    kind = found["one"] or found["two"] or found["three"] or found["four"]
    part, layer = split(found["layer"] + (found["stream"] or ""))
    return Key(part, layer, KINDS.get(kind, kind))


def split(layer: str) -> tuple[str, str]:
    """Whose a layer is, and its name there."""
    layer = layer.removeprefix(PEFT)
    for prefix, part in PREFIXES.items():
        if layer.startswith(prefix):
            return part, layer.removeprefix(prefix)
    return DENOISER, layer


def flat(layer: str) -> str:
    """A name as kohya writes it, in which names of all kinds are compared.

    Old files name the processor of an attention; transformers dropped the outer `text_model` of
    text encoders in version 5.
    """
    plain = layer.replace(".processor", "").replace(".", "_")
    return plain.removeprefix("text_model_")


def foreign(name: str) -> str:
    """What a tensor is that is none of a LoRA."""
    return next((what for part, what in FOREIGN.items() if part in name), "unknown")

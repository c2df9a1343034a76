"""One folder made a text encoder or a tokenizer, by transformers, and never by code in it.

What transformers lets pass is an error here: tensors that are missing or not expected (it would
start with random ones) and a tokenizer without its vocabulary (it would start with an empty one).
"""

from collections import Counter
from pathlib import Path
from typing import Any

import torch

from ...errors import FileError, InputError, suggest
from ...folder.tensors import TYPES, header
from ..files import read_json, weights
from .extra import quiet, transformers

ENCODERS = (
    "CLIPTextModel", "CLIPTextModelWithProjection", "T5EncoderModel", "UMT5EncoderModel",
    "BertModel", "RobertaModel", "XLMRobertaModel", "DistilBertModel", "Qwen2Model", "Qwen3Model",
)  # fmt: skip
HEADED = {"Qwen2ForCausalLM": "Qwen2Model", "Qwen3ForCausalLM": "Qwen3Model"}
"""Language models that are read without what says the next token."""
HEAD = "lm_head.weight"
CLIP = (("tokenizer.json",), ("vocab.json", "merges.txt"))
T5 = (("tokenizer.json",), ("spiece.model",))
OTHER = (*CLIP, *T5, ("vocab.txt",), ("sentencepiece.bpe.model",))
TOKENIZERS = {
    "CLIPTokenizer": CLIP, "CLIPTokenizerFast": CLIP, "T5Tokenizer": T5, "T5TokenizerFast": T5,
    "BertTokenizer": OTHER, "BertTokenizerFast": OTHER, "RobertaTokenizer": OTHER,
    "RobertaTokenizerFast": OTHER, "XLMRobertaTokenizer": OTHER, "XLMRobertaTokenizerFast": OTHER,
    "DistilBertTokenizer": OTHER, "DistilBertTokenizerFast": OTHER, "AutoTokenizer": OTHER,
    "PreTrainedTokenizerFast": OTHER, "TokenizersBackend": OTHER, "Qwen2Tokenizer": CLIP,
    "Qwen2TokenizerFast": CLIP,
}  # fmt: skip
"""The classes that are loaded, and the files one set of which they need."""


def load_encoder(
    folder: Path, name: str, dtype: torch.dtype | None, device: torch.device | str,
    variant: str | None = None,
) -> Any:  # fmt: skip
    """A text encoder of class `name`.

    Args:
        dtype: of its weights; None is the file's, but float16 becomes float32 on a CPU.

    Errors: a class that is not loaded here; weights that are absent, pickled, damaged, or not those
    of the class.
    """
    _known(folder, name, (*ENCODERS, *HEADED))
    headed, name = name in HEADED, HEADED.get(name, name)
    config, files = read_json(folder / "config.json"), weights(folder, variant).files
    if "quantization_config" in config:
        raise FileError(f"{folder}: quantized encoders are not supported; get the plain weights.")
    kind = dtype or _stored(files, torch.device(device))
    # A config may ask for attention code from the hub; naming it here leaves that unread.
    made, report = _called(
        folder, name, use_safetensors=True, dtype=kind, variant=variant, attn_implementation="sdpa",
        output_loading_info=True, ignore_mismatched_sizes=True,
    )  # fmt: skip
    for said in ("missing", "mismatched", "unexpected"):
        keys = sorted(set(map(str, report[f"{said}_keys"])) - ({HEAD} if headed else set()))
        if keys:
            raise FileError(
                f"{folder}: its tensors are not those of {name} with this config: {len(keys)} "
                f"{said}: {', '.join(keys[:6])}. Get the folder again."
            )
    return made.to(device).eval()


def load_tokenizer(folder: Path, name: str) -> Any:
    """A tokenizer of class `name`. Errors: a class that is not loaded here; no vocabulary."""
    _known(folder, name, TOKENIZERS)
    sets = TOKENIZERS[name]
    if not any(all((folder / file).is_file() for file in files) for files in sets):
        wanted = ", or ".join(" and ".join(files) for files in dict.fromkeys(sets))
        raise FileError(f"{folder}: no vocabulary for {name}: expected {wanted}.")
    own = sets in (CLIP, T5)
    return _called(folder, name if own else "AutoTokenizer", trust_remote_code=False)


def _called(folder: Path, name: str, **options: Any) -> Any:
    """`name.from_pretrained(folder)`, offline."""
    cls = getattr(transformers(), name)
    try:
        with quiet():
            return cls.from_pretrained(folder, local_files_only=True, **options)
    except ImportError as error:
        raise InputError(
            f'{folder}: {name} needs a library more: {error} Do: pip install "diffusion-modules'
            '[hub]"'
        ) from error
    except Exception as error:  # whatever a config or vocabulary makes transformers raise
        raise FileError(f"{folder}: transformers can't read a {name} here: {error}") from error


def _known(folder: Path, name: str, classes: Any) -> None:
    if name not in classes:
        raise FileError(
            f"{folder}: no {name!r} is loaded here, only {', '.join(classes)}."
            f"{suggest(name, classes)} Load it with transformers, and give it to a recipe of "
            "diffusion.hub.text."
        )


def _stored(files: list[Path], device: torch.device) -> torch.dtype:
    """The precision of most tensors of the files, but none that a CPU is slow at."""
    types = (TYPES[entry["dtype"]] for path in files for entry in header(path).values())
    found = Counter(dtype for dtype in types if dtype.is_floating_point)
    stored = found.most_common(1)[0][0] if found else torch.float32
    return torch.float32 if stored == torch.float16 and device.type == "cpu" else stored

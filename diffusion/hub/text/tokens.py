"""Texts made token ids of a fixed length, so that a sample depends on its own prompt only."""

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

from torch import Tensor

from ...errors import require

LONGEST = 1 << 20
"""Tokenizers that were given no limit say a number far above."""


class Tokens(NamedTuple):
    """Ids `[b, length]`, and 1 where a token belongs to the text, 0 where it is padding."""

    ids: Tensor
    mask: Tensor


def tokens(encoder: Any, tokenizer: Any, texts: Sequence[str], length: int | None = None) -> Tokens:
    """Texts as an encoder reads them, on its device; longer ones are cut, with a warning.

    Args:
        length: of every row; None is the tokenizer's own limit.
    """
    length = limit(tokenizer) if length is None else length
    made = tokenizer(
        list(texts), padding="max_length", max_length=length, truncation=True,
        return_attention_mask=True, return_tensors="pt",
    )  # fmt: skip
    whole = tokenizer(list(texts), padding=False, truncation=False, verbose=False)["input_ids"]
    for ids in whole:
        if len(ids) > length:
            _warn(tokenizer, ids, length)
    return Tokens(made["input_ids"].to(encoder.device), made["attention_mask"].to(encoder.device))


def limit(tokenizer: Any) -> int:
    """The most tokens of a text."""
    length = int(tokenizer.model_max_length)
    where = f"{type(tokenizer).__name__}.model_max_length"
    fix = "Set it to the number of tokens that the encoder was trained with: 77 for CLIP."
    require(length <= LONGEST, where, "a limit", "none", fix)
    return length


def _warn(tokenizer: Any, ids: list[int], length: int) -> None:
    """Name what is lost: all that would stand where, and after, the closing token stands."""
    closing = 1 if ids[-1] in tokenizer.all_special_ids else 0
    lost = tokenizer.decode(ids[length - closing : len(ids) - closing])
    warnings.warn(
        f"a prompt of {len(ids)} tokens is cut to the {length} that are read; lost: {lost!r}",
        stacklevel=2,
    )

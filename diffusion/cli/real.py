"""Real data in a model's own terms: its items, its alphabet, its names of classes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..base import Data
from ..component import arguments
from ..data.source import Source, open_source
from ..errors import DiffusionError, MismatchError
from ..model import Model
from ..tree import State


def source_for(model: Model[Any], name: str, size: int | None) -> Source:
    """A source of data, with ids of characters and of classes as the model has them."""
    shape = model.shape
    length = {"length": shape[0]} if isinstance(shape, tuple) and len(shape) in (1, 2) else {}
    real = open_source(name, size=size, **(length if name.endswith(".txt") else {}))
    alphabet = model.data.alphabet
    if real.alphabet and alphabet and real.alphabet != alphabet:
        real = real._replace(w=_respelt(real, alphabet, name), alphabet=alphabet)
    names = tuple(map(str, model.data.names))
    if real.names and names and real.names != names:
        real = _renamed(real, names, name)
    return real


def _respelt(real: Source, alphabet: str, name: str) -> Tensor:
    """Ids of the model's alphabet for those of the text's own."""
    strange = sorted(set(real.alphabet) - set(alphabet))
    if strange:
        raise MismatchError(
            f"the model and the source do not fit: {name} has characters that the model does not "
            f"know: {''.join(strange)[:20]!r}."
        )
    table = torch.tensor([alphabet.index(character) for character in real.alphabet])
    w: Tensor = table[real.w]
    return w


def _renamed(real: Source, names: tuple[str, ...], name: str) -> Source:
    """Class ids of the model's names for those of the source's."""
    strange = sorted(set(real.names) - set(names))
    if strange:
        raise MismatchError(
            f"the model and the source do not fit: {name} has the class {strange[0]!r}; the "
            f"model's classes are {', '.join(names[:20])}."
        )
    table = torch.tensor([0, *(names.index(one) + 1 for one in real.names)])
    y, y_test = (None if ids is None else table[ids] for ids in (real.y, real.y_test))
    return real._replace(y=y, y_test=y_test, names=names)


def items(model: Model[Any], w: Any, y: Any) -> Data:
    """The model's transform on other items. Labels its network does not know are left out."""
    known = getattr(model.net, "labels", None) != 0 and y is not None
    data = model.data
    try:
        return type(data)(**{**arguments(data), "w": w, "y": y if known else None})
    except DiffusionError as error:
        raise MismatchError(f"the model and the source do not fit: {error}") from error


def same_shape(model: Model[Any], w: State) -> None:
    """Raise unless items are such as the model was trained on."""
    try:
        x = model.encode(w)
    except (RuntimeError, IndexError, ValueError) as error:
        raise MismatchError(
            f"the model and the source do not fit: {type(model.data).__name__}.encode takes other "
            f"items ({error})."
        ) from error
    if isinstance(x, Tensor) and tuple(x.shape[1:]) != tuple(model.shape):
        raise MismatchError(
            f"the model and the source do not fit: the model makes samples of shape "
            f"{list(model.shape)}, the source has {list(x.shape[1:])}."
        )

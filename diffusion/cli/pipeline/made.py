"""What a block has made, as files: pictures as PNG, films as MP4, the rest as JSON and tensors."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...block import Block, Wired
from ...block.trace.plain import Writer
from ...component import arguments
from ...data import Images, Latent
from ...errors import FileError
from ...folder import tensors
from ...model import Model


def write(made: Mapping[str, Any], block: Block, out: Path) -> Iterator[str]:
    """Write outputs into a folder; a line to tell for each of them."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        rest = {}
        for name, value in made.items():
            shown = pictures(value, maker(block, name))
            if shown is None:
                rest[name] = value
                continue
            for index, one in enumerate(shown):
                ending = "mp4" if isinstance(one, bytes) else "png"
                path = out / f"{name}-{index:05d}.{ending}"
                path.write_bytes(one) if isinstance(one, bytes) else one.save(path)
            yield f"{name}: {len(shown)} in {out}"
        if rest:
            yield from _rest(rest, out)
    except OSError as error:
        raise FileError(f"{out}: could not be written ({error.strerror}).") from error


def _rest(values: Mapping[str, Any], out: Path) -> Iterator[str]:
    arrays = dict[str, Tensor]()

    def put(tensor: Tensor, name: str) -> str:
        arrays[name] = tensor
        return name

    writer = Writer(put)
    plain = {name: writer(value, name) for name, value in values.items()}
    (out / "outputs.json").write_text(json.dumps(plain, indent=2) + "\n", encoding="utf-8")
    if arrays:
        (out / "outputs.safetensors").write_bytes(tensors.dump(arrays))
    for name, one in plain.items():
        lost = " (what can't be written is left out)" if '"missing":' in json.dumps(one) else ""
        yield f"{name}: in {out / 'outputs.json'}{lost}"


def maker(block: Block, name: str) -> Model[Any] | None:
    """The model of the block that makes an output, if it is one that has a model."""
    if isinstance(block, Wired):
        own = {new: old for old, new in block.names.items()}
        return maker(block.block, own.get(name, name))
    for inner in reversed(block.children().values()):
        if name in inner.ports().outputs:
            return maker(inner, name)
    return next((one for one in arguments(block).values() if isinstance(one, Model)), None)


def pictures(value: Any, model: Model[Any] | None) -> list[Any] | None:
    """An output as pictures of PIL, or films, if it is some."""
    from PIL import Image

    if isinstance(value, (list, tuple)) and value:
        same = all(isinstance(one, (Image.Image, bytes)) for one in value)
        return list(value) if same else None
    if isinstance(value, Image.Image):
        return [value]
    data: Any = None if model is None else model.data
    inner = data.inner if isinstance(data, Latent) else data
    if isinstance(value, Tensor) and value.dim() == 4 and value.dtype == torch.uint8:
        items = inner.pictures(value) if isinstance(inner, Images) else value
        if items.shape[1] in (1, 3, 4):
            return [_picture(one.cpu().permute(1, 2, 0).numpy()) for one in items]
    if isinstance(value, np.ndarray) and value.ndim == 4 and value.dtype == np.uint8:
        return [_picture(one) for one in value] if value.shape[3] in (1, 3, 4) else None
    return None


def _picture(array: np.ndarray[Any, Any]) -> Any:
    from PIL import Image

    return Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else np.ascontiguousarray(array))

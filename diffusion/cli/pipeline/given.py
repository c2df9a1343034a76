"""A block's inputs, by options of the command line and by files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...block import kind
from ...block.port import Port
from ...block.trace import inputs as traced
from ...errors import FileError, InputError, suggest
from ...folder import lines, tensors

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
ARRAYS = (".npy", ".npz", ".safetensors")


def recorded(folder: Path, ports: Mapping[str, Port], block: str = "") -> dict[str, Any]:
    """The inputs in a folder: those that a trace has recorded for a block, or written by hand."""
    traces = folder / "trace.json", folder.parent / "trace.json"
    if any(path.is_file() for path in (*traces, folder / "inputs.json")):
        found = traced(folder, block)
    elif (folder / "inputs.safetensors").is_file():
        found = tensors.read(folder / "inputs.safetensors")
    else:
        raise FileError(
            f"{folder}: neither inputs.json nor inputs.safetensors, and no trace. Inputs are in a "
            "trace's folder, or in a folder of your own with these files."
        )
    if not isinstance(found, dict):
        raise FileError(f"{folder / 'inputs.json'}: expected a map of inputs by name.")
    for name in found:
        if name not in ports:
            raise InputError(
                f"{folder}: holds {name!r}, which is no input; there are "
                f"{', '.join(ports) or 'none'}.{suggest(name, ports)}"
            )
    return found


def given(words: Sequence[str], ports: Mapping[str, Port], device: str) -> dict[str, Any]:
    """Inputs of options such as `--prompt "a cat" --seed 3`.

    Errors: an option that is no input, with the nearest; a value that is not of its type.
    """
    texts: dict[str, list[str]] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.removeprefix("--").partition("=")
        name = name.replace("-", "_")
        if not word.startswith("--") or name not in ports:
            raise InputError(
                f"{word}: is neither an option nor an input; the inputs are "
                f"{', '.join(f'--{key}' for key in ports) or 'none'}."
                f"{suggest(word, [f'--{key}' for key in ports])}"
            )
        if not equals and not rest:
            raise InputError(f"--{name}: expected a value: {ports[name]}.")
        texts.setdefault(name, []).append(value if equals else rest.pop(0))
    return {name: _several(name, said, ports[name], device) for name, said in texts.items()}


def _several(name: str, texts: list[str], port: Port, device: str) -> Any:
    if len(texts) == 1:
        return _value(name, texts[0], port, device)
    values = [_value(name, text, port, device, listed=True) for text in texts]
    if all(isinstance(one, Tensor) for one in values):
        return torch.cat(values)
    if not kind.holds(values, port.type):
        raise InputError(f"--{name}: expected one value, {port}; got {len(values)}.")
    return values


def _value(name: str, text: str, port: Port, device: str, listed: bool = False) -> Any:
    path = Path(text)
    if path.suffix.lower() in (*PICTURES, *ARRAYS):
        tensor = _file(name, path).to(device)
        if kind.holds(tensor, port.type):
            return tensor
    if kind.holds(text, port.type) and port.type is not Any:
        return text
    value = lines.parse(text, f"--{name}", numbered=False).plain()
    if kind.holds(value, port.type) or (listed and kind.holds([value], port.type)):
        return value
    if listed and kind.holds([text], port.type):
        return text
    if kind.holds(torch.empty(1), port.type):
        files = ", ".join((*PICTURES, *ARRAYS))
        raise InputError(f"--{name}: expected a file ({files}) for {port}; got {text!r}.")
    raise InputError(f"--{name}: expected {port}; got {text!r}.")


def _file(name: str, path: Path) -> Tensor:
    """A picture as bytes `[1, c, h, w]`, or the one array of a file."""
    if not path.is_file():
        raise FileError(f"--{name}: {path}: no such file.")
    try:
        if path.suffix.lower() in PICTURES:
            return _picture(path)
        if path.suffix == ".safetensors":
            arrays: Mapping[str, Any] = tensors.read(path)
        else:
            read = np.load(path, allow_pickle=False)
            arrays = {"it": read} if isinstance(read, np.ndarray) else dict(read)
    except (OSError, ValueError, EOFError) as error:
        raise FileError(f"--{name}: {path}: not readable ({error}).") from error
    if len(arrays) != 1 and name not in arrays:
        raise FileError(f"--{name}: {path}: expected one array, or one called {name}; it holds "
                        f"{', '.join(arrays) or 'none'}.")  # fmt: skip
    return torch.as_tensor(arrays[name] if name in arrays else next(iter(arrays.values())))


def _picture(path: Path) -> Tensor:
    from PIL import Image

    with Image.open(path) as image:
        grey = image.mode in ("1", "L", "I", "F", "I;16")
        array = np.array(image.convert("L" if grey else "RGB"))
    tensor = torch.from_numpy(array)
    return tensor[None, None] if grey else tensor.permute(2, 0, 1)[None].contiguous()

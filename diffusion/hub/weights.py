"""Tensors of files put into a network that was made without memory for them.

Files are mapped: a tensor that needs no cast is the file's own pages, read when first used, and the
network holds no copy. A cast goes tensor by tensor, and gives the file's pages back on the way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ..errors import FileError
from ..folder.mapped import mapped
from ..folder.tensors import header
from ..train.progress import Bar

OLD = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
"""How projections of attention were called before Diffusers 0.12."""
PAGES = 16 << 20
"""Bytes of a file that are mapped at a time where they are cast, or put on a device."""


@contextmanager
def empty() -> Iterator[None]:
    """Networks made within are on the meta device, and their initial values are not computed."""
    with torch.device("meta"), _Uninitialised():
        yield


class _Uninitialised(TorchFunctionMode):
    """Leaves out the functions of `torch.nn.init`."""

    def __torch_function__(
        self, function: Any, types: Any, given: Any = (), named: Any = None
    ) -> Any:
        if getattr(function, "__module__", "") == "torch.nn.init":
            return given[0] if given else named["tensor"]
        return function(*given, **(named or {}))


def fill(
    module: nn.Module, files: Sequence[Path], dtype: torch.dtype | None = None,
    device: torch.device | str = "cpu", progress: bool = False, what: str = "",
) -> None:  # fmt: skip
    """Give a network (on the meta device) the tensors of safetensors files.

    Args:
        dtype: of floating tensors; None keeps the file's, but float16 becomes float32 on a CPU,
            where it is many times slower. what: names the network in errors.

    Errors: keys that are missing or not expected (grouped), wrong shapes, damaged files. Nothing
    was changed then.
    """
    what, target = what or type(module).__name__, torch.device(device)
    entries = {name: (path, entry) for path in files for name, entry in header(path).items()}
    own = dict(_places(module))
    names = _renamed(entries, own)
    _matching(own, {new: entries[old][1]["shape"] for new, old in names.items()}, what, files)
    whole = getattr(module, "whole", ())
    new = {old: new for new, old in names.items()}

    def one(item: tuple[str, Tensor]) -> tuple[str, Tensor]:
        name, tensor = new[item[0]], item[1]
        wish = torch.float32 if dtype and any(w in name for w in whole) else dtype
        return name, _cast(tensor, wish, target)

    half = any(entry["dtype"] == "F16" for _, entry in entries.values())  # cast on a CPU
    pages = PAGES if dtype or half or target.type != "cpu" else None
    tensors = chain.from_iterable(mapped(path, pages) for path in files)
    found: dict[str, Tensor] = {}
    with Bar(len(names), progress, f"loading {what}") as bar, ThreadPoolExecutor(2) as pool:
        for name, tensor in pool.map(one, tensors):
            found[name] = tensor
            bar.update(len(found))
    module.load_state_dict(found, strict=True, assign=True)


def watch(module: nn.Module) -> None:
    """Raise where a weight is NaN or infinite, at the first call of the layer that it belongs to.

    Mapped weights are read from the disk then, so looking at them while loading would double that.
    """
    for name, part in _called(module):
        look = _Look(type(module).__name__, name)
        look.handle = part.register_forward_pre_hook(look, with_kwargs=True)


class _Look:
    """A hook that looks at a layer's tensors once."""

    def __init__(self, of: str, name: str) -> None:
        self.of, self.name = of, name
        self.handle: Any = None

    def __call__(self, part: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        tensors = [one for one in (*given, *named.values()) if isinstance(one, Tensor)]
        if torch.compiler.is_compiling() or any(one.is_meta for one in tensors):  # a dry run
            return
        self.handle.remove()
        for key, tensor in part.state_dict().items():
            if tensor.is_floating_point() and not tensor.isfinite().all():
                raise FileError(
                    f"{self.of}: {self.name}.{key} holds NaN or infinity; the weights are damaged."
                )


def _called(module: nn.Module, path: str = "") -> Iterator[tuple[str, nn.Module]]:
    """The layers that a network calls, by name: its children, and those in lists of them."""
    for name, child in module.named_children():
        if isinstance(child, (nn.ModuleList, nn.ModuleDict)):
            yield from _called(child, f"{path}{name}.")
        else:
            yield f"{path}{name}", child


def _cast(tensor: Tensor, dtype: torch.dtype | None, device: torch.device) -> Tensor:
    if not tensor.is_floating_point():
        return tensor.to(device)
    if dtype is None and tensor.dtype == torch.float16 and device.type == "cpu":
        dtype = torch.float32
    return tensor.to(device, dtype or tensor.dtype)


def _places(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from module.state_dict(keep_vars=True).items()


def _renamed(entries: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, str]:
    """The file's name of each tensor, by the network's: the same, but for old attention layers."""
    names = {}
    for old in entries:
        new = old
        if old not in own:
            path, _, leaf = old.rpartition(".")
            parent, _, layer = path.rpartition(".")
            candidate = f"{parent}.{OLD[layer]}.{leaf}" if layer in OLD else old
            new = candidate if candidate in own else old
        names[new] = old
    return names


def _matching(
    own: Mapping[str, Tensor], shapes: Mapping[str, Any], what: str, files: Sequence[Path]
) -> None:
    """Raise unless names and shapes are the network's."""
    where = files[0].parent if len(files) > 1 else files[0]
    missing, extra = own.keys() - shapes.keys(), shapes.keys() - own.keys()
    if missing or extra:
        raise FileError(
            f"{where}: its tensors are not those of {what} with this config. Missing: "
            f"{_grouped(missing)}. Not expected: {_grouped(extra)}."
        )
    for name, tensor in own.items():
        if list(tensor.shape) != list(shapes[name]):
            raise FileError(
                f"{where}: {name} has shape {list(shapes[name])}; {what} with this config needs "
                f"{list(tensor.shape)}."
            )


def _grouped(names: Any) -> str:
    """Names by the layer they belong to, with how many each has."""
    if len(names) <= 6:
        return ", ".join(sorted(names)) or "none"
    counts = Counter(".".join(name.split(".")[:2]) for name in names)
    shown = [f"{prefix}.* ({count})" for prefix, count in counts.most_common(6)]
    return ", ".join(shown) + (f" and {len(counts) - 6} groups more" if len(counts) > 6 else "")

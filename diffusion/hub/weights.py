"""Tensors of files put into a network that was made without memory for them.

Files are mapped: a tensor that needs no cast is the file's own pages, read when first used, and the
network holds no copy. A cast goes tensor by tensor, so that no more than one is there twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import FileError
from ..folder.tensors import header
from ..train.progress import Bar

OLD = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
"""How projections of attention were called before Diffusers 0.12."""


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
    found: dict[str, Tensor] = {}
    whole = getattr(module, "whole", ())
    with Bar(len(names), progress, f"loading {what}") as bar:
        for name, tensor in _tensors(files, {old: new for new, old in names.items()}):
            wish = torch.float32 if dtype and any(w in name for w in whole) else dtype
            found[name] = _cast(tensor, wish, target)
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


def _tensors(files: Sequence[Path], names: Mapping[str, str]) -> Iterator[tuple[str, Tensor]]:
    """Each tensor of each file once, by its name in the network."""
    from safetensors import SafetensorError, safe_open

    for path in files:
        try:
            with safe_open(path, framework="pt", device="cpu") as file:
                for old in file.keys():  # noqa: SIM118 - not a dict
                    yield names[old], file.get_tensor(old)
        except SafetensorError as error:
            raise FileError(f"{path}: not a valid safetensors file: {error}") from error


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

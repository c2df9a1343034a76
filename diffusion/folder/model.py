"""A whole model as a folder: `model.yaml`, `weights.safetensors`, `average.safetensors`.

`model.yaml` holds the modules as ids, versions and arguments, and the shape of a sample; the data
set itself is not saved. Nothing in the folder is executed.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from .. import tree
from ..errors import FileError, suggest
from ..fit.parts import parts
from ..train.average import own, unshare
from . import atomic, tensors, text
from .config import build, describe
from .source import Source

if TYPE_CHECKING:
    from ..model import Model

FORMAT = 1
MODULES = (
    "data", "schedule", "noise", "net", "loss", "time", "guidance", "sampler", "optimizer",
)  # fmt: skip
SETTINGS = ("ema", "clip", "seed")
BUFFERS = "module."


def files(model: Model[Any]) -> dict[str, bytes]:
    """The files of a model's folder."""
    small: dict[str, Any] = {}
    plain: dict[str, Any] = {"format": FORMAT}
    for name in MODULES:
        plain[name] = describe(getattr(model, name), small, name)
    plain |= {name: describe(getattr(model, name), small, name) for name in SETTINGS}
    plain["shape"] = tree.map(list, model.shape)
    plain["dtype"] = tree.map(lambda one: str(one).removeprefix("torch."), model.state_dtype)
    plain["trained"] = {"steps": model.run.step, "epochs": len(model.run.history)}
    frozen = _frozen(model)
    plain |= {"frozen": frozen} if frozen else {}
    weights = {f"weight.{k}": v for k, v in model.parts.state_dict().items()}
    weights |= {f"{BUFFERS}{key}": value for key, value in small.items()}
    written = {
        "model.yaml": text.write(plain).encode(),
        "weights.safetensors": tensors.dump(weights),
    }
    if model.average is not None:
        written["average.safetensors"] = tensors.dump(own(model.average, model.parts))
    return written


def save(model: Model[Any], folder: str | Path) -> None:
    """Write the folder in one atomic step; see `diffusion.folder.atomic`."""
    from ..hub.lora import refuse

    refuse(model.parts, "save")
    atomic.commit(Path(folder), files(model))
    custom = () if model.source is None else model.source.custom
    model.source = Source(str(Path(folder).resolve()), custom=custom)


def load(
    folder: str | Path, modules: dict[str, Any], device: Any = "cpu", custom: Iterable[type] = ()
) -> Model[Any]:
    """Read a folder that `save` wrote; `modules` replace those of the file."""
    from ..model import Model

    folder = Path(folder)
    if not folder.is_dir():
        raise FileError(f"{folder}: no such folder. A model is a folder with a model.yaml in it.")
    atomic.verify(folder)
    where = folder / "model.yaml"
    plain = text.read(where)
    _known(plain, where)
    stored = tensors.read(folder / "weights.safetensors")
    small = {k.removeprefix(BUFFERS): v for k, v in stored.items() if k.startswith(BUFFERS)}
    built: dict[str, Any] = {
        name: modules[name] if name in modules else _module(plain, name, small, custom)
        for name in MODULES
    }
    settings: dict[str, Any] = {
        name: build(plain.get(name), small, name, custom) for name in SETTINGS
    }
    for name in modules:
        if name not in MODULES:
            raise FileError(f"Model.load: no module is called {name!r}.{suggest(name, MODULES)}")
    _freeze(built, plain.get("frozen", []), where)
    model: Model[Any] = Model(
        **built, **settings, device=device, shape=_shape(plain["shape"]), state_dtype=_dtype(plain)
    )
    weights = {k.removeprefix("weight."): v for k, v in stored.items() if k.startswith("weight.")}
    weights = _without_loss(model.parts, weights)
    tensors.assign(model.parts, weights, str(folder / "weights.safetensors"))
    if model.average is not None and (folder / "average.safetensors").is_file():
        restore(model, folder / "average.safetensors")
    model.source = Source(str(folder.resolve()), custom=tuple(custom))
    return model


def restore(model: Model[Any], path: Path) -> None:
    """Give a model's average the tensors of a file, which has none of those that are frozen."""
    stored = tensors.read(path)
    unshare(model.average, model.parts, stored)
    state, mine = model.average.state_dict(), own(model.average, model.parts)
    shared = {name: value for name, value in state.items() if name not in mine}
    tensors.assign(model.average, {**shared, **stored}, str(path))


def _frozen(model: Model[Any]) -> list[str]:
    """Weights that are left out of training, and of the average if there is one."""
    mine = {} if model.average is None else own(model.average, model.parts)
    named = model.parts.named_parameters()
    return [k for k, value in named if not value.requires_grad and f"module.{k}" not in mine]


def _freeze(built: dict[str, Any], names: Any, where: Path) -> None:
    """Leave weights out of training, as they were when the folder was written."""
    made = dict(parts(built["net"], built["data"], built["loss"]).named_parameters())
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise FileError(f"{where}: frozen: expected names of weights, got {names!r}.")
    for name in names:
        if name in made:  # absent where a module was replaced
            made[name].requires_grad_(False)


def _without_loss(parts: torch.nn.Module, stored: Any) -> dict[str, torch.Tensor]:
    """`stored`, where the networks of a loss are taken or left as the model has that loss or not.

    They are for training on: a model loaded without its loss, or with another, is whole.
    """
    own = {k: v for k, v in parts.state_dict().items() if k.startswith("loss.")}
    return {**own, **{k: v for k, v in stored.items() if k in own or not k.startswith("loss.")}}


def _module(plain: dict[str, Any], name: str, small: Any, custom: Iterable[type]) -> Any:
    entry = plain.get(name)
    # A loss or an optimiser that a file can't hold is asked for when training needs it.
    if name in ("loss", "optimizer") and _lacks(entry):
        return None
    return build(entry, small, name, custom)


def _lacks(entry: Any) -> bool:
    if isinstance(entry, dict):
        return set(entry) == {"missing"} or any(_lacks(value) for value in entry.values())
    return isinstance(entry, list) and any(_lacks(value) for value in entry)


def _known(plain: dict[str, Any], where: Path) -> None:
    keys = {"format", *MODULES, *SETTINGS, "shape", "dtype", "trained", "frozen"}
    for key in plain:
        if key not in keys:
            raise FileError(f"{where}: unknown key {key!r}.{suggest(str(key), keys)}")
    for key in ("format", "data", "schedule", "noise", "net", "shape", "dtype"):
        if key not in plain:
            raise FileError(f"{where}: the key {key!r} is missing.")
    if not isinstance(plain["format"], int) or plain["format"] > FORMAT:
        raise FileError(
            f"{where}: format {plain['format']!r}; this library reads up to {FORMAT}. Upgrade it."
        )


def _shape(plain: Any) -> Any:
    if isinstance(plain, dict):
        return {key: _shape(value) for key, value in plain.items()}
    if not isinstance(plain, list) or not all(
        isinstance(v, int) and 0 < v < 1 << 20 for v in plain
    ):
        raise FileError(f"model.yaml: shape: expected a list of sizes, got {plain!r}.")
    return tuple(plain)


def _dtype(plain: dict[str, Any]) -> Any:
    def one(name: Any) -> torch.dtype:
        dtype = getattr(torch, name, None) if isinstance(name, str) else None
        if not isinstance(dtype, torch.dtype):
            raise FileError(f"model.yaml: dtype: expected a name such as float32, got {name!r}.")
        return dtype

    return tree.map(one, plain["dtype"])

"""A model in a pipeline's file: where its weights are, and what differs from what is there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

import torch

from ... import hub
from ...base import Schedule
from ...component import same
from ...errors import InputError
from ...fit import MODULES
from ...fit.modules import precision
from ...folder.config import describe
from ...folder.source import Source
from ...folder.source import commit as folder_commit
from ...hub.denoiser import Denoiser
from ...hub.remote import located
from ...hub.scheduler import Timestep
from ...model import Model
from ...tree import State
from ..task.net import remade
from . import digest

TRAINING = ("loss", "optimizer", "time")
"""Modules that a pipeline has no use for: they are written where they can be."""
SETTINGS = ("ema", "clip", "seed")
TIMESTEP = "timestep"
"""What is written of a folder's denoiser that a scheduler of another kind tells the time."""


class Elsewhere(InputError):
    """A model's weights are in no folder that it could be read from."""


class Entry(NamedTuple):
    """What is to be written of a model that was read from somewhere.

    Attributes:
        source: where it was read. hash: of its weights. shape: of a state, where it differs.
        modules: those that differ.
    """

    source: Source
    hash: str
    shape: Any
    modules: dict[str, Any]


def fetch(source: Source, device: Any = "cpu", shape: State = None) -> Model[Any]:
    """Read a model from where it was read before."""
    folder = folder_of(source)
    if (folder / digest.OWN).is_file():
        model = Model.load(folder, device, source.custom)
    else:
        given = {} if shape is None else {"shape": shape}
        model = hub.load(
            source.place, revision=source.commit, dtype=source.dtype, variant=source.variant,
            device=device, **given,
        )  # fmt: skip
    model.source = resolved(source, folder)
    return model


def resolved(source: Source, folder: Path) -> Source:
    """A source with the commit of the repository that `folder` holds."""
    commit = folder_commit(source.place, folder)
    return source if commit is None else source._replace(commit=commit)


def folder_of(source: Source) -> Path:
    """The folder that a source stands for; a repository is downloaded if it has to be."""
    return located(source.place, source.commit, source.variant, False)


def entry(model: Model[Any], name: str) -> Entry:
    """What differs between a model and its source. Errors: `Elsewhere`, of weights or networks."""
    source = _with_classes(model)
    theirs, folder = fetch(source), folder_of(source)
    shape = None
    if model.shape != theirs.shape and not (folder / digest.OWN).is_file():
        shape, theirs = model.shape, fetch(source, shape=model.shape)
    if not _same_weights(model, theirs):
        raise Elsewhere(
            f"{name}: its weights are not (any more) those of {source.place}, where it was read. "
            "Save it as a folder with model.save(folder); or save the pipeline with weights=True, "
            "which does so beside it."
        )
    changed = {key: getattr(model, key) for key in MODULES if _changed(model, theirs, key)}
    changed |= {
        key: getattr(model, key) for key in SETTINGS if getattr(model, key) != getattr(theirs, key)
    }
    if "net" in changed and told(theirs.net, model.schedule, model.net) is not None:
        changed = {TIMESTEP if k == "net" else k: v for k, v in changed.items()}
        changed[TIMESTEP] = model.net.timestep
    for key in ("net", "data"):
        if key in changed and (key == "net" or model.data.modules()):
            raise Elsewhere(
                f"{name}: its {key} is another than that of {source.place}. Save the pipeline with "
                "weights=True."
            )
    return Entry(source, digest.of_weights(folder, source.variant), shape, changed)


def told(base: Any, schedule: Schedule, other: Any) -> Any:
    """A folder's denoiser that is told the times of `other`, if nothing else parts them, or None.

    Args:
        other: a denoiser, or a `Timestep`.
    """
    timestep = other.timestep if isinstance(other, Denoiser) else other
    if not isinstance(base, Denoiser) or not isinstance(timestep, Timestep):
        return None
    made = remade(base, schedule, timestep=timestep)
    alike = other is timestep or describe(made, {}, "net") == describe(other, {}, "net")
    return made if alike else None


def _with_classes(model: Model[Any]) -> Source:
    """A model's source, with the classes of its own that reading it takes."""
    from ...check.component import own_classes

    found = {cls for key in MODULES for cls in own_classes(getattr(model, key))}
    source: Source = model.source
    return source._replace(custom=(*source.custom, *(found - {*source.custom})))


def _changed(model: Model[Any], theirs: Model[Any], key: str) -> bool:
    """Whether a module differs, as far as a file can tell."""
    ours, other = dict[str, Any](), dict[str, Any]()
    plain = describe(getattr(model, key), ours, key)
    if plain == describe(getattr(theirs, key), other, key) and same(ours, other):
        return False
    return key not in TRAINING or "missing" not in repr(plain)


def _same_weights(model: Model[Any], theirs: Model[Any]) -> bool:
    ours, other = _state(model), _state(theirs)
    exact = model.device.type == "cpu"
    if ours.keys() != other.keys() or (exact and precision(model.net) != precision(theirs.net)):
        return False
    return all(
        value.shape == other[key].shape
        and torch.equal(value, other[key].to(value.device, value.dtype))
        for key, value in ours.items()
    )


def _state(model: Model[Any]) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = {}
    for module, prefix in ((model.parts, "weight."), (model.average, "average.")):
        if module is not None:
            found |= {
                prefix + key: value
                for key, value in module.state_dict().items()
                if not key.startswith("loss.")
            }
    return found


def written(source: Source, own: str, folder: Path, key: str) -> dict[str, str]:
    """What a file of `folder` says of a source, its place under `key`; `own` is its hash."""
    plain = {key: written_place(source, folder)}
    plain |= {"revision": source.commit} if source.commit else {}
    plain |= {"variant": source.variant} if source.variant else {}
    plain |= {"dtype": str(source.dtype).removeprefix("torch.")} if source.dtype else {}
    return plain | {"hash": own}


def written_place(source: Source, folder: Path) -> str:
    """A source's place as written in a file of `folder`: relative where it can be."""
    if not Path(source.place).is_absolute():
        return source.place
    try:
        path = Path(os.path.relpath(source.place, folder)).as_posix()
    except ValueError:  # another drive
        return source.place
    return path if path.startswith("..") else f"./{path}"


def read_place(written: str, folder: Path) -> str:
    """What `written_place` wrote: an absolute path, or the name of a repository."""
    path = Path(written).expanduser()
    local = path.is_absolute() or written.startswith(".") or (folder / path).exists()
    return str((folder / path).resolve()) if local else written

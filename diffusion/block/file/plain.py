"""Blocks and modules as plain data; see `read` for the way back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

from torch import nn

from ...base import Data
from ...component import Component, arguments, signature
from ...errors import InputError
from ...folder.config import Tensors, describe
from ...folder.registry import name_of
from ...folder.typed import hints
from ...model import Model
from .beside import save
from .entry import Elsewhere, entry, written
from .network import apart, of_weights, read_from

MARKS = ("model", "tensor", "missing", "map")
"""Keys by which a map of one item stands for something else."""


class Plain:
    """Makes plain data of blocks, and collects the models and tensors in them.

    Args:
        folder: of the file that is to be written. weights: whether models that were read from
            nowhere are to be written beside it, into `beside`.
    """

    def __init__(self, folder: Path, beside: Path, weights: bool) -> None:
        self.folder, self.beside, self.weights = folder, beside, weights
        self.models: dict[str, dict[str, Any]] = {}
        self.tensors: Tensors = {}
        self._names: dict[int, str] = {}
        self._kept: list[Any] = []

    def value(self, value: Any, path: str, hint: Any = Any) -> Any:
        """Plain data for one value. `path` is where it stands, for errors and names."""
        if isinstance(value, Model):
            name = self._model(value, path)
            return name if names_model(hint) else {"model": name}
        if isinstance(value, nn.Module) and any(True for _ in value.parameters()):
            return {"model": self._network(value, path)}
        if isinstance(value, Component):
            return self._component(value, path)
        if isinstance(value, (list, tuple)):
            return [self.value(item, f"{path}[{i}]") for i, item in enumerate(value)]
        if isinstance(value, Mapping):
            return self._map(value, path)
        plain = describe(value, self.tensors, path)
        if isinstance(plain, dict) and set(plain) == {"missing"}:
            raise InputError(
                f"{path}: a {plain['missing']} can't be written to a file. Make it a Block or a "
                "component, a class with fields; or replace it before saving."
            )
        return plain

    def _map(self, value: Mapping[Any, Any], path: str) -> dict[str, Any]:
        for key in value:
            if not isinstance(key, str):
                raise InputError(f"{path}: the keys of maps in a file are words; got {key!r}.")
        plain = {key: self.value(item, f"{path}.{key}") for key, item in value.items()}
        plainly = "id" not in plain and not (len(plain) == 1 and next(iter(plain)) in MARKS)
        return plain if plainly else {"map": plain}

    def _component(self, value: Component, path: str) -> dict[str, Any]:
        cls, name = type(value), name_of(type(value))
        own, hint, free = everything(value), hints(cls), named_freely(cls)
        if isinstance(value, Data):
            own = {key: item for key, item in own.items() if key not in ("w", "y")}
        clash = {"id", "version"} & own.keys()
        if clash:
            raise InputError(f"{path}: {cls.__name__} has an argument {clash.pop()!r}, which in a "
                             "file is the module's own. Rename it.")  # fmt: skip
        plain = {
            key: self.value(item, path if key in free else f"{path}.{key}", hint.get(key, Any))
            for key, item in own.items()
        }
        return {"id": name, "version": cls.version, **plain}

    def _model(self, model: Model[Any], path: str) -> str:
        if id(model) in self._names:
            return self._names[id(model)]
        own, controls, scales = apart(model)
        if own.source is None:
            own.source = self._shared(own)
        if own.source is None and not self.weights:
            raise InputError(
                f"{path}: this model was built here, and its weights are in no folder. Save it "
                "with model.save(folder); or save the pipeline with weights=True, which does so "
                "beside it."
            )
        if own.source is None:
            name = self._named(model, "model")
            save(own, self.beside / name, path)
        else:
            name = self._named(model, Path(own.source.place).name)
        plain = self._entry(own, name, path)
        told = {
            key: {"network": self._network(one, f"{path}.net.network.{key}"), "scale": scales[key]}
            for key, one in controls.items()
        }
        self.models[name] = plain | ({"controls": told} if told else {})
        model.source = own.source
        self._kept.append(own)
        return name

    def _shared(self, model: Model[Any]) -> Any:
        """Where another model of the same networks was read from or written to."""
        own = _inner(model)
        same = (m for m in self._kept if isinstance(m, Model) and _inner(m) is own)
        return next((other.source for other in same), None)

    def _entry(self, model: Model[Any], name: str, path: str) -> dict[str, Any]:
        try:
            found = entry(model, path)
        except Elsewhere:
            if not self.weights:
                raise
            save(model, self.beside / name, path)
            found = entry(model, path)
        plain: dict[str, Any] = {**written(found.source, found.hash, self.folder, "load")}
        plain |= {"shape": list(found.shape)} if found.shape else {}
        changed = {k: self.value(v, f"{path}.{k}") for k, v in found.modules.items()}
        return plain | ({"modules": changed} if changed else {})

    def _network(self, network: nn.Module, path: str) -> str:
        """A network: where it was read, or its arguments here and its weights among the tensors."""
        if id(network) in self._names:
            return self._names[id(network)]
        if not isinstance(network, Component):
            raise InputError(
                f"{path}: {type(network).__name__} is a torch module that a file can't describe; "
                "derive it from diffusion.base.Net, or make it a component."
            )
        source = read_from(network)
        if source is not None:
            name = self._named(network, Path(source.place).name)
            self.models[name] = written(source, of_weights(source), self.folder, "network")
            return name
        if not self.weights:
            raise InputError(
                f"{path}: the weights of this {type(network).__name__} are in no folder; save the "
                "pipeline with weights=True, which writes them beside it."
            )
        name = self._named(network, type(network).__name__.lower())
        self.models[name] = self._component(network, path)
        self.tensors |= {f"{name}/{key}": item for key, item in network.state_dict().items()}
        return name

    def _named(self, value: Any, wanted: str) -> str:
        name = base = re.sub(r"\W+", "_", wanted).strip("_") or "model"
        count = 2
        while name in self._names.values():
            name, count = f"{base}{count}", count + 1
        self._names[id(value)] = name
        self._kept.append(value)
        return name


def _inner(model: Model[Any]) -> Any:
    """The network itself, which several denoisers may share."""
    return getattr(model.net, "network", model.net)


def everything(value: Component) -> dict[str, Any]:
    """A component's arguments; those of any name as one map, by their parameter's name."""
    own, known = arguments(value), signature(type(value)).parameters
    given: dict[str, Any] = value.__dict__.get("_arguments", {})
    rest = {key: item for key, item in given.items() if key not in known}
    return {**own, **dict.fromkeys(named_freely(type(value)), rest)}


def named_freely(cls: type) -> list[str]:
    """The parameter of a constructor that takes arguments of any name, if it has one."""
    known = signature(cls).parameters.values()
    return [one.name for one in known if one.kind is one.VAR_KEYWORD]


def names_model(hint: Any) -> bool:
    """Whether a string for this type is a model's name."""
    options = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    origins = [get_origin(one) or one for one in options]
    return Model in origins and str not in origins

"""Components to plain data and back.

A component is a map with `id`, `version` and its arguments. Tensors among the arguments are moved
to a tensor file and leave `{tensor: key}`; Python functions can't be written and leave
`{missing: ...}`, so that loading asks for them where they are needed.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..base import Data
from ..component import Component, arguments, signature
from ..errors import FileError, suggest
from .registry import PLAIN, find, name_of
from .typed import typed

Tensors = dict[str, Tensor]


def describe(value: Any, tensors: Tensors, path: str = "") -> Any:
    """Plain data for `value`; tensors are put into `tensors` under their path."""
    if isinstance(value, nn.Module) and path.startswith("guidance.") and [*value.parameters()]:
        return {"missing": type(value).__name__}  # a guidance's own network: its weights stay out
    if isinstance(value, Component):
        own = arguments(value)
        if isinstance(value, Data):
            own = {k: v for k, v in own.items() if k not in ("w", "y")}
        plain = {k: describe(v, tensors, f"{path}.{k}" if path else k) for k, v in own.items()}
        return {"id": name_of(type(value)), "version": type(value).version, **plain}
    if isinstance(value, nn.Module):
        return _plain_module(value)
    if isinstance(value, (Tensor, np.ndarray)):
        tensors[path] = torch.as_tensor(value).detach().cpu().contiguous()
        return {"tensor": path}
    if isinstance(value, (list, tuple)):
        return [describe(item, tensors, f"{path}.{i}") for i, item in enumerate(value)]
    if isinstance(value, dict):
        return {str(k): describe(item, tensors, f"{path}.{k}") for k, item in value.items()}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return {"missing": type(value).__name__}


def _plain_module(module: nn.Module) -> Any:
    for name, (cls, names) in PLAIN.items():
        if type(module) is cls:
            return {"id": name, **{key: getattr(module, key) for key in names}}
    return {"missing": type(module).__name__}


def build(plain: Any, tensors: Tensors, where: str, custom: Iterable[type] = ()) -> Any:
    """The value that `describe` wrote. Errors name the place in the file and the fix."""
    if isinstance(plain, list):
        return tuple(build(item, tensors, f"{where}[{i}]", custom) for i, item in enumerate(plain))
    if not isinstance(plain, dict):
        return plain
    if set(plain) == {"tensor"}:
        if plain["tensor"] not in tensors:
            raise FileError(f"{where}: the tensor {plain['tensor']!r} is not in the weights file.")
        return tensors[plain["tensor"]]
    if set(plain) == {"missing"}:
        raise FileError(
            f"{where} is a {plain['missing']}, which a file can't hold; give the module again: "
            f"Model.load(folder, {where.split('.')[0]}=...)."
        )
    if "id" not in plain:
        return {key: build(item, tensors, f"{where}.{key}", custom) for key, item in plain.items()}
    return _component(dict(plain), tensors, where, custom)


def _component(plain: dict[str, Any], tensors: Tensors, where: str, custom: Iterable[type]) -> Any:
    name, version = plain.pop("id"), plain.pop("version", 1)
    if not isinstance(name, str):
        raise FileError(f"{where}.id: expected a name such as schedule.Linear; got {name!r}.")
    if name in PLAIN:
        plain_cls, names = PLAIN[name]
        return plain_cls(**{key: plain[key] for key in names if key in plain})
    cls: Any = find(name, custom, where)
    if not isinstance(version, int):
        raise FileError(f"{where}.version: expected an integer; got {version!r}.")
    if version != cls.version:
        plain = cls.migrate(plain, version)
    known = signature(cls).parameters
    free = any(p.kind is p.VAR_KEYWORD for p in known.values())
    for key in plain:
        if key not in known and not free:
            raise FileError(
                f"{where}: {name} has no argument {key!r}; it takes {', '.join(known)}."
                f"{suggest(key, known)}"
            )
    built = {key: build(item, tensors, f"{where}.{key}", custom) for key, item in plain.items()}
    variadic = [k for k, p in known.items() if p.kind is p.VAR_POSITIONAL]
    extra = built.pop(variadic[0], ()) if variadic else ()
    if extra:
        return cls(*(built.pop(k) for k in list(known) if k in built and k not in variadic), *extra)
    checked = {key: typed(cls, key, value, f"{where}.{key}") for key, value in built.items()}
    try:
        return cls(**checked)
    except TypeError as error:
        raise FileError(f"{where}: {error}") from error

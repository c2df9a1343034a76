"""What every component promises: it is its own config, prints, compares, copies and travels."""

import copy
from collections.abc import Iterator
from multiprocessing.reduction import ForkingPickler
from typing import Any

import torch
from torch import Tensor, nn

from ..base import Data
from ..component import Component, arguments, same
from ..folder import text
from ..folder.config import build, describe
from ..folder.registry import name_of
from .exam import Exam, Verdict, exam, skip

PICKLER: Any = ForkingPickler
"""How objects reach worker processes. It reads back here only what it has just written."""


def own_classes(value: Any) -> Iterator[type]:
    """The component classes in a value that are not of the library."""
    if isinstance(value, Component):
        if name_of(type(value)).startswith("custom."):
            yield type(value)
        value = list(arguments(value).values())
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from own_classes(item)


def alike(a: Any, b: Any) -> bool:
    """Equality of arguments, where lists equal tuples and torch modules equal their like."""
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(alike(i, j) for i, j in zip(a, b, strict=True))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(alike(a[key], b[key]) for key in a)
    if isinstance(a, Component) and isinstance(b, Component):
        return type(a) is type(b) and alike(_config(a), _config(b))
    if isinstance(a, nn.Module) and isinstance(b, nn.Module):
        return type(a) is type(b) and repr(a) == repr(b)
    if isinstance(a, Tensor) and isinstance(b, Tensor) and a.is_floating_point():
        # A constructor that normalises may move the last digit.
        return a.shape == b.shape and a.dtype == b.dtype and torch.allclose(a, b, 1e-12, 0.0)
    return same(a, b)


def _config(module: Any) -> dict[str, Any]:
    """The constructor arguments, without a data set."""
    found = arguments(module)
    return {k: v for k, v in found.items() if not (isinstance(module, Data) and k in ("w", "y"))}


def _modules(value: Any) -> Iterator[nn.Module]:
    """The networks in a value."""
    if isinstance(value, nn.Module):
        yield value
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from _modules(item)


def missing(plain: Any, path: str = "") -> str:
    """Where plain data stand for something that no file can hold, and what it was."""
    if isinstance(plain, dict):
        if set(plain) == {"missing"}:
            return f"{path} is a {plain['missing']}, which no file holds; loading asks for it"
        found = [missing(v, f"{path}.{k}" if path else str(k)) for k, v in plain.items()]
    elif isinstance(plain, list):
        found = [missing(item, f"{path}[{i}]") for i, item in enumerate(plain)]
    else:
        return ""
    return next((place for place in found if place), "")


@exam(
    "config round trip",
    "A module written to YAML and read back must equal itself.",
    "Keep constructor arguments as they were given; put what is derived into other attributes.",
)
def config(module: Any) -> Verdict:
    tensors: dict[str, Any] = {}
    plain = describe(module, tensors)
    if place := missing(plain):
        return skip(place)
    written = text.parse(text.write(plain), "check")
    back = build(written, tensors, type(module).__name__, set(own_classes(module)))
    ours, theirs = _config(module), _config(back)
    for key, value in ours.items():
        if not alike(value, theirs.get(key)):
            return False, f"{key}: {str(value)[:40]} came back as {str(theirs.get(key))[:40]}"
    return True, f"{len(ours)} arguments"


@exam(
    "repr",
    "repr(module) must name the class.",
    "Remove the class's own __repr__, or repair it.",
)
def representation(module: Any) -> Verdict:
    shown = repr(module)
    own = getattr(type(module), "__repr__", None) is not Component.__repr__
    named = type(module).__name__ in shown or (own and bool(shown))
    return named, shown if len(shown) <= 60 else f"{shown[:57]}..."


@exam(
    "equality",
    "A module equals one made from the same arguments, and no other thing.",
    "Remove the class's own __eq__, or compare the constructor arguments in it.",
)
def equality(module: Any) -> Verdict:
    if place := missing(describe(module, {})):
        return skip(place)
    decorated = getattr(type(module), "__dataclass_params__", None)
    if decorated is not None and decorated.eq and _holds_tensors(module):
        return skip("@dataclass compares tensors by ==; leave it out, or write eq=False")
    if any(not isinstance(one, Component) for one in _modules(_config(module))):
        return skip("holds a torch module, which equals itself only")
    other = copy.deepcopy(module)
    return same(module, other) and not same(module, object()), "with its copy, with an object"


def _holds_tensors(module: Any) -> bool:
    return any(isinstance(value, Tensor) for value in _config(module).values())


@exam(
    "deep copy",
    "copy.deepcopy must give a module with the same arguments.",
    "Hold no locks, files or generators in attributes, or write __deepcopy__.",
)
def deep_copy(module: Any) -> Verdict:
    other = copy.deepcopy(module)
    return alike(_config(module), _config(other)), f"{len(arguments(other))} arguments"


@exam(
    "pickling",
    "A module must pickle, or it can't be sent to a worker process.",
    "Define the class at the top level of a file, and hold no locks, files or lambdas.",
)
def pickling(module: Any) -> Verdict:
    for cls in {type(module), *own_classes(module)}:
        if "<locals>" in cls.__qualname__:
            return skip(f"{cls.__name__} is defined inside a function")
    if place := missing(describe(module, {})):
        return skip(place)
    sent = module.vary(w=None, y=None) if isinstance(module, Data) else module
    back = PICKLER.loads(PICKLER.dumps(sent))
    return alike(_config(module), _config(back)), f"{len(arguments(back))} arguments"


@exam(
    "vary",
    "module.vary() must give a copy with the same arguments.",
    "Keep every constructor argument in an attribute of the same name.",
)
def vary(module: Any) -> Verdict:
    return alike(_config(module), _config(module.vary())), f"{len(arguments(module))} arguments"


EXAMS: tuple[Exam, ...] = (config, representation, equality, deep_copy, pickling, vary)

"""A configuration: modules, settings, a source of data, and how long to train.

    source: digits
    data: {Images: {batch: 64, shuffle: true, levels: 17}}
    schedule: Flow
    noise: {Gaussian: {parameter: velocity}}
    net: {UNet: {channels: [1, 32, 64], labels: 10}}
    loss: Simple
    ema: 0.995                # or {Profile: {widths: [0.05, 0.1]}}
    train: {epochs: 40, folder: runs/digits}

Nothing in it is ignored: an unknown key, or a value of a wrong type, is an error with its line.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .. import rng
from ..errors import DiffusionError, FileError, suggest
from ..fit import MODULES
from ..folder import lines
from ..folder.lines import Node
from ..model import Model
from ..train.profile import Profile
from .parts import Checked, Part, Reader, blamed, build

KINDS = {name: "train" if name == "optimizer" else name for name in MODULES}
SETTINGS: dict[str, Any] = {
    "ema": float | None, "clip": float | None, "seed": int, "device": str,
}  # fmt: skip
"""`ema` may be a module too, train.Profile."""
TRAIN: dict[str, Any] = {"epochs": int, "folder": str, "every": float}
SOURCE: dict[str, Any] = {"path": str, "size": int, "length": int}
SAVED = ("format", "shape", "dtype", "trained")
"""Keys of a saved model's `model.yaml` that say what it is, not how to make it."""


class Recipe:
    """A configuration that has been read and checked; `set` changes it, `model` makes it."""

    def __init__(self, path: str | Path, custom: Iterable[type] = ()) -> None:
        self.path = Path(path)
        self.reader = Reader(custom)
        self.modules: dict[str, Part | None] = {}
        self.settings: dict[str, Checked | Part] = {}
        self.train: dict[str, Checked] = {}
        self.source: dict[str, Checked] = {}
        for key, node in lines.read(self.path).items():
            self._top(key, node)

    def _top(self, key: str, node: Node) -> None:
        """One key of the file."""
        if key in KINDS:
            empty = node.value is None
            self.modules[key] = None if empty else self.reader.module(node, KINDS[key])
        elif key == "ema" and isinstance(node.value, (str, dict)):
            self.settings[key] = self._profile(node)
        elif key in SETTINGS:
            self.settings[key] = setting(node, SETTINGS[key], key)
        elif key == "train":
            self.train = section(node, TRAIN, "train")
        elif key == "source":
            short = not isinstance(node.value, dict)
            whole = Node({"path": node}, node.place) if short else node
            self.source = section(whole, SOURCE, "source")
        else:
            known = (*KINDS, *SETTINGS, "source", "train")
            told = " It describes a saved model; remove it." if key in SAVED else ""
            raise FileError(
                f"{node.place}: unknown key {key!r}; there are {', '.join(known)}."
                f"{told or suggest(key, known)}"
            )

    def _profile(self, node: Node) -> Part:
        """Averages whose width is chosen after training, in place of a decay."""
        part = self.reader.module(node, "train")
        if not issubclass(part.cls, Profile):
            raise FileError(
                f"{node.place}: ema: expected a decay, or train.Profile; got {part.name}."
            )
        return part

    def set(self, assignment: str) -> None:
        """Change one value, as in `net.channels=[1, 32, 64]`; the value is YAML."""
        path, equals, value = assignment.partition("=")
        where = f"--set {path}"
        if not equals or not path:
            raise FileError(f"--set {assignment}: expected path=value, such as noise.parameter=x.")
        node = lines.parse(value, where, numbered=False)
        first, *rest = path.split(".")
        if not rest:
            self._top(first, node)
            return
        if first in ("train", "source"):
            kinds = TRAIN if first == "train" else SOURCE
            if len(rest) > 1:
                _unknown(where, ".".join(rest[1:]), [])
            own = self.train if first == "train" else self.source
            own.update(section(Node({rest[0]: node}, where), kinds, first))
            return
        if first not in KINDS and first != "ema":
            _unknown(where, first, [*KINDS, "ema", "train", "source"])
        part = self.settings.get("ema") if first == "ema" else self.modules.get(first)
        if not isinstance(part, Part):
            raise FileError(
                f"{where}: {self.path} has no module {first}; set it whole, as in "
                f"--set '{first}={{Name: {{{rest[-1]}: {value}}}}}'."
            )
        self._inside(part, rest, node, where)

    def _inside(self, target: Any, path: list[str], node: Node, where: str) -> None:
        """Walk down a path and set its last step."""
        name, *rest = path
        if isinstance(target, Part):
            if name == target.cls.__name__ and rest:  # the short form may be spelt out
                self._inside(target, rest, node, where)
            elif not rest:
                self.reader.assign(target, name, node)
            elif name in target.arguments:
                self._inside(target.arguments[name], rest, node, where)
            else:
                _unknown(where, name, list(target.arguments))
            return
        steps = _steps(target)
        if name not in steps:
            _unknown(where, name, list(steps))
        if rest:
            self._inside(steps[name], rest, node, where)
            return
        key: Any = int(name) if isinstance(target, list) else name
        kind = next((p.kind for p in steps.values() if isinstance(p, Part)), "")
        target[key] = self.reader.module(node, kind) if kind else node

    def model(self) -> Model[Any]:
        """The model, its first weights a function of the seed, like everything after them."""
        made: dict[str, Any] = {}
        values = {key: build(found, self.reader.custom) for key, found in self.settings.items()}
        with rng.scope(rng.fold(values.get("seed", 0), "weights")):
            for name in MODULES:
                part = self.modules.get(name)
                made[name] = None if part is None else build(part, self.reader.custom)
        for name in ("data", "schedule", "noise", "net"):
            if made.get(name) is None:
                raise FileError(f"{self.path}: the key {name!r} is missing.")
        try:
            return Model(**made, **values)
        except DiffusionError as error:
            raise type(error)(f"{self._place(str(error))}: {error}") from error

    def _place(self, message: str) -> str:
        """Where in the file a message points: the first module that it names."""
        for name, part in self.modules.items():
            if part is not None and message.lower().startswith((name, part.cls.__name__.lower())):
                return blamed(part, message)
        for name, found in self.settings.items():
            if message.startswith(f"Model.{name}"):
                return found.place
        return str(self.path)


def section(node: Node, kinds: dict[str, Any], name: str) -> dict[str, Checked]:
    """A map of plain settings, each of its type."""
    if node.value is None:
        return {}
    if not isinstance(node.value, dict):
        raise FileError(
            f"{node.place}: {name}: expected a map with {', '.join(kinds)}; got {node}."
        )
    found = {}
    for key, item in node.value.items():
        if key not in kinds:
            raise FileError(
                f"{item.place}: {name} has no setting {key!r}; it has {', '.join(kinds)}."
                f"{suggest(key, kinds)}"
            )
        found[key] = setting(item, kinds[key], f"{name}.{key}")
    return found


def setting(node: Node, kind: Any, name: str) -> Checked:
    """A plain value of a type."""
    from pydantic import TypeAdapter, ValidationError

    try:
        return Checked(TypeAdapter(kind).validate_python(node.plain()), node)
    except ValidationError as error:
        said = error.errors()[0]["msg"]
        raise FileError(f"{node.place}: {name}: {said}; got {node}.") from None


def _steps(target: Any) -> dict[str, Any]:
    """What a path may name next inside a list or map."""
    if isinstance(target, list):
        return {str(i): item for i, item in enumerate(target)}
    return target if isinstance(target, dict) else {}


def _unknown(where: str, name: str, options: list[str]) -> None:
    there = f"there is {', '.join(options)}" if options else "there is nothing inside"
    raise FileError(f"{where}: no {name!r} here; {there}.{suggest(name, options)}")

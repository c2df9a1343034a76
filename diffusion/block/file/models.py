"""The models and tensors of a pipeline's file, each read when it is first named, and once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ...errors import DiffusionError, FileError, suggest
from ...fit import MODULES
from ...folder import tensors
from ...folder.lines import Node
from ...folder.source import Source
from ..task.control import controlled
from . import digest, network
from .entry import SETTINGS, TIMESTEP, fetch, folder_of, read_place, told

if TYPE_CHECKING:
    from .build import Builder
    from .lock import Pins

KEYS = ("load", "revision", "variant", "dtype", "hash", "shape", "modules", "controls")
NETWORK = ("network", *KEYS[1:5])
"""Keys of a model, and of a network that was read from a folder of its own."""


class Models:
    """What stands under `models` and `tensors` in a file."""

    builder: Builder

    def __init__(
        self, path: Path, tree: Mapping[str, Node], custom: tuple[type, ...], device: Any,
        pins: Pins | None,
    ) -> None:  # fmt: skip
        self.path, self.custom, self.device, self.pins = path, custom, device, pins
        self.entries = _entries(tree.get("models"), "models")
        self.stored = _entries(tree.get("tensors"), "tensors")
        for key, node in self.stored.items():
            _expect(key in ("file", "hash"), node, f"tensors has no key {key!r}; it has file, hash")
        self.made: dict[str, Any] = {}
        self.bases: dict[Any, Any] = {}
        self._tensors: dict[str, Tensor] | None = None

    def get(self, name: str, place: str) -> Any:
        """The model, or the network, of a name."""
        if name not in self.made:
            if name not in self.entries:
                raise FileError(
                    f"{place}: there is no model {name!r}; there are "
                    f"{', '.join(self.entries) or 'none'}.{suggest(name, self.entries)}"
                )
            entry = self.entries[name]
            if not isinstance(entry.value, dict):
                raise FileError(
                    f"{entry.place}: {name}: expected {{load: folder or owner/name}}; got {entry}."
                )
            keys = {"id": self._network, "network": self._read}
            read = next((one for key, one in keys.items() if key in entry.value), self._model)
            self.made[name] = read(name, entry.value, entry.place)
        return self.made[name]

    def tensor(self, name: str, place: str) -> Tensor:
        """A tensor of the file beside."""
        found = self._all().get(name)
        if found is None:
            raise FileError(f"{place}: the tensor {name!r} is not in {self._file()}.")
        return found.to(self.device)

    def source(self, name: str, nodes: Mapping[str, Node], place: str) -> Source:
        """Where a model, or a network, of the file is read from."""
        known = NETWORK if NETWORK[0] in nodes else KEYS
        for key, node in nodes.items():
            near = f"{name} has no key {key!r}; it has {', '.join(known)}.{suggest(key, known)}"
            _expect(key in known, node, near)
        if known[0] not in nodes:
            raise FileError(f"{place}: {name}: the key 'load' is missing: a folder, or owner/name.")
        text = {key: _text(nodes[key], key) for key in known[:5] if key in nodes}
        dtype = getattr(torch, text.get("dtype", ""), None)
        if "dtype" in text and not isinstance(dtype, torch.dtype):
            _expect(False, nodes["dtype"], f"dtype: expected a name such as float16, got {text}")
        where = read_place(text[known[0]], self.path.parent)
        return Source(where, text.get("revision"), text.get("variant"), dtype, self.custom)

    def sources(self) -> dict[str, Source]:
        """Where every model and network that has been read is read from."""
        return {
            name: self.source(name, node.value, node.place)
            for name, node in self.entries.items()
            if name in self.made and isinstance(node.value, dict) and "id" not in node.value
        }

    def _model(self, name: str, nodes: Mapping[str, Node], place: str) -> Any:
        source = self.source(name, nodes, place)
        if self.pins is not None:
            source = self.pins.source(name, source)
        shape = nodes["shape"].plain() if "shape" in nodes else None
        key = (source, repr(shape))
        try:
            if key not in self.bases:
                self._same(name, nodes, source)
                sides = None if shape is None else tuple(shape)
                self.bases[key] = fetch(source, self.device, sides)
            changes = self._changes(name, nodes)
            if TIMESTEP in changes:
                base, timestep = self.bases[key], changes.pop(TIMESTEP)
                changes["net"] = told(base.net, changes.get("schedule", base.schedule), timestep)
                if changes["net"] is None:
                    raise FileError(f"{TIMESTEP}: the model is no folder of Diffusers")
            found = self.bases[key].replace(**changes) if changes else self.bases[key]
            return self._controlled(found, nodes.get("controls"))
        except (DiffusionError, TypeError) as error:
            said = str(error).replace("Model.load(folder,", "Pipeline.load(path,")
            raise FileError(said if place in said else f"{place}: {name}: {said}") from error

    def _same(self, name: str, nodes: Mapping[str, Node], source: Source) -> None:
        """Raise if the weights are others than when the file was written."""
        folder = folder_of(source)
        if self.pins is not None:
            self.pins.model(name, folder, source.variant)
        if "hash" not in nodes:
            return
        found, wanted = digest.of_weights(folder, source.variant), nodes["hash"]
        other = (
            f"{name}: the weights in {folder} are not those that this file was written with (their "
            f"SHA-256 is {found[:12]}..., expected {wanted.plain()!s:.12}...). If they are meant, "
            "remove the key 'hash'"
        )
        _expect(found == wanted.value, wanted, other)

    def _changes(self, name: str, nodes: Mapping[str, Node]) -> dict[str, Any]:
        allowed = [key for key in (*MODULES, *SETTINGS, TIMESTEP) if key != "net"]
        found = {}
        for key, node in _entries(nodes.get("modules"), f"{name}.modules").items():
            near = f"{name}.modules: no {key!r}; there are {', '.join(allowed)}."
            _expect(key in allowed, node, near + suggest(key, allowed))
            found[key] = self.builder.value(node)
        return found

    def _controlled(self, model: Any, node: Node | None) -> Any:
        """A model with the control networks that its entry names."""
        networks, scales = dict[str, Any](), dict[str, Any]()
        for name, one in _entries(node, "controls").items():
            own = _entries(one, f"controls.{name}")
            for key in ("network", "scale"):
                _expect(key in own, one, f"controls.{name}: the key {key!r} is missing")
            for key, item in own.items():
                near = f"controls.{name} has no key {key!r}; it has network, scale"
                _expect(key in ("network", "scale"), item, near)
            networks[name] = self.get(_text(own["network"], "network"), own["network"].place)
            scales[name] = own["scale"].value
        return controlled(model, networks, scales) if networks else model

    def _read(self, name: str, nodes: Mapping[str, Node], place: str) -> nn.Module:
        """A network of a folder of its own."""
        source = self.source(name, nodes, place)
        if self.pins is not None:
            source = self.pins.source(name, source)
        try:
            self._same(name, nodes, source)
            made: nn.Module = network.fetch(source, self.device)
        except DiffusionError as error:
            said = str(error)
            raise FileError(said if place in said else f"{place}: {name}: {said}") from error
        return made

    def _network(self, name: str, nodes: Mapping[str, Node], place: str) -> nn.Module:
        """A block's own network, which the file describes; its weights are among the tensors."""
        made = self.builder.value(Node(dict(nodes), place))
        if not isinstance(made, nn.Module):
            raise FileError(f"{place}: {name}: expected a model or a network; got {made!r:.100}.")
        own = {
            key.removeprefix(f"{name}/"): value
            for key, value in self._all().items()
            if key.startswith(f"{name}/")
        }
        tensors.assign(made, own, f"{place}: {name}")
        return made.to(self.device)

    def _all(self) -> dict[str, Tensor]:
        if self._tensors is None:
            path = self._file()
            self._tensors = tensors.read(path)
            if "hash" in self.stored and digest.of_file(path) != self.stored["hash"].value:
                node = self.stored["hash"]
                _expect(False, node, f"{path} is not the file that this was written with")
        return self._tensors

    def _file(self) -> Path:
        node = self.stored.get("file")
        if node is None:
            raise FileError(f"{self.path}: a tensor is named, and no file: tensors: {{file: ...}}.")
        name = _text(node, "file")
        _expect(Path(name).name == name and "\\" not in name, node, f"{name!r} is no plain name")
        return self.path.parent / name


def _entries(node: Node | None, name: str) -> dict[str, Node]:
    if node is None or node.value is None:
        return {}
    if not isinstance(node.value, dict):
        raise FileError(f"{node.place}: {name}: expected a map; got {node}.")
    return node.value


def _text(node: Node, key: str) -> str:
    if not isinstance(node.value, str) or not node.value:
        raise FileError(f"{node.place}: {key}: expected text; got {node}.")
    return node.value


def _expect(holds: bool, node: Node, otherwise: str) -> None:
    if not holds:
        raise FileError(f"{node.place}: {otherwise}.")

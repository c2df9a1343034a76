"""Models, and the user's own classes, by what the command line names."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

from ..component import Component
from ..errors import FileError, InputError, suggest
from ..model import Model
from ..train.checkpoint import latest
from .words import note


def load(folder: Path, custom: list[str]) -> Model[Any]:
    """The model in a folder: saved, a checkpoint, the last one of a run, or one of Diffusers'."""
    found = place(folder)
    if found != folder:
        note(f"using {found}")
    if foreign(found):
        from ..hub import load as pretrained

        return pretrained(found, progress=sys.stderr.isatty())
    try:
        return Model.load(found, custom=classes(custom))
    except FileError as error:
        if "custom=[" not in str(error):
            raise
        raise FileError(f"{error} Here: --custom path/to/file.py:Class.") from error


def foreign(folder: Path) -> bool:
    """Whether a folder is in the format of Diffusers, or the name of a repository."""
    if folder.is_dir():
        own = (folder / "model.yaml").is_file()
        return not own and any((folder / f).is_file() for f in ("model_index.json", "config.json"))
    return len(folder.parts) == 2 and not folder.exists() and not folder.suffix


def place(folder: Path) -> Path:
    """The folder with a model in it: this one, its `model`, or its newest checkpoint."""
    if not folder.exists() and not foreign(folder):
        raise FileError(
            f"{folder}: no such folder. Expected one that training or Model.save wrote, one in the "
            "format of Diffusers, or a repository of the hub, owner/name."
        )
    if (folder / "model.yaml").is_file() or not folder.is_dir() or foreign(folder):
        return folder
    if (folder / "model" / "model.yaml").is_file():
        return folder / "model"
    return latest(folder) or folder


def classes(targets: list[str]) -> list[type]:
    """The component classes that targets such as `file.py:Class` name."""
    found = []
    for target in targets:
        value = named(target)
        if not (isinstance(value, type) and issubclass(value, Component)):
            raise InputError(
                f"--custom {target}: expected a class derived from one of diffusion.base; got "
                f"{type(value).__name__}."
            )
        found.append(value)
    return found


def named(target: str) -> Any:
    """What `package.module:Name` or `path/to/file.py:Name` names; the code is imported."""
    source, colon, name = target.rpartition(":")
    if not colon or not source or not name.isidentifier():
        raise InputError(
            f"{target!r}: expected package.module:Name or path/to/file.py:Name, a class or an "
            "object of your own."
        )
    module = _file(Path(source)) if source.endswith(".py") else _module(source)
    if not hasattr(module, name):
        public = [one for one in vars(module) if not one.startswith("_")]
        raise InputError(f"{source}: there is no {name!r} in it.{suggest(name, public)}")
    return getattr(module, name)


def _module(name: str) -> Any:
    if "" not in sys.path:
        sys.path.insert(0, "")  # as `python -m` does: modules of the folder one is in
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise InputError(
            f"{name}: can't be imported ({error}). A file is named by its path: {name}.py:Name."
        ) from error


def _file(path: Path) -> Any:
    if not path.is_file():
        raise InputError(f"{path}: no such file.")
    name = path.stem
    known = sys.modules.get(name)
    if known is not None and getattr(known, "__file__", None) == str(path.resolve()):
        return known
    if known is not None or importlib.util.find_spec(name) is not None:
        name = f"{name}_{abs(hash(path.resolve())):x}"  # never in the place of another module
    spec = importlib.util.spec_from_file_location(name, path.resolve())
    if spec is None or spec.loader is None:
        raise InputError(f"{path}: not a Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, str(path.resolve().parent))
    try:
        spec.loader.exec_module(module)
    except Exception:
        del sys.modules[name]
        raise
    return module

"""Which files a component's folder holds: its config, and its weights by variant and shard."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import FileError, suggest

STEMS = ("diffusion_pytorch_model", "model")
"""Names of weights: Diffusers' own networks, and those of transformers."""
LIMIT = 8 << 20
PICKLED = (".bin", ".ckpt", ".pt", ".pth", ".msgpack", ".h5")


class Weights(NamedTuple):
    """The files that hold the tensors, and the file of each where an index lists them."""

    files: list[Path]
    places: dict[str, str]


def read_json(path: Path) -> dict[str, Any]:
    """A JSON file that holds a map, bounded in size."""
    try:
        if path.stat().st_size > LIMIT:
            raise FileError(f"{path}: {path.stat().st_size} bytes of JSON; the limit is {LIMIT}.")
        plain = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise FileError(f"{path}: no such file.") from None
    except OSError as error:
        raise FileError(f"{path}: can't be read ({error.strerror}).") from None
    except (ValueError, RecursionError) as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"{path}: not valid JSON: {error}") from None
    if not isinstance(plain, dict):
        raise FileError(f"{path}: expected a map, got {type(plain).__name__}.")
    return plain


def weights(folder: Path, variant: str | None = None) -> Weights:
    """The weights in a folder. `variant` is a part of the files' names, such as "fp16".

    Errors: none there; none of that variant, with those that are; only pickled ones; an index that
    names files elsewhere, or that are missing.
    """
    for stem in STEMS:
        for name in _indexes(stem, variant):
            if (folder / name).is_file():
                return _sharded(folder / name)
        whole = folder / f"{stem}{'.' + variant if variant else ''}.safetensors"
        if whole.is_file():
            return Weights([whole], {})
    raise FileError(f"{folder}: {_absent(folder, variant)}")


def variants(folder: Path) -> list[str]:
    """The variants that a folder has; "" is the plain one."""
    found = set()
    for path in folder.glob("*.safetensors*"):
        parts = path.name.split(".")
        if "index" in parts:
            rest = [p for p in parts[1:] if p not in ("safetensors", "index", "json")]
        else:
            rest = [p.split("-")[0] for p in parts[1:-1]]
        if parts[0].split("-")[0] in STEMS:
            found.add(rest[0] if rest else "")
    return sorted(found)


def _indexes(stem: str, variant: str | None) -> list[str]:
    if variant is None:
        return [f"{stem}.safetensors.index.json"]
    return [f"{stem}.safetensors.index.{variant}.json", f"{stem}.{variant}.safetensors.index.json"]


def _sharded(path: Path) -> Weights:
    """The shards that an index names: plain names of files beside it."""
    index = read_json(path).get("weight_map")
    if not isinstance(index, dict) or not index:
        raise FileError(f"{path}: expected a weight_map from tensors to files.")
    for name, shard in index.items():
        plain = isinstance(shard, str) and Path(shard).name == shard and "\\" not in shard
        if not plain or not shard.endswith(".safetensors"):
            raise FileError(
                f"{path}: {name!r} is said to be in {shard!r}; expected the name of a .safetensors "
                "file in this folder. Nothing was read."
            )
    files = [path.parent / shard for shard in sorted(set(index.values()))]
    missing = [one.name for one in files if not one.is_file()]
    if missing:
        raise FileError(
            f"{path}: {len(missing)} of {len(files)} shards are missing: {', '.join(missing[:5])}."
        )
    return Weights(files, index)


def _absent(folder: Path, variant: str | None) -> str:
    if not folder.is_dir():
        return "no such folder."
    there = variants(folder)
    named = [repr(one) if one else "none (variant=None)" for one in there]
    if named:
        asked = "weight file without a variant" if variant is None else f"variant {variant!r}"
        hint = suggest(variant, there) if variant else ""
        return f"there is no {asked}; there are: {', '.join(named)}.{hint}"
    pickled = [p.name for p in sorted(folder.iterdir()) if p.suffix in PICKLED]
    if pickled:
        return (
            f"its weights are {pickled[0]}, a format that can execute code when it is read. "
            "Convert it to safetensors first, where you trust it."
        )
    return f"no weights ({STEMS[0]}.safetensors, or an index of shards)."

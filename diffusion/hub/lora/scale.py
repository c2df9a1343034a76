"""alpha/r: how strong the author of a file meant it to be.

A tensor of the layer says alpha (kohya), or the file's metadata do (Diffusers), or a config beside
it (peft). Where nobody does, alpha is r.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ...errors import FileError
from ..files import read_json
from .keys import DENOISER, split

METADATA = "lora_adapter_metadata"
CONFIG = "adapter_config.json"


class Setting(NamedTuple):
    """What is said of a part's layers.

    Attributes:
        alpha: of all layers but those in `patterns`. rooted: s = alpha/√r, Kalajdzievski 2023.
    """

    alpha: float | None = None
    patterns: tuple[tuple[re.Pattern[str], float], ...] = ()
    rooted: bool = False

    def scale(self, layer: str, rank: int) -> float:
        """s of a layer."""
        own = (alpha for pattern, alpha in self.patterns if pattern.search(layer))
        alpha = next(own, self.alpha)
        if alpha is None:
            return 1.0
        return alpha / (math.sqrt(rank) if self.rooted else rank)


def settings(path: Path) -> dict[str, Setting]:
    """The settings that a file has, by part."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        raw = (file.metadata() or {}).get(METADATA)
    if raw is not None:
        return {part: _setting(said, f"{path}: {METADATA}") for part, said in _parts(raw, path)}
    config = path.parent / CONFIG
    if path.stem == "adapter_model" and config.is_file():
        said = read_json(config)
        if str(said.get("peft_type", "LORA")) != "LORA":
            raise FileError(f"{config}: peft_type {said['peft_type']!r}; only LORA is supported.")
        return {DENOISER: _setting(said, str(config))}
    return {}


def _parts(raw: str, path: Path) -> list[tuple[str, dict[str, Any]]]:
    """Settings that stand as {"unet.lora_alpha": 4, ...}, by part."""
    try:
        said = json.loads(raw)
        listed = [(*split(name), value) for name, value in said.items()]
    except (ValueError, AttributeError, RecursionError):
        raise FileError(f"{path}: its {METADATA} are not a map in JSON.") from None
    found: dict[str, dict[str, Any]] = {}
    for part, name, value in listed:
        found.setdefault(part, {})[name] = value
    return [*found.items()]


def _setting(said: Mapping[str, Any], where: str) -> Setting:
    alpha, patterns = said.get("lora_alpha"), said.get("alpha_pattern") or {}
    numbers = [] if alpha is None else [alpha]
    numbers += patterns.values() if isinstance(patterns, dict) else [patterns]
    if not all(isinstance(one, (int, float)) and math.isfinite(one) for one in numbers):
        raise FileError(f"{where}: expected numbers for lora_alpha and alpha_pattern.")
    listed = tuple((_pattern(name, where), float(value)) for name, value in patterns.items())
    return Setting(alpha, listed, bool(said.get("use_rslora")))


def _pattern(name: str, where: str) -> re.Pattern[str]:
    """Layers that end in a name, or with "^" are called so; other patterns are not run."""
    plain = name.removeprefix("^").replace("\\.", ".")
    if not re.fullmatch(r"[\w.]+", plain):
        raise FileError(
            f"{where}: alpha_pattern {name!r} is not supported; expected a layer's name."
        )
    start = "^" if name.startswith("^") else r"(?:^|\.)"
    return re.compile(f"{start}{re.escape(plain)}$")

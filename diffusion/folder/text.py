"""YAML that is data and nothing else: bounded in size, depth and count; no tags, no aliases."""

from pathlib import Path
from typing import Any

import yaml

from ..errors import FileError

LIMIT = 1 << 20
DEPTH = 32
COUNT = 50_000


def parse(text: str, where: str) -> Any:
    """Plain data from YAML text. Errors name file and line."""
    if len(text) > LIMIT:
        raise FileError(f"{where}: {len(text)} characters of YAML; the limit is {LIMIT}.")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    depth = count = 0
    try:
        for event in yaml.parse(text, Loader=loader):
            count += 1
            line = event.start_mark.line + 1 if event.start_mark else 0
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                raise FileError(f"{where}, line {line}: YAML anchors and aliases are not accepted.")
            tag = getattr(event, "tag", None)
            if tag:
                raise FileError(f"{where}, line {line}: the YAML tag {tag!r} is not accepted.")
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            if depth > DEPTH or count > COUNT:
                raise FileError(f"{where}, line {line}: nested deeper than {DEPTH}, or too long.")
        return yaml.load(text, Loader=loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"{where}: not valid YAML: {error}") from error


def read(path: Path) -> dict[str, Any]:
    """A YAML file that holds a map."""
    try:
        size = path.stat().st_size
        if size > LIMIT:
            raise FileError(f"{path}: {size} bytes of YAML; the limit is {LIMIT}.")
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise FileError(f"{path}: no such file.") from None
    except UnicodeDecodeError as error:
        raise FileError(f"{path}: not UTF-8 text ({error}).") from None
    plain = parse(text, str(path))
    if not isinstance(plain, dict):
        raise FileError(f"{path}: expected a map of settings, got {type(plain).__name__}.")
    return plain


def write(plain: Any) -> str:
    """YAML text, keys in the order given, short lists on one line."""
    text: str = yaml.dump(
        plain, sort_keys=False, allow_unicode=True, width=100, default_flow_style=None
    )
    return text

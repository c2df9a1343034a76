"""Docstrings and signatures as Markdown."""

from __future__ import annotations

import inspect
import re
from typing import Any

from .component import signature

ARGUMENT = re.compile(r"(?:^|(?<=[.;] ))((?:\w+, )*\w+): ")
LISTS = ("Args:", "Attributes:")


def heading(name: str, function: Any) -> str:
    """A signature without types: `name(a, b=1)`."""
    sign = signature(function) if isinstance(function, type) else inspect.signature(function)
    words: list[str] = []
    for key, parameter in sign.parameters.items():
        if key in ("self", "cls"):
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in " ".join(words):
            words.append("*")
        stars: dict[Any, str] = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}
        default = "" if parameter.default is parameter.empty else f"={value(parameter.default)}"
        words.append(f"{stars.get(parameter.kind, '')}{key}{default}")
    return f"{name}({', '.join(words)})"


def value(default: Any) -> str:
    """A default value as one writes it."""
    return default.__name__ if callable(default) else repr(default)


def prose(thing: Any) -> str:
    """A docstring as Markdown: its arguments and inputs become lists."""
    out: list[str] = []
    inside = False
    for line in inspect.cleandoc(thing.__doc__ or "").splitlines():
        if line.startswith(LISTS) or re.match(r"Inputs\b.*:$", line):
            inside = True
            out += [""] if line.startswith(LISTS) else [line, ""]
        elif inside and line.startswith("    ") and not line.startswith("     "):
            out.append(f"- {line.strip()}")
        elif inside and line.startswith("     "):
            out.append(f"  {line.strip()}")
        else:
            inside = inside and bool(line.strip())
            out.append(line)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(map(_named, out))).strip()


def _named(line: str) -> str:
    """A line of the list of arguments, with their names as code."""
    if not line.startswith(("- ", "  ")) or line.startswith("    "):
        return line
    mark, text = line[:2], line[2:]
    return mark + ARGUMENT.sub(lambda m: f"`{m[1]}`: ", text)

"""Model cards: the README of a repository, with its licence on top."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import FileError
from ..fit import MODULES
from ..folder import text

if TYPE_CHECKING:
    from ..model import Model

CARD = "README.md"
LIMIT = 1 << 20


def licence(folder: Path) -> str | None:
    """The licence that a folder's card names."""
    path = folder / CARD
    if not path.is_file() or path.stat().st_size > LIMIT:
        return None
    parts = path.read_text("utf-8", errors="replace").split("---\n", 2)
    if len(parts) < 3 or parts[0].strip():
        return None
    try:
        head = text.parse(parts[1], str(path))
    except FileError:  # a card is prose: one that can't be read says nothing of the weights
        return None
    found = head.get("license") if isinstance(head, dict) else None
    return None if found is None else str(found)


def card(model: Model[Any], licence: str, name: str = "model") -> str:
    """A card that says what the model is made of, and how to sample it.

    Args:
        licence: an identifier such as "apache-2.0" or "cc-by-4.0". name: "owner/name".
    """
    rows = [f"| {key} | `{_brief(getattr(model, key))}` |" for key in MODULES]
    head = {"license": licence, "library_name": "diffusers", "tags": ["diffusion-modules"]}
    made = sum(p.numel() for p in model.net.parameters())
    return "\n".join([
        "---", text.write(head).strip(), "---", "", f"# {name.split('/')[-1]}", "",
        f"A diffusion model of {made:,} parameters in the network; states are {model.shape}.", "",
        "```python", "import diffusion", "", f'model = diffusion.load("{name}")',
        "samples = model.sample(batch=4, steps=20, seed=0)", "```", "",
        "The folder is in the format of Diffusers too.", "",
        "| module | |", "|---|---|", *rows, "",
    ])  # fmt: skip


def _brief(value: Any) -> str:
    written = repr(value).replace("|", "\\|").replace("\n", " ")
    return written if len(written) <= 120 else f"{written[:117]}..."

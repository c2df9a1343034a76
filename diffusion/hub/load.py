"""`diffusion.load`: a model from a folder, a file, or a repository of the hub."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ..errors import FileError, InputError, suggest
from ..folder.source import source as origin
from .assemble import Options, alone, pipeline
from .card import licence
from .remote import located

if TYPE_CHECKING:
    from ..model import Model

MODULES = (
    "data", "schedule", "noise", "net", "loss", "time", "guidance", "sampler", "optimizer",
    "ema", "clip", "seed", "shape",
)  # fmt: skip


def load(
    source: str | Path, *, revision: str | None = None, dtype: torch.dtype | None = None,
    device: torch.device | str = "cpu", variant: str | None = None, progress: bool = False,
    **modules: Any,
) -> Model[Any]:  # fmt: skip
    """A `Model` of pretrained parts: its autoencoder is the data's transform, its scheduler the
    schedule, noise, sampler and grid, its denoiser the network.

    Args:
        source: a folder in the format of Diffusers (with `model_index.json`, or one denoiser's), a
            folder that `Model.save` wrote, or a repository of the Hugging Face hub, "owner/name".
        revision: branch, tag or commit of a repository.
        dtype: of the weights; None is the files', but float16 becomes float32 on a CPU, where it
            is many times slower.
        variant: part of the weights' file names, such as "fp16".
        progress: show progress bars.
        modules: instead of those of the folder, e.g. `sampler=sampler.Adams()`, or `shape=` for
            samples of another size.

    Weights are mapped, not copied: until they change, they are the file's own pages.

    Errors: what is missing, unknown, damaged or not supported, by component; nothing is half
    loaded, and nothing in the folder is executed.
    """
    for name in modules:
        if name not in MODULES:
            raise InputError(f"load: no module is called {name!r}.{suggest(name, MODULES)}")
    folder = located(source, revision, variant, progress)
    if not Path(source).expanduser().exists():
        print(f"{source}: licence: {licence(folder) or 'not stated'}", file=sys.stderr)
    options = Options(dtype, device, variant, progress)
    readers = {"model_index.json": pipeline, "model.yaml": _own, "config.json": alone}
    for name, read in readers.items():
        if (folder / name).is_file():
            model = read(folder, options, modules)
            model.source = origin(source, folder, variant, dtype)
            return model
    raise FileError(
        f"{folder}: no model_index.json (a pipeline), config.json (one network) or model.yaml (a "
        f"model of this library); it holds {_listing(folder)}."
    )


def _own(folder: Path, options: Options, modules: dict[str, Any]) -> Model[Any]:
    from ..model import Model

    for name in ("dtype", "variant"):
        if getattr(options, name) is not None:
            raise InputError(f"load: {folder} is a model of this library, which has no {name}.")
    return Model.load(folder, options.device, **modules)


def _listing(folder: Path) -> str:
    names = sorted(one.name for one in folder.iterdir())
    return ", ".join(names[:8]) + (" ..." if len(names) > 8 else "") if names else "nothing"

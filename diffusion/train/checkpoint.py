"""Checkpoints of a run: the model's folder, the optimiser's state, and where the run is.

Each is one atomic folder `step-00001234`; the last two are kept. A damaged one is named and
skipped. All randomness is a function of (seed, step), so a run that continues from a checkpoint is
bit by bit the run that was never stopped.
"""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..errors import FileError, MismatchError
from ..folder import atomic, tensors
from ..folder import model as models

if TYPE_CHECKING:
    from ..model import Model

KEEP = 2


def save(model: Model[Any], folder: Path) -> Path:
    """Write a checkpoint into `folder`; older ones than the last two are removed."""
    run = model.run
    state = {
        "step": run.step,
        "count": run.count,
        "sums": run.sums,
        "history": run.history,
        "batch": model.data.batch,
        "seed": model.seed,
    }
    flat, groups = _flat(run.optimizer)
    state["groups"] = groups
    history = getattr(model.time, "history", None)
    if history is not None:
        flat["time.history"] = history
    files = models.files(model)
    files["optimizer.safetensors"] = tensors.dump(flat)
    files["run.json"] = json.dumps(state).encode()
    target = folder / f"step-{run.step:08d}"
    atomic.commit(target, files)
    for old in _all(folder)[:-KEEP]:
        shutil.rmtree(old, ignore_errors=True)
    return target


def latest(folder: Path) -> Path | None:
    """The newest whole checkpoint; damaged ones are named in a warning and skipped."""
    for candidate in reversed(_all(folder)):
        try:
            atomic.verify(candidate)
        except FileError as error:
            warnings.warn(f"skipping a damaged checkpoint: {error}", stacklevel=2)
            continue
        return candidate
    return None


def resume(model: Model[Any], folder: Path) -> bool:
    """Continue from the newest checkpoint in `folder`, if it is ahead of the model."""
    found = latest(folder) if folder.is_dir() else None
    if found is None:
        return False
    state = json.loads((found / "run.json").read_text("utf-8"))
    if state["step"] <= model.run.step:
        return False
    for name, own in (("batch", model.data.batch), ("seed", model.seed)):
        if state[name] != own:
            raise MismatchError(
                f"{found}: was trained with {name} = {state[name]}, the model has {own}; the data "
                "order would not continue. Use the same value, or another folder."
            )
    stored = tensors.read(found / "weights.safetensors")
    weights = {k.removeprefix("weight."): v for k, v in stored.items() if k.startswith("weight.")}
    tensors.assign(model.parts, weights, str(found))
    if model.average is not None:
        models.restore(model, found / "average.safetensors")
    flat = tensors.read(found / "optimizer.safetensors")
    history = flat.pop("time.history", None)
    if history is not None:
        model.time.history.copy_(history)  # type: ignore[attr-defined]
    run = model.run
    run.step, run.count = state["step"], state["count"]
    run.sums, run.history = state["sums"], state["history"]
    run.optimizer = model.new_optimizer()
    _restore(run.optimizer, flat, state["groups"])
    return True


def _all(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("step-*") if path.is_dir())


def _flat(optimizer: torch.optim.Optimizer | None) -> tuple[dict[str, Tensor], list[Any]]:
    """An optimiser's state as named tensors, and its settings as plain data."""
    if optimizer is None:
        return {}, []
    state = optimizer.state_dict()
    flat = {
        f"{index}.{name}": torch.as_tensor(value)
        for index, entry in state["state"].items()
        for name, value in entry.items()
    }
    return flat, json.loads(json.dumps(state["param_groups"]))


def _restore(optimizer: torch.optim.Optimizer, flat: dict[str, Tensor], groups: list[Any]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in flat.items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": groups})

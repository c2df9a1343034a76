"""Models: the fit between their modules, and each module in the company of the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch

from .. import tree
from ..base import Bridge
from ..component import Component
from ..data.items import fetch, length
from ..distribution.draw import draw
from ..model import Model
from ..tree import State
from .exam import Exam, Verdict, exam, skip
from .inputs import seen
from .report import Result
from .setting import Setting

ITEMS = 6


def examine(
    model: Model[Any], setting: Setting, each: Callable[[Any, Setting], Iterator[Result]]
) -> Iterator[Result]:
    """The results for the fit, then those of every module under its name."""
    for one in EXAMS:
        yield one.run(model, setting.seed)
    for name in ("data", "schedule", "noise", "net", "loss", "time", "guidance", "sampler",
                 "optimizer"):  # fmt: skip
        module = getattr(model, name)
        if isinstance(module, Component):
            own = _setting(model, name, setting)
            yield from (result.under(name) for result in each(module, own))


def _setting(model: Model[Any], name: str, setting: Setting) -> Setting:
    """What a module is examined with: the company it is in."""
    seed = setting.seed
    if name == "net":
        x, y, t = _inputs(model)
        return Setting(x=x, y=y, t=t, seed=seed)
    if name == "noise" and isinstance(model.shape, tuple):
        return Setting(x=_states(model), seed=seed)
    if name == "loss" and model.data.w is not None and isinstance(model.noise, Bridge):
        w, _ = fetch(model.data, torch.arange(min(ITEMS, length(model.data.w))))
        if isinstance(w, torch.Tensor):
            return Setting(w=w, noise=model.noise, data=model.data, seed=seed)
    return Setting(w=setting.w, seed=seed)


def _states(model: Model[Any]) -> State:
    """Some states: encoded items, or zeros where the model has none."""
    if model.data.w is not None:
        count = min(ITEMS, length(model.data.w))
        w, _ = fetch(model.data, torch.arange(count))
        with torch.no_grad():
            return tree.to(model.encode(tree.to(w, model.device)), "cpu")

    def blank(shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
        return torch.zeros((ITEMS, *shape), dtype=dtype)

    return tree.map(blank, model.shape, model.state_dtype)


def _inputs(model: Model[Any]) -> tuple[State, State, State]:
    """What the network is shown in training."""
    x = tree.to(_states(model), model.device)
    t = tree.to(model.time.sample(model.schedule.steps, tree.size(x)), model.device)
    z = model.cast(draw(model.process.prior(x, t), None)[0])
    y: State = torch.arange(tree.size(x), device=model.device)
    labels = getattr(model.net, "labels", 0)
    y = y % (labels + 1 if isinstance(labels, int) else 1)
    if model.data.w is not None and not isinstance(labels, int):
        y = tree.to(fetch(model.data, torch.arange(tree.size(x)))[1], model.device)
    return model.process.inputs(z, t), seen(model.net, x, y), t


@exam("fit", "The modules fit each other.", "The figure names two modules and what to change.")
def fit(model: Model[Any]) -> Verdict:
    doubts = model.check()
    return not doubts, "; ".join(doubts) or "no doubts"


@exam(
    "reaches noise",
    "At t = T the schedule leaves so little of the data that sampling may start from pure noise.",
    "End the schedule lower, or take more steps; structured noise that mixes slowly needs both.",
)
def reaches(model: Model[Any]) -> Verdict:
    if isinstance(model.shape, dict) or not isinstance(model.shape, tuple):
        return skip("several modalities")
    x = tree.to(_states(model), model.device)[:1]
    x = model.cast(x).expand(2000, *x.shape[1:]).contiguous()[:, ...]
    noise = model.bind()
    z = draw(noise.prior(x, torch.full((len(x),), model.schedule.steps, device=x.device)), None)[0]
    pure = draw(noise.stationary(tuple(x.shape)), None)[0].to(z.device)
    if not z.is_floating_point():
        k = int(max(z.max(), pure.max())) + 1
        z, pure = (torch.nn.functional.one_hot(v, k).double() for v in (z, pure))
    shift = (z.double().mean(0) - pure.double().mean(0)).square().mean().sqrt()
    spread = pure.double().std().clamp_min(1e-12)
    share = float(shift / spread)
    return share < 0.1, f"the mean is off by {share:.2g} of the spread"


EXAMS: tuple[Exam, ...] = (fit, reaches)

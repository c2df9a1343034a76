"""Whether the modules of a model fit each other, found out when the model is built."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from . import tree
from .base import Bridge, Data, Guidance, Loss, Net, Noise, Sampler, Schedule, Time
from .component import Component, arguments, same
from .data.items import fetch, inspect
from .errors import InputError, MismatchError
from .loss import VLB, CrossEntropy, Rounding, Simple
from .loss import Joint as JointLoss
from .net.chain import Chain
from .noise.categorical import Redraw
from .noise.gaussian import Gaussian
from .noise.joint import Joint

if TYPE_CHECKING:
    from .model import Model

MODULES = (
    "data", "schedule", "noise", "net", "loss", "time", "guidance", "sampler", "optimizer",
)  # fmt: skip
BASES: dict[str, type] = {
    "data": Data, "schedule": Schedule, "noise": Noise, "net": Net, "loss": Loss, "time": Time,
    "guidance": Guidance, "sampler": Sampler,
}  # fmt: skip


def kinds(model: Model[Any]) -> None:
    """Raise unless every module is of its kind."""
    for name, base in BASES.items():
        value = getattr(model, name)
        if value is None and name in ("loss", "guidance"):
            continue
        if not isinstance(value, base):
            what = (
                value.__name__ + " (a class: call it)" if isinstance(value, type) else repr(value)
            )
            raise InputError(f"Model.{name}: expected a {base.__name__}, got {what[:120]}.")
    if not callable(model.optimizer):
        raise InputError(
            "Model.optimizer: expected train.AdamW(...) or a function from parameters to a torch "
            f"optimiser; got {model.optimizer!r}."
        )
    if model.ema is not None and not 0 < model.ema < 1:
        raise InputError(f"Model.ema: expected a decay in (0, 1), got {model.ema}.")


def precision(net: nn.Module) -> torch.dtype:
    """The floating type of the network's weights."""
    for parameter in net.parameters():
        if parameter.is_floating_point():
            return parameter.dtype
    return torch.get_default_dtype()


def state(model: Model[Any], shape: Any, dtype: Any) -> tuple[Any, Any]:
    """Shape and type of one encoded item: from the data, or as given."""
    if model.data.w is None:
        if shape is None:
            raise InputError(
                f"{type(model.data).__name__}.w is None, so the shape of a sample is unknown; give "
                "data, or Model(..., shape=(channels, height, width))."
            )
        floating = precision(model.net)
        return shape, tree.map(lambda _: floating, shape) if dtype is None else dtype
    inspect(model.data)
    w, _ = fetch(model.data, torch.arange(1))
    with torch.no_grad():
        x = model.encode(tree.to(w, model.device))
    return tree.map(lambda leaf: tuple(leaf.shape[1:]), x), tree.map(lambda leaf: leaf.dtype, x)


def check(model: Model[Any]) -> None:
    """Raise `MismatchError` on the first two modules that do not fit."""
    _labels(model)
    _losses(model)
    reason = model.sampler.fits(model.noise)
    if reason is not None:
        raise MismatchError(f"sampler and noise: {reason}")
    if isinstance(model.noise, Redraw):
        _softmax(model)
    if model.time.continuous and not isinstance(model.noise, Bridge):
        raise MismatchError(
            f"time and noise: {type(model.time).__name__} draws continuous times, and "
            f"{type(model.noise).__name__} (not a Bridge) knows integer steps only. Use "
            "time=Discrete()."
        )
    _output(model)


def _labels(model: Model[Any]) -> None:
    labels = getattr(model.net, "labels", None)
    y, name = model.data.y, type(model.net).__name__
    if isinstance(y, Tensor) and not y.is_floating_point() and y.dim() == 1 and labels is not None:
        low, high = int(y.min()), int(y.max())
        if high > 0 and labels == 0:
            raise MismatchError(
                f"data and net: the data have labels up to {high}, {name} has labels=0. Make it "
                f"{name}(..., labels={high})."
            )
        if low < 0 or high > labels:
            raise MismatchError(
                f"data and net: labels must be 0 (null) to {labels} (= {name}.labels); the data "
                f"span {low} to {high}. Class ids start at 1."
            )
    unconditional = labels == 0 and not getattr(model.net, "condition", 0)
    if (
        model.guidance is not None
        and model.guidance.conditional
        and (unconditional or (model.data.w is not None and y is None and not _paired(model)))
    ):
        raise MismatchError(
            f"guidance and {'net' if unconditional else 'data'}: {model.guidance!r} needs "
            f"conditions; give data y=... and the net labels=..., or remove the guidance."
        )


def _paired(model: Model[Any]) -> bool:
    """Whether a data set yields (w, y)."""
    w = model.data.w
    return not hasattr(w, "shape") and not isinstance(w, dict) and isinstance(w[0], (tuple, list))


def _losses(model: Model[Any]) -> None:
    for name, noise, term in _terms(model.loss, model.noise, ""):
        if isinstance(noise, Joint):
            raise MismatchError(
                f"loss and noise: {name} is one loss on a joint state; give each modality its own: "
                f"loss.Joint({{{', '.join(f'{key!r}: ...' for key in noise.parts)}}})."
            )
        gaussian, redraw = isinstance(noise, Gaussian), isinstance(noise, Redraw)
        if isinstance(term, Simple) and gaussian and term.index == 0:
            if term.parameter not in (None, noise.parameter):
                raise MismatchError(
                    f"loss and noise: {term!r} compares hat[0] with {term.parameter}, but the "
                    f"network predicts {noise.parameter} ({noise!r}). Use "
                    f"Gaussian(parameter={term.parameter!r}), or Simple() to follow the noise."
                )
        if isinstance(term, (Simple, Rounding)) and redraw:
            raise MismatchError(
                f"loss and noise: {type(term).__name__} is for Gaussian noise; {noise!r} needs "
                "CrossEntropy() or VLB()."
            )
        if isinstance(term, CrossEntropy) and not redraw and isinstance(noise, Bridge):
            raise MismatchError(
                f"loss and noise: CrossEntropy is for categorical noise, not {noise!r}; use "
                "Simple(), or Rounding() on embedded ids."
            )
        if isinstance(term, VLB) and gaussian and noise.eta == 0:
            raise MismatchError(
                "loss and noise: VLB needs Gaussian(eta > 0); steps without noise have no density."
            )
        needs_table = isinstance(term, Simple) and (
            term.weight is not None or term.parameter not in (None, "x", "epsilon")
        )
        if needs_table and not isinstance(noise, Bridge):
            raise MismatchError(
                f"loss and noise: {term!r} needs the signal and sigma of the process, which "
                f"{type(noise).__name__} (not a Bridge) does not tell. Use Simple('x' or 'epsilon')."
            )


def _terms(loss: Any, noise: Any, prefix: str) -> Iterator[tuple[str, Any, Any]]:
    """Every elementary loss with the noise of its modality."""
    if loss is None:
        return
    if isinstance(loss, JointLoss):
        if not isinstance(noise, Joint) or set(loss.parts) != set(noise.parts):
            have = list(noise.parts) if isinstance(noise, Joint) else type(noise).__name__
            raise MismatchError(
                f"loss and noise: loss.Joint has {list(loss.parts)}, the noise has {have}."
            )
        for key, part in loss.parts.items():
            yield from _terms(part, noise.parts[key], f"{prefix}{key}.")
        return
    inner = getattr(loss, "losses", None) or (getattr(loss, "loss", None),)
    if inner[0] is None:
        yield f"{prefix}{type(loss).__name__}", noise, loss
        return
    for part in inner:
        yield from _terms(part, noise, prefix)


def _softmax(model: Model[Any]) -> None:
    """A net that ends in a softmax predicts probabilities: tell the noise."""
    last = model.net.after[-1] if isinstance(model.net, Chain) else None
    if isinstance(last, nn.Softmax) and model.noise.parameter == "logits":
        model.noise = model.noise.vary(parameter="p")
        model.process = model.bind(soft=True)


def _output(model: Model[Any]) -> None:
    """One dry run: does the network take the state, and return `[p, b, ...]` for it?"""
    x = tree.map(
        lambda shape, dtype: torch.zeros((2, *shape), dtype=dtype), model.shape, model.state_dtype
    )
    hat = _dry(model, x)
    name = type(model.net).__name__
    for key, leaf, parameters in _pairs(hat, x):
        noise = model.noise.parts[key] if key and isinstance(model.noise, Joint) else model.noise
        need = 2 if getattr(noise, "variance", "fixed") != "fixed" else 1
        want: tuple[Any, ...] = (2, *leaf.shape[1:])
        if isinstance(noise, Redraw) and not leaf.is_floating_point():
            want = (*want, noise.classes)
        shape = tuple(parameters.shape)
        fits = len(shape) > 1 and shape[0] >= need and shape[1:] == want
        if not isinstance(noise, (Gaussian, Redraw)):
            fits = len(shape) > 1 and shape[1] == 2
        if not fits:
            raise MismatchError(
                f"net and {'noise' if need > 1 or isinstance(noise, Redraw) else 'data'}: for x of "
                f"shape {list(leaf.shape)} {name} must return [p, b, ...] = "
                f"[{need} or more, {', '.join(map(str, want))}]; it returned {list(shape)}. The "
                "first axis counts the predicted parameters, even when there is one."
            )


def _pairs(hat: Any, x: Any) -> Iterator[tuple[str, Tensor, Tensor]]:
    if isinstance(x, dict):
        if not isinstance(hat, dict) or set(hat) != set(x):
            raise MismatchError(f"net and noise: the net must return a dict with {list(x)}.")
        for key in x:
            yield key, x[key], hat[key]
    else:
        yield "", x, hat


def _dry(model: Model[Any], x: Any) -> Any:
    """The network's output for zeros, on meta tensors where its code allows it."""
    time = torch.zeros(2) if model.time.continuous else torch.ones(2, dtype=torch.long)
    t = {key: time for key in x} if hasattr(model.time, "parts") else time
    y: Any = torch.zeros(2, dtype=torch.long)
    if model.data.w is not None and (model.data.y is not None or _paired(model)):
        count = min(2, len(tree.leaves(model.data.w)[0]))
        y = fetch(model.data, torch.arange(count))[1]
        y = y if count == 2 else tree.cat([y, y])
    modes = [(module, module.training) for module in model.net.modules()]
    model.net.eval()
    try:
        with torch.no_grad():
            try:
                ghost = {k: v.to("meta") for k, v in model.net.state_dict(keep_vars=True).items()}
                inputs = (tree.to(x, "meta"), tree.to(y, "meta"), tree.to(t, "meta"))
                return torch.func.functional_call(model.net, ghost, inputs)
            except (NotImplementedError, RuntimeError):
                # A net that reads values, or keeps tensors that are no buffers: run it for real.
                return model.net(*(tree.to(v, model.device) for v in (x, y, t)))
    finally:
        for module, mode in modes:
            module.training = mode


def doubts(model: Model[Any]) -> list[str]:
    """What fits but may not be meant."""
    found = []
    parts = model.noise.parts.values() if isinstance(model.noise, Joint) else [model.noise]
    top = model.bind()
    clocks = top.parts.values() if isinstance(top, Joint) else [top]
    for part, bound in zip(parts, clocks, strict=True):
        left = float(bound.clock.kappa(bound.clock.steps)) if hasattr(bound, "clock") else 0.0
        if left > 0.01:
            found.append(
                f"schedule: {left:.1%} of the variance at t = T is still signal under {part!r}; "
                "sampling starts from pure noise, which the net has not seen. End lower."
            )
    if any(isinstance(t, Rounding) for _, t in (model.loss.terms() if model.loss else [])) is False:
        if model.data.logits(torch.zeros(1, *_first(model.shape))) is not None:
            found.append("loss: embeddings are learned without loss.Rounding(); they may collapse.")
    if model.guidance is not None and getattr(model.guidance, "dropout", 1) == 0:
        found.append("guidance: dropout=0, so the null condition is never trained.")
    return found


def _first(shape: Any) -> tuple[int, ...]:
    first: tuple[int, ...] = tree.leaves(shape)[0]
    return first


def differences(a: Model[Any], b: Model[Any]) -> Iterator[tuple[str, tuple[Any, Any]]]:
    """Paths and values that differ between two models."""
    for name in (*MODULES, "ema", "clip", "seed"):
        yield from _compare(name, getattr(a, name), getattr(b, name))


def _compare(path: str, a: Any, b: Any) -> Iterator[tuple[str, tuple[Any, Any]]]:
    if same(a, b):
        return
    if type(a) is type(b) and isinstance(a, Component):
        ours, theirs = arguments(a), arguments(b)
        for key in {**ours, **theirs}:
            if isinstance(a, Data) and key in ("w", "y"):
                continue
            yield from _compare(f"{path}.{key}", ours.get(key), theirs.get(key))
    else:
        yield path, (a, b)

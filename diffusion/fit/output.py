"""One dry run of the network: does it take the state, and return what the noise reads?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from .. import tree
from ..data.items import fetch
from ..errors import MismatchError
from ..net.chain import Chain
from ..noise.categorical import Redraw
from ..noise.gaussian import Gaussian
from ..noise.joint import Joint
from .modules import paired

if TYPE_CHECKING:
    from ..model import Model


def softmax(model: Model[Any]) -> None:
    """A net that ends in a softmax predicts probabilities: tell the noise."""
    last = model.net.after[-1] if isinstance(model.net, Chain) else None
    noise: Any = model.noise
    if isinstance(last, nn.Softmax) and noise.parameter == "logits":
        model.noise = noise.vary(parameter="p")
        model.process = model.bind(soft=True)


def output(model: Model[Any]) -> None:
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
    t = dict.fromkeys(x, time) if hasattr(model.time, "parts") else time
    y: Any = torch.zeros(2, dtype=torch.long)
    if model.data.w is not None and (model.data.y is not None or paired(model)):
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

"""Guidance part by part: every modality of a joint state by its own noise, any other as a whole.

What a network says of x is extrapolated with weights that add up to one. For Gaussian noise that
commutes with every change of parametrisation. For tokens it is done with log-probabilities, never
with probabilities, and what they are normalised to does not matter.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from .. import tree
from ..base import Noise
from ..noise import split
from ..noise.categorical import Redraw
from ..noise.joint import Joint
from ..tree import State

NONE = -1e30
"""The log-probability of a class that is ruled out: finite, so that gradients stay finite."""


def members(noise: Noise[Any]) -> list[Any]:
    """The parts of joint noise; else the noise itself."""
    return [*noise.parts.values()] if isinstance(noise, Joint) else [noise]


def each(function: Callable[..., Any], noise: Any, *states: Any) -> Any:
    """`function(noise, *states)`; for joint noise a dict of it, of each part and its own states.

    What is not a dict (a time, say) is shared by the parts.
    """
    if not isinstance(noise, Joint):
        return function(noise, *states)
    return {
        key: function(part, *(one[key] if isinstance(one, dict) else one for one in states))
        for key, part in noise.parts.items()
    }


def outputs(function: Callable[..., Tensor], *hats: State) -> State:
    """`function` of corresponding outputs of the network: of both of a `Split`'s too."""
    return tree.map(lambda *own: split.each(function, *own), *hats)


def combined(function: Callable[..., Tensor], noise: Any, *hats: State) -> State:
    """`function(noise, *outputs)` part by part, of outputs that may be extrapolated."""

    def one(part: Any, *own: Any) -> Any:
        if not isinstance(part, Redraw) or part.parameter == "logits":
            return split.each(lambda *hat: function(part, *hat), *own)
        found = function(part, *(torch.cat([hat[:1].log(), hat[1:]]) for hat in own))
        return torch.cat([found[:1].softmax(-1), found[1:]])

    return each(one, noise, *hats)


def written(noise: Redraw, log_p: Tensor, hat: Tensor) -> Tensor:
    """`hat` of tokens with other log-probabilities; what else is predicted stays."""
    changed = log_p.clamp_min(NONE)
    changed = changed.softmax(-1) if noise.parameter == "p" else changed
    first = changed.clamp_min(torch.finfo(hat.dtype).min).to(hat.dtype)
    return torch.cat([first.unsqueeze(0), hat[1:]])

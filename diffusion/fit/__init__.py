"""Whether the modules of a model fit each other, found out when the model is built."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor

from ..base import Bridge, Guidance, Noise
from ..errors import MismatchError
from ..net.beside import OWN
from ..noise.categorical import Redraw
from .bound import bound
from .differences import differences
from .doubts import doubts
from .ids import ids
from .losses import losses
from .modules import MODULES, kinds, paired, precision, state
from .output import output, softmax
from .parts import parts
from .replaced import replaced

if TYPE_CHECKING:
    from ..model import Model

__all__ = [
    "MODULES",
    "bound",
    "check",
    "conditioned",
    "differences",
    "doubts",
    "guided",
    "kinds",
    "losses",
    "parts",
    "precision",
    "replaced",
    "state",
]


def check(model: Model[Any]) -> None:
    """Raise `MismatchError` on the first two modules that do not fit."""
    _labels(model)
    conditioned(model, model.guidance)
    ids(model)
    losses(model)
    reason = model.sampler.fits(model.noise)
    if reason is not None:
        raise MismatchError(f"sampler and noise: {reason}")
    guided(model.guidance, model.noise)
    if isinstance(model.noise, Redraw):
        softmax(model)
    if model.time.continuous and not isinstance(model.noise, Bridge):
        raise MismatchError(
            f"time and noise: {type(model.time).__name__} draws continuous times, and "
            f"{type(model.noise).__name__} (not a Bridge) knows integer steps only. Use "
            "time=Discrete()."
        )
    output(model)


def guided(guidance: Guidance | None, noise: Noise[Any]) -> None:
    """Raise `MismatchError` where a guidance can't guide this noise."""
    reason = None if guidance is None else guidance.fits(noise)
    if reason is not None:
        raise MismatchError(f"guidance and noise: {reason}")


def _labels(model: Model[Any]) -> None:
    labels = getattr(model.net, "labels", None)
    y, name = model.data.y, type(model.net).__name__
    y = y.get(OWN) if isinstance(y, dict) else y
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


def conditioned(model: Model[Any], guidance: Guidance | None) -> None:
    """Raise `MismatchError` where a guidance compares with no condition, and there is no such."""
    if guidance is None or not guidance.conditional:
        return
    labels, name = getattr(model.net, "labels", None), type(model.net).__name__
    if getattr(model.net, "least", 0):
        raise MismatchError(
            f"guidance and net: {guidance!r} asks for predictions without a condition, and "
            f"{name} has an embedding for each class only. Use guidance=None, or Classifier."
        )
    others = any(getattr(model.net, kind, 0) for kind in ("condition", "beside", "encoders"))
    unconditional = labels == 0 and not others
    if unconditional or (model.data.w is not None and model.data.y is None and not paired(model)):
        raise MismatchError(
            f"guidance and {'net' if unconditional else 'data'}: {guidance!r} needs conditions; "
            f"give data y=... and the net labels=..., or remove the guidance."
        )

"""Whether losses and noise agree on what the network predicts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..base import Bridge, Time
from ..errors import MismatchError
from ..loss import VLB, CrossEntropy, Rounding, Sampled, Simple
from ..loss import Joint as JointLoss
from ..noise.categorical import Redraw
from ..noise.gaussian import Gaussian
from ..noise.joint import Joint

if TYPE_CHECKING:
    from ..model import Model


def losses(model: Model[Any]) -> None:
    """Raise where a term and the noise, or the time, can't work together."""
    learns = type(model.time).observe is not Time.observe
    for name, term in model.loss.terms() if learns and model.loss is not None else []:
        if not isinstance(term, Sampled):
            raise MismatchError(
                f"time and loss: {type(model.time).__name__} learns from a number for each sample, "
                f"and {name} ({type(term).__name__}) gives one for the batch. Derive it from "
                "loss.Sampled, or use time=Discrete()."
            )
    for name, noise, term in _terms(model.loss, model.noise, ""):
        if isinstance(noise, Joint):
            raise MismatchError(
                f"loss and noise: {name} is one loss on a joint state; give each modality its own: "
                f"loss.Joint({{{', '.join(f'{key!r}: ...' for key in noise.parts)}}})."
            )
        fits = getattr(term, "fits", None)  # a loss's own demands
        reason = None if fits is None else fits(model, noise)
        if reason is not None:
            raise MismatchError(f"loss and the model: {reason}")
        gaussian, redraw = isinstance(noise, Gaussian), isinstance(noise, Redraw)
        first = isinstance(term, Simple) and gaussian and term.index == 0
        if first and term.parameter not in (None, noise.parameter):
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
                f"{type(noise).__name__} (not a Bridge) hides. Use Simple('x' or 'epsilon')."
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

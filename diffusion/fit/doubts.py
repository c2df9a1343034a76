"""What fits, but may not be meant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..loss import Rounding
from ..noise.joint import Joint

if TYPE_CHECKING:
    from ..model import Model


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
    rounds = any(
        isinstance(term, Rounding) for _, term in (model.loss.terms() if model.loss else [])
    )
    if not rounds and hasattr(model.data, "embedding"):
        found.append("loss: embeddings are learned without loss.Rounding(); they may collapse.")
    if model.guidance is not None and getattr(model.guidance, "dropout", 1) == 0:
        found.append("guidance: dropout=0, so the null condition is never trained.")
    return found

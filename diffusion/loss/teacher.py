"""A frozen model that other models learn from: E[x | z] by its network, guidance and averages."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor

from ..base import Predict
from ..errors import InputError
from ..noise.gaussian import Gaussian

if TYPE_CHECKING:
    from ..model import Model


class Teacher:
    """What a teacher says of a state: a `Model`, or a function `predict(z, y, t) -> hat`.

    A model answers in its own parametrisation, in evaluation mode, with averaged weights and its
    own guidance. A function, such as `exact.Mixture.oracle`, answers in the student's.
    """

    def __init__(self, source: Any) -> None:
        from ..model import Model

        self.source = source
        self.model: Model[Any] | None = source if isinstance(source, Model) else None
        if self.model is None:
            if not callable(source):
                raise InputError(
                    "teacher: expected a Model, or a function predict(z, y, t) -> hat; got "
                    f"{type(source).__name__}."
                )
            self.predict: Predict = source
            return
        from ..sampling.network import network, weights

        self.noise = self.model.bind()
        self.predict = network(self.model, weights(self.model)[0], self.noise)
        if self.model.guidance is not None:
            self.predict = self.model.guidance(self.predict, self.noise)

    @torch.no_grad()
    def x(self, noise: Any, z: Tensor, y: Any, t: Tensor) -> Tensor:
        """The teacher's denoised x; `noise` is the student's."""
        own = noise if self.model is None else self.noise
        x: Tensor = own.predict(z, t, self.predict(z, y, t))
        return x.to(z.dtype)

    def unfit(self, model: Model[Any]) -> str | None:
        """Why this teacher can't teach `model`, or None."""
        own = self.model
        if own is None:
            return None
        if not isinstance(own.noise, Gaussian):
            return f"the teacher must be of Gaussian noise; it is of {own.noise!r}."
        if own.time.continuous != model.time.continuous:
            return (
                f"the teacher knows the times of {own.time!r}, the student those of "
                f"{model.time!r}; take both continuous or both discrete."
            )
        noise: Any = model.noise
        ours, theirs = noise.bind(model.schedule).clock, self.noise.clock
        steps = model.time.continuous or ours.steps == theirs.steps
        if steps and all(math.dist(ours(u), theirs(u)) < 1e-6 for u in (0.1, 0.5, 0.9)):
            return None
        return (
            f"the teacher's states are noised by {own.schedule!r} on path {own.noise.path!r}, "
            f"the student's by {model.schedule!r} on path {noise.path!r}. Use the teacher's "
            "schedule and path."
        )


class Taught:
    """A component with a field `teacher`, which is looked at, not owned: copies share it."""

    def taught(self) -> Teacher:
        """What the teacher says, prepared once."""
        source = vars(self)["teacher"]
        known: Teacher | None = vars(self).get("_taught")
        if known is None or known.source is not source:
            known = vars(self)["_taught"] = Teacher(source)
        return known

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        other = type(self).__new__(type(self))
        memo[id(self)] = other
        for name, value in vars(self).items():
            if name != "_taught":
                shared = name == "teacher"
                vars(other)[name] = value if shared else copy.deepcopy(value, memo)
        return other


def unfit(loss: Any, model: Model[Any], noise: Any) -> str | None:
    """Why a loss that asks the network at times of its own can't train `model`, or None."""
    name = type(loss).__name__
    if noise is not model.noise:
        return (
            f"{name} calls the network at times of its own, which one modality of a joint state "
            "can't. Train a joint model with losses that read batch.hat."
        )
    if not isinstance(noise, Gaussian):
        return f"{name} is for noise.Gaussian, not {noise!r}."
    has = getattr(loss, "teacher", None) is not None
    return loss.taught().unfit(model) if has else None

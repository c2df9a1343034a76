"""Likelihoods that are not numbers, traced to the network call that made them so."""

from typing import Any

import torch
from torch import Tensor

from .. import tree
from ..base import Predict
from ..errors import InputError
from ..tree import State


class Heard:
    """`predict`, which remembers for each item whether an answer was NaN, without waiting for it.

    Infinite answers are no fault: a logit of -inf is a class that can't be.
    """

    def __init__(self, predict: Predict) -> None:
        self.predict = predict
        self.bad: list[tuple[Any, Tensor]] = []

    def __call__(self, z: State, y: State, t: Any) -> State:
        hat = self.predict(z, y, t)
        rows = [
            leaf.detach().isnan().transpose(0, 1).flatten(1).any(1) for leaf in tree.leaves(hat)
        ]
        self.bad.append((t, torch.stack(rows).any(0)))
        return hat

    def require(self, method: str, nats: Tensor) -> Tensor:
        """`nats`, `[b]`. Errors: NaN in it, naming the time of the answer that it comes from."""
        lost = nats.detach().isnan()
        if not lost.any():
            return nats
        count, first = f"{int(lost.sum())} of {len(nats)}", int(lost.nonzero()[0, 0])
        start = f"nll(method={method!r}): {count} estimates are NaN, first number {first}"
        for t, rows in self.bad:
            if rows.any():
                raise InputError(
                    f"{start}: the network's output is NaN for {int(rows.sum())} of them from time "
                    f"{t:.4g} on. Are the weights finite? Look at net(z, y, t) there."
                )
        raise InputError(
            f"{start}, though the network's output is a number at every time. Look at the items, "
            "and at p and q of model.batch(w)."
        )

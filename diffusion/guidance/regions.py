r"""Other conditions in other places: $\hat y = \sum_i w_i \odot \hat y_i$, $w_i = m_i/\sum_j m_j$.

Bar-Tal et al. 2023 (MultiDiffusion), equation 5: of steps Φ(z | y_i) that are each right where a
mask m_i is, the state that fits all best, by weighted least squares, is their mean with weights
m_i. A solver's step is affine in what the network predicts for the one z that all share, with
coefficients that are the same everywhere, so the mean of steps is the step of the mean prediction:
the network is asked about every condition in one call, and any solver may follow. The weights add
up to one, so the mean commutes with every change of parametrisation. Of tokens the mean is the
mixture of their laws.
"""

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from .. import tree
from ..base import Guidance, Noise, Predict
from ..errors import InputError, require
from ..noise.categorical import Redraw
from ..noise.gaussian import Gaussian
from ..tree import State
from .null import repeated
from .parts import NONE, combined


class Regions(Guidance):
    """Sample under a condition for each region, one call of the network for all of them.

        model.sample(y=[["cat", "dog"]], guidance=model.guidance | guidance.Regions(halves))

    The conditions of a sampling are as for `Compose`: class ids `[b, n]`, or tensors, or dicts of
    tensors, `[b, n, ...]`. To the right of another guidance, each region is guided by itself.

    Args:
        masks: `[n, ...]`, numbers >= 0, such as `[n, h, w]`. Their sides are the last ones of a
            state's; others are averaged to those, such as pixels to latents. Where masks overlap
            the predictions are mixed; every place is in one.
    """

    masks: Tensor

    def __post_init__(self) -> None:
        fine = isinstance(self.masks, Tensor) and self.masks.dim() >= 2
        got = list(self.masks.shape) if isinstance(self.masks, Tensor) else repr(self.masks)
        require(fine, "Regions.masks", "a tensor [n, ...], such as [n, h, w]", got)
        real = self.masks.double()
        fine = bool((real.isfinite() & (real >= 0)).all()) and bool((real.sum(0) > 0).all())
        fix = "For the rest of the sheet add a region of its own, 1 - masks.sum(0)."
        require(fine, "Regions.masks", "numbers >= 0, with every place in a region", "others", fix)

    def fits(self, noise: Noise[Any]) -> str | None:
        if isinstance(noise, (Gaussian, Redraw)):
            return None
        return (
            f"Regions mixes predictions of x, or laws of tokens, place by place, and "
            f"{type(noise).__name__} has no one sheet of places. Use noise.Gaussian, or a noise of "
            "tokens such as noise.Absorbing."
        )

    def __call__(self, predict: Predict, noise: Any) -> Predict:
        count = len(self.masks)
        shares = (self.masks.double() / self.masks.double().sum(0)).unsqueeze(1)

        def guided(z: State, y: State, t: Any) -> State:
            several = [tree.map(lambda one, i=i: self._condition(one, i), y) for i in range(count)]
            return mixed(predict, noise, z, several, t, shares)

        return guided

    def _condition(self, y: Tensor, index: int) -> Tensor:
        """The condition of one region for every sample; a single one may come without an axis."""
        count = len(self.masks)
        if count == 1 and y.dim() == 1:
            return y
        if y.dim() < 2 or y.shape[1] != count:
            raise InputError(
                f"Regions: expected {count} conditions for each sample, as there are masks, y of "
                f"shape [b, {count}, ...]; got {list(y.shape)}."
            )
        return y[:, index]


def mixed(
    predict: Predict, noise: Any, z: State, several: Sequence[State], t: Any, shares: Tensor
) -> State:
    """The mean of predictions under several conditions.

    Args:
        several: n conditions of the batch. shares: `[n, b or 1, ...]`, which add up to one; the
            last axes are sides.
    """
    count = len(several)
    hat = predict(tree.cat([z] * count), tree.cat([*several]), repeated(t, count))

    def one(part: Any, own: Tensor) -> Tensor:
        each = own.reshape(len(own), count, -1, *own.shape[2:])
        if isinstance(part, Gaussian):
            weighted = _fitted(shares, own.shape[2:]).to(each) * each
            return weighted.sum(1)
        weights = _fitted(shares, own.shape[2:-1]).unsqueeze(-1).to(each)
        logs = weights.log() + each.log_softmax(-1).clamp_min(NONE)
        return logs.logsumexp(1)

    return combined(one, noise, hat)


def _fitted(shares: Tensor, state: Sequence[int]) -> Tensor:
    """Shares `[n, b, ...]` for states of a shape: averaged over what each place covers."""
    sides = tuple(shares.shape[2:])
    goal = tuple(state[len(state) - len(sides) :])
    if len(sides) > len(state) or len(sides) > 3:
        raise InputError(
            f"Regions: masks of sides {list(sides)} for states of shape {list(state)}: expected "
            f"{'at most three of its last sides' if len(state) > 3 else 'its last sides'}."
        )
    if goal != sides:
        shares = F.interpolate(shares, size=goal, mode="area")
    return shares.reshape(*shares.shape[:2], *(1,) * (len(state) - len(sides)), *goal)

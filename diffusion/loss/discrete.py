"""Losses of predicted class probabilities."""

import torch
from torch import Tensor

from .. import tree
from ..base import Batch, Distribution
from ..distribution import Categorical
from ..errors import InputError
from ..weight import Weight
from .algebra import Sampled


class CrossEntropy(Sampled[Categorical]):
    r"""$-\log p(x_0 \mid x_t)$, averaged over tokens; a token that noise can't have touched is 0.

    For absorbing noise that leaves the masked tokens; unweighted, it trains faster than the bound
    (compare Sahoo et al. 2024, equation 11, which has this term with weight 1/t). Austin et al.
    2021, equation 5, add it to the bound. Nats per token.

    Args:
        weight: a `diffusion.weight` of SNR = kappa/(1 - kappa), or None.
    """

    weight: Weight | None = None

    def each(self, batch: Batch[Categorical]) -> Tensor:
        noise = batch.noise
        logp = noise.predict(batch.z, batch.t, batch.hat)
        onehot = noise.is_onehot(batch.x)
        ids = batch.x.argmax(-1) if onehot else batch.x
        z = batch.z.argmax(-1) if onehot else batch.z
        nats = -logp.gather(-1, ids.unsqueeze(-1)).squeeze(-1)
        each = tree.mean(nats * noise.touched(z))
        if self.weight is None:
            return each
        kappa = noise.clock.kappa(batch.t)
        return each * self.weight(kappa / (1 - kappa)).to(each.dtype)


class Rounding(Sampled[Distribution]):
    r"""$-\log p(w \mid \hat x)$: how well the predicted x names the stored ids, nats per token.

    Li et al. 2022 (Diffusion-LM), equation 2; it keeps learned embeddings apart. The data must
    give `logits(x)`, as `data.Embedding` does.
    """

    def each(self, batch: Batch[Distribution]) -> Tensor:
        x = batch.noise.predict(batch.z, batch.t, batch.hat)
        logits = batch.data.logits(x)
        if logits is None:
            raise InputError(
                f"Rounding: {type(batch.data).__name__} has no logits(x); use data.Embedding, or "
                "define `logits` on your Data."
            )
        nats = torch.nn.functional.cross_entropy(
            logits.flatten(0, -2), batch.w.flatten(), reduction="none"
        )
        return tree.mean(nats.reshape(batch.w.shape))

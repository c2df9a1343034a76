"""Code that both type checkers must reject, on every line marked `wrong`."""

import torch
from torch import Tensor

from diffusion import Batch, Model, data, loss, net, noise, schedule
from diffusion.base import Distribution, Loss, Noise
from diffusion.distribution import Categorical, Normal


class OwnLoss(Loss[Normal]):
    """A loss for normal distributions only."""

    def compute(self, batch: Batch[Normal]) -> Tensor:
        return (batch.p.mu - batch.q.mu).abs().mean()


ids = data.Identity(torch.zeros(4, 8, dtype=torch.long))
nine, words = schedule.Cosine(9), net.Transformer(8)
model = Model(ids, nine, noise.Uniform(8), words, OwnLoss())  # wrong
other = Model(ids, nine, noise.Gaussian(), words, loss.CrossEntropy())  # wrong
mixed: Loss[Normal] = OwnLoss() + loss.CrossEntropy()  # wrong
widened: Loss[Distribution] = OwnLoss()  # wrong
narrowed: Noise[Categorical] = noise.Gaussian()  # wrong
spelt = noise.Gaussian(paramter="x")  # wrong

"""Code that both type checkers must accept."""

import torch
from torch import Tensor

from diffusion import Batch, Model, data, loss, net, noise, schedule
from diffusion.base import Distribution, Loss, Noise
from diffusion.distribution import Categorical, Normal


class OwnLoss(Loss[Normal]):
    """A loss for normal distributions only."""

    scale: float = 1.0

    def compute(self, batch: Batch[Normal]) -> Tensor:
        return self.scale * (batch.p.mu - batch.q.mu).abs().mean()


class AnyLoss(Loss[Distribution]):
    """A loss for every distribution."""

    def compute(self, batch: Batch[Distribution]) -> Tensor:
        return batch.q.dkl(batch.p).mean()


pictures = data.Identity(torch.zeros(4, 1, 8, 8), batch=2)
unet = net.UNet(channels=(1, 8, 8))

gaussian = Model(
    data=pictures,
    schedule=schedule.Linear(1000, 0.9999, 0.98),
    noise=noise.Gaussian(parameter="epsilon"),
    net=unet,
    loss=loss.Simple(parameter="epsilon") + 0.001 * loss.VLB() - OwnLoss(0.5) / 2,
)
words = Model(
    data=data.Identity(torch.zeros(4, 8, dtype=torch.long)),
    schedule=schedule.Cosine(100),
    noise=noise.Absorbing(8),
    net=net.Transformer(8) | torch.nn.Identity(),
    loss=loss.CrossEntropy() + AnyLoss(),
)
total: Loss[Normal] = sum([OwnLoss(), OwnLoss(2.0)], start=OwnLoss())
wide: Noise[Distribution] = noise.Gaussian()
narrow: Loss[Categorical] = AnyLoss()

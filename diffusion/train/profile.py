"""Averages of the weights whose width is chosen after training.

    model = Model(..., ema=train.Profile((0.05, 0.10)))
    ...
    sharper = model.ema.reconstruct(model, 0.03)

Two or more power-function averages are kept (Karras et al. 2024, EDM2, section 3; see
`diffusion.train.power`), and snapshots of them on the way, from which any width is put together.
Snapshots are evenly spaced; when there are as many as may be kept, every other one goes and the
spacing doubles, so that the length of training need not be known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from ..component import Component
from ..errors import InputError, require
from .average import copied, sampled, trained
from .power import WIDEST, combination, exponent

if TYPE_CHECKING:
    from ..model import Model


class Profile(Component):
    """`Model(ema=Profile(...))`: averages of several widths, and of any width after training.

    Args:
        widths: standard deviations of the averages over time, relative to the time trained; the
            model samples with the first. every: steps between two that are averaged.
        keep: snapshots in memory and in checkpoints, each as large as the weights times `widths`.
    """

    widths: tuple[float, ...] = (0.05, 0.10)
    every: int = 10
    keep: int = 16

    def __post_init__(self) -> None:
        self.widths = tuple(self.widths)
        fits = bool(self.widths) and all(0 < width <= WIDEST for width in self.widths)
        require(fits, "Profile.widths", "numbers in (0, 0.288]", self.widths)
        require(self.every >= 1, "Profile.every", "at least 1 step", self.every)
        require(self.keep >= 2, "Profile.keep", "at least 2", self.keep)

    def __call__(self, parts: nn.Module) -> Profiled:
        """The averages of these networks."""
        return Profiled(parts, self)

    def reconstruct(self, model: Model[Any], width: float) -> Model[Any]:
        """The model with its weights averaged at any width, for sampling; its own stay as they are.

        Widths near those kept, or between them, are reproduced best.
        """
        average = model.average
        if not isinstance(average, Profiled):
            raise InputError(
                "Profile.reconstruct: expected a model made with this ema=Profile(...)."
            )
        parts = average.reconstruct(width)
        for own, old in zip(parts.parameters(), sampled(model.parts).parameters(), strict=True):
            own.requires_grad_(old.requires_grad)
        data = model.data.using(dict(parts.data.items()))  # type: ignore[operator, union-attr]
        return model.replace(net=parts.net, data=data, ema=None)


class Profiled(AveragedModel):
    """The averages: `module` has the first width, `others` the rest."""

    taken: Tensor
    stride: Tensor
    stored: Tensor

    def __init__(self, parts: nn.Module, profile: Profile) -> None:
        super().__init__(nn.Module())
        self.names = trained(sampled(parts))
        self.module = copied(sampled(parts), self.names)
        self.profile = profile
        self.exponents = [exponent(width) for width in profile.widths]
        self.others = nn.ModuleList(copied(self.module, self.names) for _ in profile.widths[1:])
        first = self._flat(self.module)
        shape = profile.keep, len(profile.widths), first.numel()
        self.register_buffer("stored", first.new_zeros(shape))
        self.register_buffer("taken", torch.zeros(profile.keep, dtype=torch.long))
        self.register_buffer("stride", torch.ones((), dtype=torch.long))
        self.eval().requires_grad_(False)

    def update(self, model: nn.Module, step: int) -> None:
        """Called after every step (from 0) of training: takes in the weights of every k-th."""
        if step % self.profile.every == self.profile.every - 1:
            self.update_parameters(model)

    @torch.no_grad()
    def update_parameters(self, model: nn.Module) -> None:
        """Blend the present weights into every average; buffers are copied."""
        self.n_averaged += 1
        model, t = sampled(model), int(self.n_averaged)
        for mean, g in zip((self.module, *self.others), self.exponents, strict=True):
            own, now = self._weights(mean), self._weights(model)
            weight = 1 - (1 - 1 / t) ** (g + 1)
            torch._foreach_lerp_(own, now, weight)  # pyright: ignore[reportPrivateImportUsage]
            for kept, buffer in zip(mean.buffers(), model.buffers(), strict=True):
                kept.copy_(buffer)
        if t % int(self.stride) == 0:
            self._snapshot(t)

    @torch.no_grad()
    def reconstruct(self, width: float) -> nn.Module:
        """A copy of the networks with their weights averaged at `width`."""
        now = int(self.n_averaged)
        require(now > 0, "Profile.reconstruct", "at least one average; train first", f"{now}")
        count = int((self.taken > 0).sum())
        times = torch.cat([self.taken[:count].cpu(), torch.tensor([now])])
        basis = torch.cat([self.stored[:count], self._present()[None]]).flatten(0, 1)
        exponents = torch.tensor(self.exponents, dtype=torch.float64)
        each = times.repeat_interleave(len(exponents)), exponents.repeat(len(times))
        factors = combination(*each, now, exponent(width))
        flat = factors.to(basis.device) @ basis.double()
        made, first = copied(self.module, self.names), 0
        for weight in self._weights(made):
            weight.copy_(flat[first : first + weight.numel()].reshape(weight.shape))
            first += weight.numel()
        return made

    def _snapshot(self, t: int) -> None:
        count, keep = int((self.taken > 0).sum()), len(self.taken)
        if count == keep:  # those at odd places stay, the multiples of twice the stride
            count = keep // 2
            self.taken[:count], self.stored[:count] = self.taken[1::2].clone(), self.stored[1::2]
            self.taken[count:] = 0
            self.stride *= 2
            if t % int(self.stride):
                return
        self.taken[count], self.stored[count] = t, self._present()

    def _present(self) -> Tensor:
        return torch.stack([self._flat(mean) for mean in (self.module, *self.others)])

    def _flat(self, module: nn.Module) -> Tensor:
        weights = self._weights(module)
        double = any(weight.dtype == torch.float64 for weight in weights)
        dtype = torch.float64 if double else torch.float32
        flat = [weight.detach().flatten().to(dtype) for weight in weights]
        return torch.cat(flat) if flat else torch.zeros(0)  # all is frozen

    def _weights(self, module: nn.Module) -> list[Tensor]:
        named = dict(module.named_parameters())
        return [named[name] for name in self.names]

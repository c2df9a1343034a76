r"""An exponential moving average of all weights.

$\bar\theta \leftarrow \bar\theta + (1 - d)(\theta - \bar\theta)$, the decay d rising as
(1 + n)/(10 + n) with the number n of steps until it reaches its final value.

The average has a horizon of 1/(1 - d) steps. It takes in every k-th step's weights, a hundredth of
that horizon apart (at most 10 steps), with the decay of k steps: the sum has a hundred terms where
it could have a thousand nearly equal ones, and costs a k-th.

Weights that are frozen when the average is made, such as those of text encoders, are shared with
it: they have no second copy, in memory or in files.
"""

import copy
import math
from collections.abc import Container, Iterable

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


class Average(AveragedModel):
    """Torch's averaged model, with the tensors to average looked up once instead of every time."""

    def __init__(self, parts: nn.Module, decay: float) -> None:
        super().__init__(nn.Module())
        self.trained = trained(sampled(parts))
        self.module = copied(sampled(parts), self.trained)
        self.decay = decay
        self.every = min(10, max(1, round(0.01 / (1 - decay))))
        self._pairs: tuple[list[Tensor], list[Tensor]] | None = None
        self.eval().requires_grad_(False)

    def update(self, model: nn.Module, step: int) -> None:
        """Called after every step (from 0) of training: takes in the weights of every k-th."""
        if step % self.every == self.every - 1:
            self.update_parameters(model)

    def lost(self, step: int) -> float:
        """The share of the average that `every` steps after `step` replace."""
        count = range(step, step + self.every)
        return 1 - math.prod(min(self.decay, (1 + n) / (10 + n)) for n in count) if step else 1.0

    @torch.no_grad()
    def update_parameters(self, model: nn.Module) -> None:
        """Blend the present weights in; buffers are copied."""
        model = sampled(model)
        if self._pairs is None:
            own, now = dict(self.module.named_parameters()), dict(model.named_parameters())
            self._pairs = [own[name] for name in self.trained], [now[name] for name in self.trained]
        mean, present = self._pairs
        weight = self.lost(int(self.n_averaged))
        torch._foreach_lerp_(mean, present, weight)  # pyright: ignore[reportPrivateImportUsage]
        for kept, buffer in zip(self.module.buffers(), model.buffers(), strict=True):
            kept.copy_(buffer)
        self.n_averaged += self.every

    def _load_from_state_dict(self, *args: object, **kwargs: object) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self._pairs = None


def trained(parts: nn.Module) -> list[str]:
    """Names of the weights that training changes."""
    named = parts.named_parameters()
    return [name for name, value in named if value.requires_grad and value.is_floating_point()]


def copied(parts: nn.Module, names: Container[str]) -> nn.Module:
    """A copy with weights of its own for `names`, which shares the others."""
    shared = (value for name, value in parts.named_parameters() if name not in names)
    return copy.deepcopy(parts, {id(value): value for value in shared})


def own(average: nn.Module, parts: nn.Module) -> dict[str, Tensor]:
    """The tensors of an average that it does not share with the networks."""
    places = {value.data_ptr() for value in parts.parameters() if value.numel()}
    state = average.state_dict()
    return {name: value for name, value in state.items() if value.data_ptr() not in places}


def unshare(average: nn.Module, parts: nn.Module, names: Iterable[str]) -> None:
    """Give an average places of its own for tensors that it shares, so that they can be written."""
    mine, weights = own(average, parts), dict(average.named_parameters())
    for name in names:
        if name in weights and name not in mine:
            path, _, leaf = name.rpartition(".")
            value = nn.Parameter(weights[name].detach().clone(), requires_grad=False)
            average.get_submodule(path)._parameters[leaf] = value


def sampled(parts: nn.Module) -> nn.Module:
    """The networks that sampling uses: all but those of a loss."""
    if "loss" not in parts._modules:
        return parts
    kept = nn.Module()
    kept._modules = {name: part for name, part in parts._modules.items() if name != "loss"}
    return kept

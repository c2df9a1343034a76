r"""An exponential moving average of all weights.

$\bar\theta \leftarrow \bar\theta + (1 - d)(\theta - \bar\theta)$, the decay d rising as
(1 + n)/(10 + n) with the number n of updates until it reaches its final value.
"""

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


class Average(AveragedModel):
    """Torch's averaged model, with the tensors to average looked up once instead of every step."""

    def __init__(self, parts: nn.Module, decay: float) -> None:
        super().__init__(parts)
        self.decay = decay
        self.count = 0
        self._pairs: tuple[list[Tensor], list[Tensor]] | None = None
        self.eval().requires_grad_(False)

    @torch.no_grad()
    def update_parameters(self, model: nn.Module) -> None:
        """Blend the present weights in; buffers are copied."""
        if self._pairs is None:
            self.count = int(self.n_averaged)
            own, now = dict(self.module.named_parameters()), dict(model.named_parameters())
            floating = [name for name, value in own.items() if value.is_floating_point()]
            self._pairs = [own[name] for name in floating], [now[name] for name in floating]
        mean, present = self._pairs
        weight = 1 - min(self.decay, (1 + self.count) / (10 + self.count)) if self.count else 1.0
        torch._foreach_lerp_(mean, present, weight)  # pyright: ignore[reportPrivateImportUsage]
        for kept, buffer in zip(self.module.buffers(), model.buffers(), strict=True):
            kept.copy_(buffer)
        self.count += 1
        self.n_averaged.fill_(self.count)

    def _load_from_state_dict(self, *args: object, **kwargs: object) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self._pairs = None

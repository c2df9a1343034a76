"""The first layer of a transformer: ids or vectors to the model's width."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Tokens(nn.Module):
    """`[b, l]` ids, or `[b, l, input]` vectors, to `[b, l, width]`, by one matrix.

    An id picks the row that its one-hot vector would.
    """

    def __init__(self, input: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(input, width))
        self.bias = nn.Parameter(torch.empty(width))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        # Vectors of unit variance stay so; the rows of a large vocabulary must not vanish.
        nn.init.normal_(self.weight, std=max(self.weight.shape[0] ** -0.5, 0.02))
        nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        if x.is_floating_point():
            return F.linear(x, self.weight.T, self.bias)
        return F.embedding(x.long(), self.weight) + self.bias

r"""Linear maps x -> A·x of batches of states, what `Observe` is told is known about x.

Any function of `x` `[b, ...]` that is linear, and does not mix samples, will do; its transpose
comes by automatic differentiation. These are components, so a model that holds one can be saved.
"""

import math
from abc import abstractmethod

import torch
from torch import Tensor, nn

from ..component import Component
from ..errors import choose, require

POOLS = (nn.functional.avg_pool1d, nn.functional.avg_pool2d, nn.functional.avg_pool3d)
CONVOLUTIONS = (nn.functional.conv1d, nn.functional.conv2d, nn.functional.conv3d)


class Operator(Component):
    """A linear map of each state of a batch."""

    @abstractmethod
    def __call__(self, x: Tensor) -> Tensor:
        """A·x: `[b, ...] -> [b, ...]`."""


class Mask(Operator):
    """Some of the elements, for inpainting: `[b, ...] -> [b, m]`.

    Args:
        mask: booleans in the shape of one state, True where x is observed.
    """

    mask: Tensor

    def __post_init__(self) -> None:
        known = isinstance(self.mask, Tensor) and self.mask.dtype == torch.bool
        got = getattr(self.mask, "dtype", type(self.mask).__name__)
        require(known and bool(self.mask.any()), "Mask.mask", "booleans, at least one True", got)
        vars(self)["_index"] = self.mask.flatten().nonzero().squeeze(1)

    def __call__(self, x: Tensor) -> Tensor:
        fits = x.shape[1:] == self.mask.shape
        require(fits, "Mask.mask", f"the shape of a state {list(x.shape[1:])}", self.mask.shape)
        index: Tensor = self.__dict__["_index"]
        return x.flatten(1).index_select(1, index.to(x.device))


class Pool(Operator):
    """Means of blocks, for super-resolution: every side of `[b, c, *sides]` by `factor`."""

    factor: int

    def __post_init__(self) -> None:
        require(self.factor >= 1, "Pool.factor", "at least 1", self.factor)

    def __call__(self, x: Tensor) -> Tensor:
        fits = 3 <= x.dim() <= 5 and all(side % self.factor == 0 for side in x.shape[2:])
        expected = f"x [b, c, *sides], sides divisible by {self.factor}"
        require(fits, "Pool.factor", expected, list(x.shape))
        small: Tensor = POOLS[x.dim() - 3](x, self.factor)
        return small


class Blur(Operator):
    """Convolution of every channel of `[b, c, *sides]` with a kernel, for deblurring.

    Args:
        kernel: weights, of as many axes as there are sides, each of odd length.
        edges: what is outside: "circular", "reflect" or "zeros".
    """

    kernel: Tensor
    edges: str = "circular"

    def __post_init__(self) -> None:
        choose("Blur.edges", self.edges, ("circular", "reflect", "zeros"))
        odd = 1 <= self.kernel.dim() <= 3 and all(side % 2 for side in self.kernel.shape)
        require(odd, "Blur.kernel", "1 to 3 axes of odd length", list(self.kernel.shape))

    @classmethod
    def gaussian(cls, std: float, axes: int = 2, edges: str = "circular") -> "Blur":
        """A Gaussian kernel, cut off at three standard deviations."""
        require(std > 0, "Blur.gaussian", "a standard deviation > 0", std)
        reach = math.ceil(3 * std)
        line = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / std) ** 2)
        kernel = line / line.sum()
        for _ in range(axes - 1):
            kernel = kernel.unsqueeze(-1) * (line / line.sum())
        return cls(kernel, edges)

    def __call__(self, x: Tensor) -> Tensor:
        axes = self.kernel.dim()
        require(x.dim() == axes + 2, "Blur.kernel", f"one axis a side of {list(x.shape)}", axes)
        around = [side // 2 for side in reversed(self.kernel.shape) for _ in range(2)]
        mode = "constant" if self.edges == "zeros" else self.edges
        wide = nn.functional.pad(x, around, mode)
        channels = x.shape[1]
        weight = self.kernel.to(x).expand(channels, 1, *self.kernel.shape)
        blurred: Tensor = CONVOLUTIONS[axes - 1](wide, weight, groups=channels)
        return blurred

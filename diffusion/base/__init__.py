"""The contracts: one abstract class for each kind of module, and `Bridge`.

Symbols as in the papers: `w` a data item as stored, `x` its encoding (what is diffused), `y` the
condition (0 is the null condition), `t` the time (integer tensor 0..T, or floating in [0, 1]),
`z` the noisy state x_t, `epsilon` the noise in it, `hat` the network's output `[p, b, ...]`,
`q` the true posterior q(x_s | x_t, x_0), `p` the model's p(x_s | x_t).
"""

from typing import TYPE_CHECKING, Any

from .data import Data
from .distribution import D, D_co, D_contra, Distribution
from .grid import Grid
from .loss import Loss
from .net import Net
from .noise import Bridge, Noise
from .sampler import Guidance, Predict, Sampler
from .schedule import Schedule
from .time import Time

if TYPE_CHECKING:
    from ..batch import Batch

__all__ = [
    "Batch", "Bridge", "D", "D_co", "D_contra", "Data", "Distribution", "Grid", "Guidance", "Loss",
    "Net", "Noise", "Predict", "Sampler", "Schedule", "Time",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name == "Batch":  # a batch is not a component; it lives in its own file, which imports this
        from ..batch import Batch

        return Batch
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

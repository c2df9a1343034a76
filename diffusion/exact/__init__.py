"""Ground truth: problems whose answers are known in closed form, or by finite sums."""

from .beds import beds
from .empirical import Empirical
from .enumerated import Enumerated
from .flow_map import flow_map
from .linear import LinearGaussian
from .mixture import Mixture
from .oracle import oracle

__all__ = ["Empirical", "Enumerated", "LinearGaussian", "Mixture", "beds", "flow_map", "oracle"]

"""Samplers of categorical noise beyond ancestral steps."""

from .leap import TauLeap
from .remask import Remask
from .trapezoidal import Trapezoidal
from .unmask import Confident, EntropyBound

__all__ = ["Confident", "EntropyBound", "Remask", "TauLeap", "Trapezoidal"]

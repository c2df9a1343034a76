"""The faults that `blame` is tested with."""

from .around import AROUND
from .within import WITHIN

FAULTS = [*WITHIN, *AROUND]

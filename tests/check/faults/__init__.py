"""Modules with one planted fault each, and the name of the exam that must find it.

Each derives from a sound module, so that nothing but the fault is wrong.
"""

from . import fields, laws, processes, sampling, training
from .laws import Rising
from .processes import TypoPrior

FAULTS = [
    *processes.FAULTS, *laws.FAULTS, *fields.FAULTS, *training.FAULTS, *sampling.FAULTS,
]  # fmt: skip
"""Every faulty module with the exam that must name it."""

__all__ = ["FAULTS", "Rising", "TypoPrior"]

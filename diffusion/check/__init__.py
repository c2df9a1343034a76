"""The conformance kit: one examination for modules of every kind, the user's own included."""

from .examine import check
from .report import Report, Result

__all__ = ["Report", "Result", "check"]

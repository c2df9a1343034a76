"""Traces: what every block of a run was given and made, kept, read again, and shown."""

from .folder import inputs
from .record import Record
from .recorder import Tracing
from .trace import Trace
from .value import Summary

__all__ = ["Record", "Summary", "Trace", "Tracing", "inputs"]

"""The commands for pipelines."""

from .commands import pipelines

__all__ = ["pipelines"]

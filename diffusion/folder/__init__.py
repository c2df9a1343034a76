"""Models on disk: readable YAML and safetensors, written atomically, read without executing."""

from .model import load, save

__all__ = ["load", "save"]

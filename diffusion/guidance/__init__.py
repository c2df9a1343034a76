"""Guidance: modules that change what the network predicts while sampling."""

from .classifier_free import ClassifierFree
from .compose import Compose

__all__ = ["ClassifierFree", "Compose"]

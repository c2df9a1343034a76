"""Guidance: modules that change what the network predicts while sampling."""

from .auto import Auto
from .chain import Chain
from .classifier import Classifier
from .classifier_free import ClassifierFree
from .compose import Compose
from .interval import Interval
from .observe import Observe
from .operator import Blur, Mask, Pool
from .plusplus import PlusPlus
from .project import Project
from .rescale import Rescale
from .tempered import Nucleus, Temperature
from .threshold import Threshold

__all__ = [
    "Auto", "Blur", "Chain", "Classifier", "ClassifierFree", "Compose", "Interval", "Mask",
    "Nucleus", "Observe", "PlusPlus", "Pool", "Project", "Rescale", "Temperature", "Threshold",
]  # fmt: skip

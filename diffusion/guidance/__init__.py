"""Guidance: modules that change what the network predicts while sampling."""

from .auto import Auto
from .chain import Chain
from .classifier import Classifier
from .classifier_free import ClassifierFree
from .compose import Compose
from .each import Each
from .interval import Interval
from .observe import Observe
from .operator import Blur, Mask, Pool
from .plusplus import PlusPlus
from .project import Project
from .regions import Regions
from .rescale import Rescale
from .tempered import Nucleus, Temperature
from .threshold import Threshold

__all__ = [
    "Auto", "Blur", "Chain", "Classifier", "ClassifierFree", "Compose", "Each", "Interval", "Mask",
    "Nucleus", "Observe", "PlusPlus", "Pool", "Project", "Regions", "Rescale", "Temperature",
    "Threshold",
]  # fmt: skip

"""Which times the training visits."""

from .importance import Importance
from .joint import Joint
from .plain import Continuous, Discrete, LogitNormal, LogNormal, Stratified

__all__ = [
    "Continuous",
    "Discrete",
    "Importance",
    "Joint",
    "LogNormal",
    "LogitNormal",
    "Stratified",
]

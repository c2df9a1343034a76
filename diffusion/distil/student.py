"""Students that begin as a copy of their teacher."""

from __future__ import annotations

import copy
from typing import Any

from ..base import Net
from ..model import Model


def copied(teacher: Model[Any]) -> Net:
    """A copy of the teacher's network with the weights it samples by, ready to be trained."""
    from ..sampling.network import weights

    net: Any = copy.deepcopy(weights(teacher)[0])
    for own, old in zip(net.parameters(), teacher.net.parameters(), strict=True):
        own.requires_grad_(old.requires_grad)
    found: Net = net.train(teacher.net.training)
    return found


def student(teacher: Model[Any], **modules: Any) -> Model[Any]:
    """A model like `teacher` whose network starts from a copy of the teacher's weights.

    Args:
        modules: what is different: the loss at least, and usually the sampler. The guidance is
            None if it is not given: the student learns what the guided teacher predicts.
    """
    return teacher.replace(**{"net": copied(teacher), "guidance": None, **modules})

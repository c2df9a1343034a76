"""What training accumulates beside the weights: where it is, and what it has seen."""

from dataclasses import dataclass, field

import torch


@dataclass
class Run:
    """The state of training. All randomness is a function of (seed, step), so none is stored.

    Attributes:
        step: finished optimiser steps. history: the mean of each loss term, epoch by epoch.
        sums, count: of the epoch under way. optimizer: made at the first step.
    """

    step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    sums: dict[str, float] = field(default_factory=dict)
    count: int = 0
    optimizer: torch.optim.Optimizer | None = None

    def add(self, values: dict[str, float]) -> None:
        """Account for one step."""
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
        self.count += 1
        self.step += 1

    def close(self) -> float:
        """End the epoch; its mean loss."""
        means = {name: total / max(self.count, 1) for name, total in self.sums.items()}
        self.history.append(means)
        self.sums, self.count = {}, 0
        return means["loss"]

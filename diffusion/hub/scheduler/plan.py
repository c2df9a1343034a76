"""What a `scheduler_config.json` stands for, in modules of ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from ...base import Guidance, Sampler, Schedule, Time
from ...errors import InputError
from ...noise import Gaussian
from .timestep import Timestep


@dataclass(frozen=True)
class Plan:
    """The modules of a scheduler.

    Attributes:
        schedule, noise: the process; `noise.bind(schedule)` follows it.
        sampler: an `On`: the solver, on the grid of the file's settings.
        time: which times training visits; continuous ones for flows and EDM.
        timestep: how the network is told the time t: `timestep(t, bound().clock)`.
        guidance: what the scheduler does to the predicted x, or None. To the right of others.
        config: the file's settings as they were. ignored: keys among them that its class has no
            use for, as they belong to other schedulers.
    """

    schedule: Schedule
    noise: Gaussian
    sampler: Sampler
    time: Time
    timestep: Timestep
    guidance: Guidance | None = None
    config: dict[str, Any] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()

    def bound(self) -> Gaussian:
        """The noise, following the schedule."""
        return self.noise.bind(self.schedule)

    def times(self, steps: int) -> list[Any]:
        """Host times of `steps` steps, from the first to the last."""
        grid = self.sampler.grid(steps)
        if grid is None:
            raise InputError(f"{self.sampler!r} has no grid of its own.")
        return grid.times(self.bound().clock, self.time.continuous)

    def given(self, timesteps: Sequence[int]) -> list[int]:
        """Times for `timesteps` of the table that a user gives, such as Align Your Steps': then 0.

        Errors: timesteps that do not fall strictly within the table.
        """
        if self.timestep.kind != "index":
            raise InputError("Plan.given: timesteps are places in a table of betas, which this "
                             "scheduler has not; give model.sample(steps=[times]).")  # fmt: skip
        found = [int(k) + 1 for k in timesteps]
        ends = bool(found) and found[0] <= self.schedule.steps and found[-1] >= 1
        if not ends or any(a <= b for a, b in pairwise(found)):
            raise InputError(f"Plan.given: expected timesteps that fall strictly from at most "
                             f"{self.schedule.steps - 1} to 0; got {list(timesteps)}.")  # fmt: skip
        return [*found, 0]

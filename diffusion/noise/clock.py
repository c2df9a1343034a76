"""A schedule bound to a process: (signal, sigma) at any kind of time.

Times are an int (step index) or a float (u = t/T) for a whole batch, answered with Python floats,
or tensors `[b]`, answered with float64 tensors `[b]`. Tables are float64 and computed once.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import torch
from torch import Tensor

from ..base import Schedule
from ..errors import InputError, choose
from ..schedule.scales import bars, between, scales_table
from ..schedule.scales import survival as share

_STEP = 1e-5
PLANS, TIMES = 16, 1024
"""How many plans of samplers, and scales at continuous times, are kept for another sampling."""

PATHS = ("schedule", "vp", "ve", "flow")
"""How z is scaled at a given signal-to-noise ratio: as the schedule says, signal² + sigma² = 1,
signal = 1, or signal + sigma = 1."""


def along(path: str, signal: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
    """Rescale z to another path: the same signal-to-noise ratio."""
    if path == "schedule":
        return signal, sigma
    choose("path", path, PATHS)
    norm = {"vp": (signal**2 + sigma**2).sqrt(), "ve": signal, "flow": signal + sigma}[path]
    return signal / norm, sigma / norm


def halfway(path: str, signal: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
    """The scales half a step from the data: the root of kappa."""
    kappa = share(signal, sigma).clamp_min(1e-8).sqrt()  # pure noise has no root nearer the data
    power = (signal**2 + sigma**2).sqrt()
    return along(path, (kappa * power).sqrt(), ((1 - kappa) * power).sqrt())


class Clock:
    """(signal, sigma), their derivatives, and kappa = signal²/(signal² + sigma²), by time.

    Args:
        soft: hold t = 0 half a step away from the data: its kappa is the root of t = 1's.
    """

    def __init__(self, schedule: Schedule, path: str = "schedule", soft: bool = False) -> None:
        self.inner = schedule
        self.path = path
        self.soft = soft
        self.steps = schedule.steps
        signal, sigma = along(path, *scales_table(schedule))
        derived = type(schedule).scales is Schedule.scales
        self._bar = bars(schedule) if derived else None
        if not (signal.isfinite() & sigma.isfinite()).all():
            raise InputError(
                f"path={path!r} can't follow {schedule!r}: signal is 0 at t = T, so z would be "
                "infinite. Use path='vp' or 'flow'."
            )
        if soft:
            signal[0], sigma[0] = halfway(path, signal[1], sigma[1])
        self._table = torch.stack([signal, sigma])
        self._host: list[tuple[float, float]] = list(zip(*self._table.tolist(), strict=True))
        self._on: dict[torch.device, Tensor] = {self._table.device: self._table}
        # Slopes that a subclass inherits may not be those of its own scales.
        same = issubclass(_owner(schedule, "slopes"), _owner(schedule, "scales"))
        self._own_slopes = same and path == "schedule"
        self._rates: Tensor | None = None
        self._at: dict[float, tuple[float, float]] = {0.0: self._host[0]}
        self._memo: tuple[Tensor, int, tuple[Tensor, Tensor]] | None = None
        self._rate_at: dict[float, tuple[float, float]] = {}
        self._plans: dict[Hashable, Any] = {}

    def __call__(self, t: Any) -> tuple[Any, Any]:
        """(signal, sigma) at `t`."""
        if isinstance(t, int):
            return self._host[t]
        if isinstance(t, float):
            while (found := self._at.get(t)) is None:  # another thread may make room in between
                self.prepare([t])
            return found
        if t.is_floating_point():
            # One training step asks for the scales of its times more than once.
            # An inference tensor has no version: it is asked anew each time.
            memo, version = self._memo, -1 if t.is_inference() else t._version
            if memo is None or memo[0] is not t or version < 0 or memo[1] != version:
                self._memo = memo = (t, version, self._tensors(t.double()))
            return memo[2]
        if t.device not in self._on:
            self._on[t.device] = self._table.to(t.device)
        signal, sigma = self._on[t.device][:, t]
        return signal, sigma

    def kappa(self, t: Any) -> Any:
        """The share of signal in the variance: alpha-bar."""
        signal, sigma = self(t)
        return signal**2 / (signal**2 + sigma**2)

    def rates(self, t: Any) -> tuple[Any, Any]:
        """d/du of (signal, sigma) along the path, u = t/T."""
        if isinstance(t, (int, float)):
            u = t / self.steps if isinstance(t, int) else t
            while (found := self._rate_at.get(u)) is None:
                self.prepare([u])
            return found
        if t.is_floating_point():
            return self._slope(t.double())
        if self._rates is None:
            every = self._u(torch.arange(self.steps + 1))
            self._rates = torch.stack([_full(v, every) for v in self._slope(every)])
        signal, sigma = self._rates.to(t.device)[:, t]
        return signal, sigma

    def before(self, t: Any) -> Any:
        """One step earlier; at continuous times not past the data, if soft not nearer than t/2."""
        if isinstance(t, int) or (isinstance(t, Tensor) and not t.is_floating_point()):
            return t - 1
        earlier, half = t - 1 / self.steps, 0.5 / self.steps if self.soft else 0.0
        if isinstance(t, float):
            return max(earlier, min(t / 2, half))
        return torch.maximum(earlier, (t / 2).clamp_max(half))

    def prepare(self, times: Sequence[Any]) -> None:
        """Evaluate host times at once, so that a step of a sampler only looks numbers up."""
        host = [t / self.steps if isinstance(t, int) else t for t in times]
        u = [t for t in host if t not in self._at or t not in self._rate_at]
        if not u:
            return
        if len(self._at) + len(u) > TIMES:
            u, self._at, self._rate_at = host, {}, {}
        at = torch.tensor(u, dtype=torch.float64)
        for table, pair in ((self._at, self._continuous(at)), (self._rate_at, self._slope(at))):
            values = zip(*(_full(v, at).tolist() for v in pair), strict=True)
            table.update(zip(u, values, strict=True))
        self._at[0.0] = self._host[0]

    def recent(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """`make()`, or what it gave for an equal key not long ago; threads may share it."""
        plans = self._plans
        found = plans.get(key)
        if found is None:
            found = make()
        plans.pop(key, None)
        plans[key] = found  # the newest comes last
        for old in list(plans)[:-PLANS]:
            plans.pop(old, None)
        return found

    def _tensors(self, u: Tensor) -> tuple[Tensor, Tensor]:
        signal, sigma = self._continuous(u)
        if u.device.type == "cpu" and u.all():
            return signal, sigma
        (one, none), zero = self._host[0], u == 0
        return torch.where(zero, one, signal), torch.where(zero, none, sigma)

    def _continuous(self, u: Tensor) -> tuple[Tensor, Tensor]:
        pair = self.inner.scales(u) if self._bar is None else between(self._bar, u)
        return along(self.path, *pair)

    def _u(self, t: Tensor) -> Tensor:
        return t.double() if t.is_floating_point() else t.double() / self.steps

    def _slope(self, u: Tensor) -> tuple[Any, Any]:
        """In closed form, or by central differences in float64: exact to 1e-10."""
        closed = self.inner.slopes(u) if self._own_slopes else None
        if closed is not None:
            return closed
        middle = u.clamp(2 * _STEP, 1 - 2 * _STEP)  # square roots have no slope at the ends
        around = torch.stack([middle + _STEP, middle - _STEP])
        pair = [scale.expand_as(around) for scale in self._continuous(around)]
        after, before = torch.stack(pair, 1).unbind(0)
        signal, sigma = (after - before) / (2 * _STEP)
        return signal, sigma


def _full(value: Any, like: Tensor) -> Tensor:
    return torch.as_tensor(value, dtype=like.dtype, device=like.device).expand_as(like)


def _owner(schedule: Schedule, method: str) -> type:
    return next(kind for kind in type(schedule).__mro__ if method in vars(kind))


def fit(value: Any, like: Tensor) -> Tensor:
    """A coefficient made ready to multiply `like`: floats as they are, `[b]` as `[b, 1, ...]`.

    Half types are multiplied in float32; results are cast back by the caller.
    """
    if not isinstance(value, Tensor):
        number: Any = value
        return number  # type: ignore[no-any-return]
    dtype = torch.float64 if like.dtype == torch.float64 else torch.float32
    return value.to(dtype).reshape(-1, *(1,) * (like.dim() - 1))

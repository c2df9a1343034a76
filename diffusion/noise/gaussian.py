r"""Gaussian processes: VP, VE, EDM and flow matching, with any parametrisation.

    z    = signal·x + sigma·epsilon
    x_s  ~ N(signal_s·x + sqrt(sigma_s² - v)·(z - signal·x)/sigma, v)
    v    = eta²·sigma_s²·(1 - (signal·sigma_s / (signal_s·sigma))²)

eta = 1 is DDPM (Ho et al. 2020, equation 7), eta = 0 is DDIM (Song et al. 2021, equation 12), and
Euler's method on straight paths.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Self

import torch
from torch import Tensor

from ..base import Bridge, Schedule
from ..distribution import Normal
from ..errors import InputError, choose, require
from ..parameter import ROWS, Point, Solve, gain, solve
from ..tree import State
from .clock import TIMES, Clock, fit, halfway
from .split import Split
from .variance import learned

VARIANCES = ("fixed", "range", "learned")


class Gaussian(Bridge[Normal]):
    r"""Gaussian noise.

    Args:
        parameter: what the network predicts, a row of `diffusion.parameter.ROWS`.
        variance: of p(x_s | x_t). "fixed": v above. "range": `hat[1]` in [-1, 1] blends the log
            variances v (-1) and beta (+1), Nichol & Dhariwal 2021, equation 15. "learned":
            `hat[1]` is the log variance.
        path: "schedule" takes the schedule's own scales; "vp", "ve" and "flow" rescale z and keep
            the signal-to-noise ratio.
        eta: noise in each step, 0 (none) to 1 (the exact posterior).
        sigma_data: standard deviation of the data, for the parameter "F".
    """

    parameter: str = "x"
    variance: str = "fixed"
    path: str = "schedule"
    eta: float = 1.0
    sigma_data: float = 0.5

    def __post_init__(self) -> None:
        choose("Gaussian.parameter", self.parameter, ROWS)
        choose("Gaussian.variance", self.variance, VARIANCES)
        choose("Gaussian.path", self.path, ("schedule", "vp", "ve", "flow"))
        require(0 <= self.eta <= 1, "Gaussian.eta", "a number in [0, 1]", self.eta)
        require(self.sigma_data > 0, "Gaussian.sigma_data", "a positive number", self.sigma_data)

    @property
    def clock(self) -> Clock:
        """The bound schedule."""
        try:
            clock: Clock = self.__dict__["_clock"]
        except KeyError:
            raise InputError(
                f"{self!r} is not bound to a schedule yet: noise.bind(schedule)."
            ) from None
        return clock

    def bind(self, schedule: Schedule, soft: bool = False, like: State = None) -> Self:
        clock = Clock(schedule, self.path, soft)
        if self.parameter in ("epsilon", "score") and clock(clock.steps)[0] == 0:
            raise InputError(
                f"Gaussian(parameter={self.parameter!r}) on {schedule!r}: signal is 0 at t = T, so "
                "x can't be told from the noise. Use parameter='x', 'v' or 'velocity'."
            )
        if self.parameter == "F" and clock(clock.steps)[0] == 0:
            raise InputError(f"Gaussian(parameter='F') on {schedule!r}: sigma/signal is infinite.")
        other = self.vary()
        signal, sigma = clock(clock.steps)
        exploding = bool(signal**2 + sigma**2 > 2.0)
        vars(other).update(_clock=clock, _plan={}, _exploding=exploding)
        return other

    def prepare(self, times: Sequence[Any]) -> None:
        if isinstance(times[0], float):
            self.clock.prepare(times[:-1])
        vars(self)["_grid"] = tuple(times)

    def before(self, t: Any) -> Any:
        return self.clock.before(t)

    def stationary(self, shape: tuple[int, ...]) -> Normal:
        return self.pure(shape, self.clock.steps)

    def pure(self, shape: Any, t: Any) -> Normal:
        """N(0, signal² + sigma²): the moments of the marginal for data of unit variance."""
        signal, sigma = self.clock(t)
        return Normal(torch.zeros(shape), (signal**2 + sigma**2) ** 0.5)

    def prior(self, x: Tensor, t: Any) -> Normal:
        signal, sigma = (fit(v, x) for v in self.clock(t))
        return Normal((signal * x).to(x.dtype), _as(sigma, x))

    def solve(self, t: Any) -> Solve:
        """Coefficients from (z, target) to (x, epsilon)."""
        return solve(self.parameter, self.point(t))

    def point(self, t: Any) -> Point:
        """Where the rows are evaluated."""
        signal, sigma = self.clock(t)
        return Point(signal, sigma, lambda: self.clock.rates(t), self.sigma_data)

    def target(self, name: str, x: Tensor, epsilon: Tensor, t: Any) -> Tensor:
        """a·x + b·epsilon for the row `name`."""
        a, b = (fit(v, x) for v in ROWS[name](self.point(t)))
        if isinstance(b, Tensor):
            return torch.addcmul(a * x, b, epsilon).to(x.dtype)
        return torch.add(a * x, epsilon, alpha=b).to(x.dtype)

    def gain(self, t: Any) -> Any:
        """How an error in x shows in this network's target, `[b]`; see `parameter.gain`."""
        return gain(self.parameter, self.point(t))

    def express(self, z: Tensor, t: Any, x: Tensor) -> Tensor:
        """`hat[0]` for a predicted x: the inverse of `predict`."""
        if self.parameter == "x":
            return x
        solved = self.solve(t)
        return ((x - fit(solved.xz, z) * z) / fit(solved.xh, z)).to(z.dtype)

    def predict(self, z: Tensor, t: Any, hat: Tensor | Split) -> Tensor:
        if isinstance(hat, Split):
            hat = hat.x
        if self.parameter == "x":
            return hat[0]
        solved = self.solve(t)
        return (fit(solved.xz, z) * z + fit(solved.xh, z) * hat[0]).to(z.dtype)

    def predict_epsilon(self, z: Tensor, t: Any, hat: Tensor | Split) -> Tensor:
        """The noise that `hat` stands for."""
        if isinstance(hat, Split):
            hat = hat.epsilon
        solved = self.solve(t)
        return (fit(solved.ez, z) * z + fit(solved.eh, z) * hat[0]).to(z.dtype)

    def bridge(self, x: Tensor, z: Tensor, t: Any, s: Any) -> Normal:
        on_x, on_z, deviation = self._weights(t, s)
        return Normal((fit(on_x, z) * x + fit(on_z, z) * z).to(z.dtype), _as(fit(deviation, z), z))

    def step(self, z: Tensor, t: Any, s: Any, hat: Tensor | Split) -> Normal:
        if isinstance(hat, Split):
            return self._split(z, t, s, hat)
        if not isinstance(t, Tensor):
            on_z, on_h, deviation = self._planned(t, s)
            mean = torch.add(z if on_z == 1 else z * on_z, hat[0], alpha=on_h)
            if self.variance == "fixed":
                return Normal(mean, deviation)
        else:
            on_z, on_h, deviation = self._towards(t, s)
            mean = (fit(on_z, z) * z + fit(on_h, z) * hat[0]).to(z.dtype)
            if self.variance == "fixed":
                return Normal(mean, _as(fit(deviation, z), z))
        return Normal(mean, learned(self.variance, z, self.clock(t), self.clock(s), hat))

    def _split(self, z: Tensor, t: Any, s: Any, hat: Split) -> Normal:
        """signal_s·x + sqrt(sigma_s² - v)·epsilon; see `diffusion.noise.split`."""
        _, on_z, deviation = self._weights(t, s)
        scales, target = self.clock(t), self.clock(s)
        x, epsilon = self.predict(z, t, hat), self.predict_epsilon(z, t, hat)
        mean = (fit(target[0], z) * x + fit(on_z * scales[1], z) * epsilon).to(z.dtype)
        if self.variance == "fixed":
            return Normal(mean, _as(fit(deviation, z), z))
        return Normal(mean, learned(self.variance, z, scales, target, hat.x))

    def decoder(self, z: Tensor, t: Any, hat: Tensor) -> Normal:
        """p(x_0 | x_t) with a density: around the predicted x, as wide as the noise in z/signal.

        That width is the posterior's where data are broad; Ho et al. 2020 call it sigma² = beta.
        """
        x = self.predict(z, t, hat)
        if self.variance != "fixed":
            half = halfway(self.path, *self.clock(t))
            return Normal(x, learned(self.variance, z, self.clock(t), half, hat))
        signal, sigma = self.clock(t)
        return Normal(x, fit(sigma / signal, z))

    def inputs(self, z: Tensor, t: Any) -> Tensor:
        """z at unit variance for VE processes and for F (Karras et al. 2022, c_in); else z."""
        if self.parameter != "F" and not self.__dict__["_exploding"]:
            return z
        signal, sigma = self.clock(t)
        spread = self.sigma_data if self.parameter == "F" else 1.0
        return (z * fit((signal**2 * spread**2 + sigma**2) ** -0.5, z)).to(z.dtype)

    def _planned(self, t: Any, s: Any) -> tuple[float, float, float]:
        """`_towards` at host times: looked up, after one evaluation for the whole sampling."""
        plan = self.__dict__["_plan"]
        own = self.eta, self.parameter, self.sigma_data  # a varied copy shares the plans
        found: tuple[float, float, float] | None = plan.get((t, s, *own))
        if found is None:
            pairs = [*pairwise(self.__dict__.get("_grid", ()))]
            if (t, s) not in pairs:
                pairs = [(t, s)]
            dtype = torch.float64 if isinstance(t, float) else torch.long
            ends = (torch.tensor(times, dtype=dtype) for times in zip(*pairs, strict=True))
            on_z, *others = self._towards(*ends)
            euler = (on_z - 1).abs() < 1e-14  # straight paths: rounding aside, z itself
            values = (v.tolist() for v in (torch.where(euler, 1.0, on_z), *others))
            keys = ((*pair, *own) for pair in pairs)
            made = dict(zip(keys, zip(*values, strict=True), strict=True))
            if len(plan) + len(made) > TIMES:
                plan.clear()
            plan.update(made)
            found = made[t, s, *own]
        return found

    def _towards(self, t: Any, s: Any) -> tuple[Any, Any, Any]:
        """The same for p: mean coefficients on z and on the network's output."""
        on_x, on_z, deviation = self._weights(t, s)
        solved = self.solve(t)
        return on_z + on_x * solved.xz, on_x * solved.xh, deviation

    def _weights(self, t: Any, s: Any) -> tuple[Any, Any, Any]:
        """Mean coefficients on x and z, and the standard deviation, of the bridge from t to s."""
        (signal, sigma), (signal_s, sigma_s) = self.clock(t), self.clock(s)
        lost = 1 - (signal * sigma_s / (signal_s * sigma)) ** 2
        variance = self.eta**2 * sigma_s**2 * lost
        on_z = (sigma_s**2 - variance) ** 0.5 / sigma
        return signal_s - on_z * signal, on_z, variance**0.5


def _as(value: Any, like: Tensor) -> Any:
    return value.to(like.dtype) if isinstance(value, Tensor) else value

"""The contracts: one abstract class for each kind of module, and `Bridge`.

Symbols as in the papers: `w` a data item as stored, `x` its encoding (what is diffused), `y` the
condition (0 is the null condition), `t` the time (integer tensor 0..T, or floating in [0, 1]),
`z` the noisy state x_t, `epsilon` the noise in it, `hat` the network's output `[p, b, ...]`,
`q` the true posterior q(x_s | x_t, x_0), `p` the model's p(x_s | x_t).
"""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeAlias, TypeVar

from torch import Tensor, nn

from .component import Component, arguments
from .errors import InputError
from .rng import Rng
from .tree import State

if TYPE_CHECKING:
    from .batch import Batch
    from .loss.algebra import Product, Sum

__all__ = [
    "Batch", "Bridge", "Data", "Distribution", "Guidance", "Loss", "Net", "Noise", "Predict",
    "Sampler", "Schedule", "Time",
]  # fmt: skip

Predict: TypeAlias = Callable[[State, State, Any], State]
"""`predict(z, y, t) -> hat`: the network as samplers see it; `t` is a host number or a tensor."""


class Data(Component):
    """Training data and the transform between what is stored and what is diffused.

    Args:
        w: items, first axis the item: a tensor, a (memory-mapped) array, a map-style data set
            whose items are `w` or `(w, y)`, or None when only sampling.
        y: conditions, one for each item; class ids are 1..K, 0 is the null condition.
        batch: items in a batch. shuffle: a new order each epoch, a function of (seed, epoch).
        names: class names in the order of their ids 1..K.

    `nn.Module`s assigned to attributes are trained, moved and saved with the model.
    """

    w: Any = None
    y: Any = None
    batch: int = 1
    shuffle: bool = False
    names: tuple[str, ...] = field(default=(), kw_only=True)

    @abstractmethod
    def encode(self, w: Tensor) -> Tensor:
        """`x` for a batch of items: `[b, ...] -> [b, ...]`."""

    @abstractmethod
    def decode(self, x: Tensor) -> Tensor:
        """Items for a batch of encodings: the inverse of `encode` on its range."""

    @property
    def bins(self) -> float | None:
        """Width of a quantisation bin of `x` on [-1, 1], or None where data are not quantised."""
        return None

    def logits(self, x: Tensor) -> Tensor | None:
        """log p(w | x) up to a constant, `[b, ..., K]`, or None where items are not class ids."""
        return None

    def modules(self) -> dict[str, nn.Module]:
        """The networks this transform owns, by attribute."""
        return {name: value for name, value in vars(self).items() if isinstance(value, nn.Module)}

    def using(self, modules: dict[str, nn.Module]) -> Self:
        """A copy that shares the items and owns other networks, by the names of `modules()`."""
        other = copy.copy(self)
        other.__dict__.update(modules)
        return other

    def __len__(self) -> int:
        return 0 if self.w is None else len(self.w)


class Schedule(Component):
    r"""How fast signal turns into noise. Implement `compute` or `scales`; the other is derived.

    Args:
        steps: T, the number of steps of the discrete process.
    """

    steps: int

    def compute(self) -> Tensor:
        r"""Per-step $\alpha_t$ for t = 0..T, with $\bar\alpha_t = \prod_{i \le t} \alpha_i$."""
        from .schedule.scales import alphas

        return alphas(self)

    def scales(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """(signal, sigma) of z = signal·x + sigma·epsilon at continuous times u = t/T in [0, 1]."""
        from .schedule.scales import interpolated

        return interpolated(self, u)


class Distribution(Component):
    """A batch of distributions, one for each element."""

    @abstractmethod
    def sample(self) -> tuple[Tensor, Tensor | None]:
        """A draw and the noise that made it (None where there is no such thing).

        The library's own distributions also take `rng`, a generator or one for each sample.
        """

    @abstractmethod
    def nll(self, x: Tensor) -> Tensor:
        """Negative log-likelihood of `x` in nats, element by element."""

    @abstractmethod
    def dkl(self, other: Self) -> Tensor:
        """Kullback-Leibler divergence D(self || other) in nats, element by element."""

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """`Tensor.to` on every tensor of the parameters."""
        tensors = {k: v for k, v in arguments(self).items() if isinstance(v, Tensor)}
        return self.vary(**{name: value.to(*args, **kwargs) for name, value in tensors.items()})


D = TypeVar("D", bound=Distribution)
D_co = TypeVar("D_co", bound=Distribution, covariant=True)
D_contra = TypeVar("D_contra", bound=Distribution, contravariant=True)


class Noise(Component, Generic[D_co]):
    """A forward process and its reversal, one step at a time (the tutorial's five methods).

    Times are step indices, integer tensors `[b]`. A noise that defines only these can be sampled
    in fewer steps too: the model then binds a copy to a sub-sampled schedule.
    """

    @abstractmethod
    def schedule(self, alpha: Tensor) -> None:
        r"""Precompute what the other methods need from $\alpha_0..\alpha_T$."""

    @abstractmethod
    def stationary(self, shape: tuple[int, ...]) -> D_co:
        """q(x_T), the law sampling starts from, for a batch of this shape."""

    @abstractmethod
    def prior(self, x: Tensor, t: Tensor) -> D_co:
        """q(x_t | x_0)."""

    @abstractmethod
    def posterior(self, x: Tensor, z: Tensor, t: Tensor) -> D_co:
        """q(x_{t-1} | x_t, x_0)."""

    @abstractmethod
    def approximate(self, z: Tensor, t: Tensor, hat: Tensor) -> D_co:
        """p(x_{t-1} | x_t), given the network's output `hat` `[p, b, ...]`."""


class Bridge(Noise[D_co]):
    """A process given by its bridges q(x_s | x_t, x_0) for any s < t; the rest is derived.

    Subclasses write `bind`, `stationary`, `prior`, `bridge` and `predict`. Times are integer or
    floating tensors `[b]`, or host numbers (int: step index, float: u = t/T) for a whole batch.
    """

    @abstractmethod
    def bind(self, schedule: Schedule, soft: bool = False, like: State = None) -> Self:
        """A copy that follows `schedule`.

        `soft` holds t = 0 half a step away from the data, so that q and p of the last step keep a
        variance: for likelihood losses. Without it, t = 0 is the data. `like` is an example of `x`,
        for processes whose states come in several forms (ids or one-hot vectors).
        """

    @abstractmethod
    def bridge(self, x: Tensor, z: Tensor, t: Any, s: Any) -> D_co:
        """q(x_s | x_t, x_0) for any s < t."""

    @abstractmethod
    def predict(self, z: Tensor, t: Any, hat: Tensor) -> Tensor:
        """The denoised x (for discrete states: log-probabilities) that `hat` stands for."""

    def schedule(self, alpha: Tensor) -> None:
        from .schedule.scales import Table

        bound = self.bind(Table(len(alpha) - 1, alpha))
        self.__dict__.update(bound.__dict__)

    def posterior(self, x: Tensor, z: Tensor, t: Any, s: Any = None) -> D_co:
        return self.bridge(x, z, t, self.before(t) if s is None else s)

    def approximate(self, z: Tensor, t: Any, hat: Tensor, s: Any = None) -> D_co:
        return self.step(z, t, self.before(t) if s is None else s, hat)

    def step(self, z: Tensor, t: Any, s: Any, hat: Tensor) -> D_co:
        """p(x_s | x_t) for any s < t: the bridge towards the predicted x."""
        return self.bridge(self.predict(z, t, hat), z, t, s)

    @abstractmethod
    def before(self, t: Any) -> Any:
        """The time one step of the bound schedule earlier: t - 1, or max(u - 1/T, 0)."""

    def decoder(self, z: Tensor, t: Any, hat: Tensor) -> D_co:
        """p(x_0 | x_t) as a likelihood of the data, for the last term of the bound."""
        return self.approximate(z, t, hat)

    def inputs(self, z: Tensor, t: Any) -> Tensor:
        """What the network is shown of the state `z`."""
        return z

    def known(self, x: Tensor, t: Any, rng: Rng = None) -> Tensor:
        """A state at time `t` in which `x` is known, to hold positions fixed while sampling."""
        from .distribution.draw import draw

        return draw(self.prior(x, t), rng)[0]


class Net(nn.Module, Component):
    """A denoiser: an `nn.Module` with `forward(x, y, t) -> hat`.

    `x` is the noisy state `[b, ...]`, `y` the conditions, `t` the times `[b]` (integer 0..T or
    floating in [0, 1], whichever the model's `Time` draws). `hat` is `[p, b, ...]`: its first axis
    is the index of the predicted parameter, even when there is one. `net | module` is a `Net`.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        self = super().__new__(cls)
        nn.Module.__init__(self)
        return self

    @abstractmethod
    def forward(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        """Predict the parameters: `[b, ...] -> [p, b, ...]`."""

    def __or__(self, module: nn.Module) -> Net:
        from .net.chain import Chain

        return Chain(self, module)

    __repr__ = Component.__repr__
    __eq__ = nn.Module.__eq__
    __hash__ = nn.Module.__hash__


class Loss(Component, Generic[D_contra]):
    """What training minimises. Losses add, subtract, scale and divide by numbers."""

    @abstractmethod
    def compute(self, batch: Batch[D_contra]) -> Tensor:
        """The loss of a batch, a scalar."""

    def terms(self) -> list[tuple[str, Loss[Any]]]:
        """The elementary losses by name, for logging and checks."""
        return [(type(self).__name__.lower(), self)]

    def __mul__(self, factor: float) -> Product[D_contra]:
        from .loss.algebra import Product

        return Product(factor, self)

    def __rmul__(self, factor: float) -> Product[D_contra]:
        return self * factor

    def __truediv__(self, divisor: float) -> Product[D_contra]:
        if divisor == 0:
            raise InputError(f"{self!r} / 0: a loss can't be divided by zero.")
        return self * (1 / divisor)

    def __neg__(self) -> Product[D_contra]:
        return self * -1.0

    def __add__(self: Loss[D], other: Loss[D]) -> Sum[D]:
        from .loss.algebra import Sum

        return Sum((self, other))

    def __radd__(self, zero: int) -> Self:  # sum([...]) starts from 0
        if zero != 0:
            raise InputError(f"{zero!r} + {self!r}: losses add to losses, not to numbers.")
        return self

    def __sub__(self: Loss[D], other: Loss[D]) -> Sum[D]:
        return self + -other


class Guidance(Component):
    """Changes what the network predicts while sampling; closed under `|`, applied left to right."""

    conditional: ClassVar[bool] = False
    """Whether it needs conditions, so that a model without any is an error."""

    @abstractmethod
    def __call__(self, predict: Predict, noise: Any) -> Predict:
        """A guided `predict`, from the plain one and the bound noise."""

    def corrupt(self, batch: Batch[Any]) -> None:
        """Change a training batch's own copy of the conditions, e.g. drop labels."""

    def __or__(self, other: Guidance) -> Guidance:
        from .guidance.compose import Compose

        return Compose((self, other))


class Time(Component):
    """Which times the training visits."""

    continuous: ClassVar[bool] = False
    """Whether `sample` gives floats in [0, 1]; sampling then gives the network floats as well."""

    @abstractmethod
    def sample(self, steps: int, size: int) -> Tensor:
        """`size` times: integers 1..steps, or floats in (0, 1]."""

    def weight(self, t: Tensor, steps: int) -> Tensor | None:
        """Importance weights `[b]` = uniform density / own density, or None for no correction."""
        return None

    def observe(self, t: Tensor, steps: int, loss: Tensor) -> None:
        """Learn from the losses `[b]` that the drawn times gave."""


class Sampler(Component):
    """Walks from noise to data. A generator: its history lives in local variables."""

    @abstractmethod
    def __call__(
        self, noise: Any, predict: Predict, z: State, y: State, times: Sequence[Any], rng: Rng
    ) -> Iterator[State]:
        """Yield the state at times[1], times[2], ..., starting from `z` at times[0].

        Args:
            noise: the bound noise, with `step(z, t, s, hat) -> D`.
            predict: the guided network.
            times: descending host numbers from T (or 1.0) to 0.
            rng: where noise is drawn from.
        """

    def fits(self, noise: Noise[Any]) -> str | None:
        """Why this sampler can't drive `noise`, or None."""
        return None


def __getattr__(name: str) -> Any:
    if name == "Batch":  # a batch is not a component; it lives in its own file
        from .batch import Batch

        return Batch
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""`Model`: a set of modules, and what can be done with it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Generic, Literal, Self, Unpack, overload

import torch
from torch import Tensor

from . import fit, sampling, tree
from .base import D, Data, Guidance, Loss, Net, Noise, Sampler, Schedule, Time
from .batch import Batch
from .errors import InputError, choose
from .sampler import Ancestral
from .sampling import Options
from .sampling.grid import Steps
from .time import Discrete
from .train.average import Average
from .train.optimizer import AdamW
from .train.profile import Profile
from .train.run import Run
from .tree import State


class Model(Generic[D]):
    """A diffusion model, assembled from modules that are checked against each other.

    Args:
        data, schedule, noise, net, loss, time, guidance, sampler: the modules; see
            `diffusion.base`. Time defaults to `Discrete()`, sampler to `Ancestral()`.
        optimizer: `train.AdamW(...)`, or any function from parameters to a torch optimiser.
        ema: decay of the moving average of the weights, which sampling then uses; None for none;
            `train.Profile(...)` for a width that is chosen after training.
        clip: largest norm of the gradient; None for no limit.
        seed: what all randomness of training is a function of. device: where it runs.
        shape, state_dtype: of one encoded item, where there are no data to see them from.

    Errors: `MismatchError`, naming modules that do not fit each other and what to change.
    """

    def __init__(
        self,
        data: Data,
        schedule: Schedule,
        noise: Noise[D],
        net: Net,
        loss: Loss[D] | None = None,
        time: Time | None = None,
        guidance: Guidance | None = None,
        sampler: Sampler | None = None,
        optimizer: Any = None,
        *,
        ema: float | Profile | None = None,
        clip: float | None = None,
        seed: int = 0,
        device: torch.device | str = "cpu",
        shape: Any = None,
        state_dtype: Any = None,
    ) -> None:
        self.data, self.schedule, self.noise, self.net = data, schedule, noise, net
        self.loss: Any = loss
        self.time = Discrete() if time is None else time
        self.guidance = guidance
        self.sampler = Ancestral() if sampler is None else sampler
        self.optimizer = AdamW() if optimizer is None else optimizer
        self.ema, self.clip, self.seed = ema, clip, seed
        self.device = torch.device(device)
        self.run = Run()
        self.source: Any = None  # what it was read from; see `diffusion.folder.source`
        self._bound: dict[bool, Any] = {}
        fit.kinds(self)
        fit.losses(self)
        self.parts = fit.parts(net, data, loss).to(self.device)
        self.shape, self.state_dtype = fit.state(self, shape, state_dtype)
        self.process: Any = self.bind(soft=True)
        fit.check(self)
        self.average: Any = None
        if ema is not None:
            averages = ema if isinstance(ema, Profile) else partial(Average, decay=ema)
            self.average = averages(self.parts)

    def train(
        self,
        epochs: int,
        folder: str | Path | None = None,
        every: float = 300.0,
        progress: bool = False,
    ) -> Iterator[float]:
        """Train, yielding the mean loss of each epoch: your `for` loop is the callback system.
        Each term's mean is in `model.run.history`.

        Args:
            epochs: further epochs; with a `folder`, epochs in all, counted over every resumption.
            folder: where checkpoints go, at the end of each epoch and every `every` seconds. A run
                that was stopped there continues exactly. SIGINT and SIGTERM save and stop.
            progress: show a progress bar.
        """
        from .train.loop import train

        if self.loss is None:
            raise InputError("Model.loss is None: training needs a loss; model.replace(loss=...).")
        return train(self, epochs, folder, every, progress)

    def trainable(self) -> list[Tensor]:
        """The parameters that training changes."""
        return [p for p in self.parts.parameters() if p.requires_grad]

    def new_optimizer(self) -> torch.optim.Optimizer:
        """A fresh optimiser of the trainable parameters."""
        made: torch.optim.Optimizer = self.optimizer(self.trainable())
        return made

    def sample(
        self, y: Any = None, batch: int | None = None, steps: Steps = None, *,
        trajectory: bool = False, **options: Unpack[Options],
    ) -> State:  # fmt: skip
        """Draw samples `[b, ...]`, decoded.

        Args:
            y: conditions: class ids, class names, or tensors, one for each sample.
            batch: number of samples, where y does not tell.
            steps: how many, a `diffusion.grid`, or the descending times; None is every step.
            trajectory: stack the decoded states as `[t, b, ...]` instead.
            options: see `diffusion.sampling.Options`.
        """
        states = self.stream(y, batch, steps, **options)
        data = sampling.weights(self)[1]
        with torch.set_grad_enabled(options.get("gradients", False)):
            if trajectory:
                return tree.stack([data.decode(z) for z in states])
            (last,) = deque(states, maxlen=1)
            return data.decode(last)

    def stream(
        self, y: Any = None, batch: int | None = None, steps: Steps = None,
        **options: Unpack[Options],
    ) -> Iterator[State]:  # fmt: skip
        """Yield every encoded state of a sampling, starting with pure noise; see `sample`."""
        return sampling.stream(self, y, batch, steps, **options)

    @overload
    def nll(
        self, w: State = None, y: State = None, steps: Steps = None, unit: str = "bits/dim",
        seed: int = 0, progress: bool = False, *, method: str = "bound", draws: int = 1,
        error: Literal[False] = False,
    ) -> Tensor: ...  # fmt: skip
    @overload
    def nll(
        self, w: State = None, y: State = None, steps: Steps = None, unit: str = "bits/dim",
        seed: int = 0, progress: bool = False, *, method: str = "bound", draws: int = 1,
        error: Literal[True],
    ) -> tuple[Tensor, Tensor]: ...  # fmt: skip
    def nll(
        self, w: State = None, y: State = None, steps: Steps = None, unit: str = "bits/dim",
        seed: int = 0, progress: bool = False, *, method: str = "bound", draws: int = 1,
        error: bool = False,
    ) -> Any:  # fmt: skip
        """-log p(w), `[b]`: a bound, or exact; with `error`, also its standard error, `[b]`.

        Args:
            w: items; None for the whole data set, in batches. unit: "bits/dim" or "nats".
            steps: terms of the bound, None is every step of the schedule; steps of the ODE.
            method: "bound" (variational), "importance" (tighter with more draws) or "ode" (the
                density of the probability-flow ODE); see `diffusion.likelihood`.
            draws: independent estimates that are averaged; draw k is a function of (seed, item, k).
        """
        return sampling.nll(
            self, w, y, steps, unit, seed, progress, method=method, draws=draws, error=error
        )

    def tune(
        self, steps: int, y: Any = None, batch: int | None = 32, *,
        guidance: Guidance | None = None, seconds: float = 60.0, seed: int = 0,
        progress: bool = False,
    ) -> Self:  # fmt: skip
        """This model with the sampler and the noise levels that suit so many steps best.

        Measured against its own fine trajectory for `seconds`; see `diffusion.sampling.tune`.
        """
        from .sampling.tune import tune

        batch = batch if y is None else None
        found = tune(self, steps, y, batch, guidance, seconds, seed, progress)
        return self.replace(sampler=found)

    def replace(self, **modules: Any) -> Self:
        """A new model with some modules or settings replaced; the others are shared."""
        other: Self = fit.replaced(self, modules)
        return other

    def diff(self, other: Model[Any]) -> dict[str, tuple[Any, Any]]:
        """What differs, as `{"schedule.steps": (1000, 500)}`."""
        return dict(fit.differences(self, other))

    def check(self) -> list[str]:
        """Warnings about modules that fit but may not do what is wanted; empty if none."""
        fit.check(self)
        return fit.doubts(self)

    def save(self, folder: str | Path, format: str = "own") -> None:
        """Write the model as one atomic folder.

        Args:
            format: "own", `model.yaml` and weights; or "diffusers", a pipeline that it opens.
        """
        from .folder import formats

        choose("Model.save.format", format, formats())
        formats()[format](self, folder)

    @classmethod
    def load(
        cls, folder: str | Path, device: torch.device | str = "cpu", custom: Sequence[type] = (),
        **modules: Any,
    ) -> Model[Any]:  # fmt: skip
        """Read a folder; nothing in it is executed.

        Args:
            custom: your own component classes that the folder names.
            modules: modules to use instead of those in the folder, e.g. `data=` to train on.
        """
        from .folder import load

        return load(folder, modules, device, custom)

    def bind(self, soft: bool = False, times: Sequence[Any] | None = None) -> Any:
        """The noise, following the schedule; for a tutorial-style noise, respaced to `times`."""
        return fit.bound(self, soft, times)

    def encode(self, w: State) -> State:
        """Items to states, in the network's precision."""
        return self.cast(self.data.encode(w))

    def cast(self, state: State) -> State:
        """Floating states in the network's precision."""
        return tree.cast(state, fit.precision(self.net))

    def batch(self, w: State, y: State = None) -> Batch[D]:
        """The training batch of some items, as a loss sees it: for inspection."""
        from .train.loop import inspected

        return inspected(self, w, y)

    def __repr__(self) -> str:
        lines = [f"  {name}={getattr(self, name)!r}," for name in fit.MODULES]
        return "\n".join(["Model(", *lines, ")"])

"""The training loop, to be read in one sitting."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Never

import torch
from torch import Tensor, nn

from .. import rng, tree
from ..batch import Batch
from ..data.items import fetch, length
from ..distribution.draw import draw
from ..errors import InputError, TrainingError
from ..fit import precision
from ..loss.algebra import measured, samples
from . import checkpoint
from .interrupt import Interrupt
from .optimizer import rate_at
from .progress import Bar

if TYPE_CHECKING:
    from ..model import Model


def train(
    model: Model[Any], epochs: int, folder: str | Path | None, every: float, progress: bool
) -> Iterator[float]:
    """Train, yielding the mean loss of each epoch; see `Model.train`."""
    if model.data.w is None:
        raise InputError(
            f"{type(model.data).__name__}.w is None: training needs data. Build the model with "
            "data, or model.replace(data=...)."
        )
    run, per_epoch = model.run, -(length(model.data.w) // -model.data.batch)
    if folder is not None:
        checkpoint.resume(model, Path(folder))
    last = epochs if folder is not None else run.step // per_epoch + epochs
    saved = time.monotonic()
    with Interrupt(folder is not None) as interrupt, Bar(last * per_epoch, progress) as bar:
        while run.step // per_epoch < last:
            epoch = run.step // per_epoch
            order = _order(model, epoch)
            with training(model.parts), rng.kept(model.device):
                for i in range(run.step % per_epoch, per_epoch):
                    run.add(step(model, order[i * model.data.batch : (i + 1) * model.data.batch]))
                    bar.update(run.step, run.sums["loss"] / run.count)
                    if folder is not None and (interrupt.asked or time.monotonic() - saved > every):
                        checkpoint.save(model, Path(folder))
                        saved = time.monotonic()
                    interrupt.obey(folder)
            loss = run.close()
            if folder is not None:
                checkpoint.save(model, Path(folder))
                saved = time.monotonic()
            yield loss


def step(model: Model[Any], index: Tensor) -> dict[str, float]:
    """One optimiser step on the items at `index`; the loss and its terms.

    Every random number in it, in any module, comes from generators seeded with (seed, step): the
    global ones, which the caller puts back.
    """
    run = model.run
    if run.optimizer is None:
        run.optimizer = model.new_optimizer()
    rng.seed_all(rng.fold(model.seed, "step", run.step), model.device)
    batch = assemble(model, *fetch(model.data, index))
    loss = measured(model.loss, batch)
    for group in run.optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = None
    loss.backward()  # type: ignore[no-untyped-call]
    values = _values(loss, batch.log)
    if not math.isfinite(values["loss"]):
        _blame(model, values["loss"], batch.w, index)
    if model.clip is not None:
        nn.utils.clip_grad_norm_(model.trainable(), model.clip)
    rate_at(model.optimizer, run.optimizer, run.step)
    run.optimizer.step()
    if model.average is not None:
        model.average.update(model.parts, run.step)
    if batch.importance is not None:
        each = samples(model.loss, batch)
        if each is not None:
            model.time.observe(batch.t, model.schedule.steps, each)
    return values


def assemble(model: Model[Any], w: Any, y: Any) -> Batch[Any]:
    """Noise a batch of items; the network runs on it when the loss asks what it predicts."""
    w, y = tree.to(w, model.device), tree.to(y, model.device)
    dtype = precision(model.net)
    x = tree.cast(model.data.encode(w), dtype)
    batch: Batch[Any] = Batch(
        model.process, model.data, model.loss, model.net, model.run.step, w=w, x=x, y=y
    )
    if model.guidance is not None:
        model.guidance.corrupt(batch)
    size = tree.size(x)
    t = model.time.sample(model.schedule.steps, size)
    batch.t = tree.to(t, model.device)
    z, batch.epsilon = draw(model.process.prior(x, batch.t), None)
    batch.z = tree.cast(z, dtype)
    if not isinstance(t, dict):
        batch.importance = model.time.weight(batch.t, model.schedule.steps)
    return batch


def networks(parts: nn.Module) -> list[nn.Module]:
    """The network and those of the data transform."""
    return [
        child
        for name, part in parts.named_children()
        for child in ([part] if name == "net" else part.children())
    ]


def inspected(model: Model[Any], w: Any, y: Any = None) -> Batch[Any]:
    """See `Model.batch`."""
    if y is None:
        y = torch.zeros(tree.size(w), dtype=torch.long)
    with rng.scope(rng.fold(model.seed, "batch"), model.device):
        made = assemble(model, w, y)
        assert made.hat is not None  # computed here, where the seed decides about dropout
        return made


class training:
    """Put modules into training mode, and back into the mode each was in."""

    def __init__(self, parts: nn.Module) -> None:
        self.parts = parts

    def __enter__(self) -> None:
        self.modes = [(module, module.training) for module in self.parts.modules()]
        self.parts.train()
        for part in networks(self.parts):
            if not any(p.requires_grad for p in part.parameters()):
                part.eval()  # a frozen part stays as it was frozen

    def __exit__(self, *_: object) -> None:
        for module, mode in self.modes:
            module.training = mode


def _order(model: Model[Any], epoch: int) -> Tensor:
    count = length(model.data.w)
    if not model.data.shuffle:
        return torch.arange(count)
    return torch.randperm(count, generator=rng.generator(model.seed, "epoch", epoch))


def _values(loss: Tensor, terms: dict[str, Tensor]) -> dict[str, float]:
    """The loss and its terms on the host, fetched at once."""
    if all(term is loss for term in terms.values()):
        return dict.fromkeys(("loss", *terms), loss.item())
    values = torch.stack([loss, *terms.values()]).tolist()
    return dict(zip(("loss", *terms), values, strict=True))


def _blame(model: Model[Any], loss: float, w: Any, index: Tensor) -> Never:
    """Raise an error that names the first culprit of a loss that is not finite."""
    for leaf in tree.leaves(w):
        bad = [i for i, item in zip(index.tolist(), leaf, strict=True) if not item.isfinite().all()]
        if bad:
            raise InputError(
                f"{type(model.data).__name__}.w holds NaN or infinity: item {bad[0]}. The weights "
                "have not been updated. Remove or repair the item."
            )
    names = [n for n, p in model.parts.named_parameters() if not p.isfinite().all()]
    grads = [
        n
        for n, p in model.parts.named_parameters()
        if p.grad is not None and not p.grad.isfinite().all()
    ]
    where = names[:1] or grads[:1] or ["no weight or gradient: look at the data and the loss"]
    kind = "weights" if names else "gradient"
    raise TrainingError(
        f"the loss is {loss} at step {model.run.step}; first non-finite {kind}: {where[0]}. The "
        "weights have not been updated. Lower the learning rate, set clip=1.0, or check the data."
    )

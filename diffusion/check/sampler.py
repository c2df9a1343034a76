"""Samplers: generators that walk from noise to data and disturb nothing on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .. import rng
from ..exact import Mixture, flow_map, oracle
from ..noise import Absorbing
from ..noise.gaussian import Gaussian
from ..schedule import Cosine
from .exam import Exam, Verdict, exam, gap, sit, skip, within
from .process import bound
from .report import Result
from .setting import Setting
from .world import CLASSES, World, categorical, gaussian, worlds

NEEDS = "sampler(noise, predict, z, y, times, rng) yields the state at times[1], times[2], ..."


@dataclass
class Case:
    """A sampler, and a world with a perfect network."""

    sampler: Any
    world: World
    z: Tensor

    def walk(
        self, z: Tensor | None = None, times: Any = None, seed: int = 0, predict: Any = None
    ) -> Iterator[Tensor]:
        """A run from `z` with one generator for each sample."""
        z = self.z if z is None else z
        times = self.world.times(6) if times is None else times
        draws, y = rng.samples(seed, len(z)), self.world.y[: len(z)]
        run: Iterator[Tensor] = self.sampler(
            self.world.hard, predict or self.world.oracle, z, y, times, draws
        )
        return run


def examine(sampler: Any, setting: Setting) -> Iterator[Result]:
    """The results for a sampler."""

    def prepare() -> Case:
        errors = []
        for make in _worlds(sampler, setting):
            world = make()
            if sampler.fits(world.noise) is not None:
                continue
            z = world.hard.stationary(tuple(world.x.shape)).sample()[0]
            case = Case(sampler, world, z)
            try:
                for _ in case.walk():
                    pass
            except Exception as error:  # made for another noise, or a fault: then this is told
                errors.append(error)
            else:
                return case
        raise errors[0] if errors else ValueError("fits() refuses every noise that was tried")

    yield from sit(prepare, EXAMS, NEEDS, setting.seed)


def _worlds(sampler: Any, setting: Setting) -> Iterator[Callable[[], World]]:
    yield gaussian  # predicts epsilon, for which every time counts
    yield lambda: gaussian("velocity")
    yield lambda: gaussian().floating()
    yield categorical
    yield lambda: categorical(Absorbing(CLASSES))
    if setting.noise is not None:
        yield from ((lambda w=w: w) for w in worlds(sampler, setting))


@exam(
    "one state for each step",
    "It yields len(times) - 1 states of z's shape and type, all finite.",
    "for t, s in itertools.pairwise(times): ...; yield z",
)
def states(case: Case) -> Verdict:
    for count in (1, 6):
        times = case.world.times(count)
        found = list(case.walk(times=times))
        if len(found) != len(times) - 1:
            return False, f"{len(found)} states for {len(times)} times"
        for z in found:
            if z.shape != case.z.shape or z.dtype != case.z.dtype:
                return False, f"{z.dtype} {list(z.shape)} from {case.z.dtype} {list(case.z.shape)}"
            if z.is_floating_point() and not z.isfinite().all():
                return False, "a state is not finite"
    return True, "for 1 and 6 steps"


@exam(
    "ends at the data",
    "With a perfect network the last state is the data.",
    "Call predict(z, y, t) at the time z is at, and noise.step(z, t, s, hat) to the next one.",
)
def ends(case: Case) -> Verdict:
    *_, last = case.walk()
    if not last.is_floating_point():
        return within(float((last != case.world.x).double().mean()), 0.0, "share of wrong tokens")
    return within(gap(last, case.world.x), 1e-4, "largest difference")


@exam(
    "law of the data",
    "With the exact network of a mixture of two Gaussians, samples have its mean and spread.",
    "Check the coefficients of a step, and that each step goes from t to s, not further.",
)
def law(case: Case) -> Verdict:
    if not isinstance(case.world.noise, Gaussian):
        return skip("Gaussian noise only")
    mixture = Mixture(torch.tensor([0.3, 0.7]), torch.tensor([[-1.0], [0.8]]), 0.3)
    steps = 60
    noise = bound(case.world.noise, Cosine(steps), torch.zeros(1, 1))
    z = noise.stationary((4000, 1)).sample()[0]
    times = [t / steps if case.world.continuous else t for t in range(steps, -1, -1)]
    perfect = flow_map if getattr(case.sampler, "maps", False) else oracle
    y, draws = torch.zeros(4000).long(), rng.generator(0, "check")
    *_, last = case.sampler(noise, perfect(mixture, noise), z, y, times, draws)
    mean, covariance = mixture.moments()
    goal, found = (float(mean), float(covariance) ** 0.5), (float(last.mean()), float(last.std()))
    fine = abs(found[0] - goal[0]) < 0.08 and abs(found[1] - goal[1]) < 0.08
    return fine, "mean {:.2f}, spread {:.2f}".format(*found) + " for {:.2f}, {:.2f}".format(*goal)


@exam(
    "start kept",
    "Neither the start z nor a state that was yielded is changed later.",
    "Make a new tensor at every step: no in-place operations on z.",
)
def kept(case: Case) -> Verdict:
    start = case.z.clone()
    kept, copies = [], []
    for z in case.walk():
        kept.append(z)
        copies.append(z.clone())
    moved = sum(not torch.equal(a, b) for a, b in zip(kept, copies, strict=True))
    same = torch.equal(start, case.z)
    case.z = start
    return same and not moved, f"start {'kept' if same else 'changed'}, {moved} states changed"


@exam(
    "runs do not interfere",
    "Two runs that take turns give what each gives alone.",
    "Keep history in local variables of __call__, never in self.",
)
def interleaved(case: Case) -> Verdict:
    other = case.z.flip(0)
    alone = list(case.walk(seed=1)), list(case.walk(other, seed=2))
    turns = list(zip(case.walk(seed=1), case.walk(other, seed=2), strict=True))
    worst = 0.0
    for i, (a, b) in enumerate(turns):
        worst = max(worst, gap(a, alone[0][i]), gap(b, alone[1][i]))
    return within(worst, 0.0, "largest difference")


@exam(
    "seeds",
    "The same generators give the same samples, and the global generator is left alone.",
    "Draw with diffusion.distribution.draw.draw(law, rng), or diffusion.rng.normal(z, rng).",
)
def seeds(case: Case) -> Verdict:
    first = list(case.walk(seed=3))
    before = torch.get_rng_state()
    torch.manual_seed(1)
    moved_from = torch.get_rng_state()
    again = list(case.walk(seed=3))
    drawn = not torch.equal(moved_from, torch.get_rng_state())
    torch.set_rng_state(before)
    worst = max(gap(a, b) for a, b in zip(first, again, strict=True))
    return worst == 0 and not drawn, f"difference {worst:.2g}" + (
        ", draws globally" if drawn else ""
    )


@exam(
    "each sample alone",
    "A sample depends on its own generator and not on the batch.",
    "Hand rng on as it is (it may be a list, one for each sample); mix no samples.",
)
def alone(case: Case) -> Verdict:
    *_, whole = case.walk(predict=case.world.oracle)
    *_, single = case.walk(case.z[:1])
    middle, first = list(case.walk())[2][:1], list(case.walk(case.z[:1]))[2]
    return within(max(gap(single, whole[:1]), gap(first, middle)), 1e-5, "largest difference")


@exam(
    "lazy",
    "A step is computed when it is asked for, so that a run can be stopped early.",
    "Yield inside the loop, not a list at the end.",
)
def lazy(case: Case) -> Verdict:
    calls = 0

    def predict(z: Any, y: Any, t: Any) -> Any:
        nonlocal calls
        calls += 1
        return case.world.oracle(z, y, t)

    steps = len(case.world.times(6)) - 1
    run = case.walk(predict=predict)
    next(run)
    first = calls
    for _ in run:
        pass
    few = first < max(calls, steps)  # a sampler that is done early may need no more of them
    return few or steps == 1, f"{first} of {calls} network calls for the first state"


EXAMS: tuple[Exam, ...] = (
    states, ends, law, kept, interleaved, seeds, alone, lazy,
)  # fmt: skip

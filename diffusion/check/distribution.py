"""Distributions: samples, likelihoods and divergences that tell of one law.

The density of each element is integrated on a grid (Kullback-Leibler divergences too), and the
distribution function of that grid is compared with samples: u = F(x) is uniform if the two agree.
"""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from ..component import arguments
from .density import DRAWS, Case
from .exam import Exam, Verdict, copied, exam, gap, sit, skip, within
from .report import Result
from .setting import Setting


def examine(law: Any, setting: Setting) -> Iterator[Result]:
    """The results for a distribution; of a joint one, for each part."""
    parts = getattr(law, "parts", None)
    if isinstance(parts, dict):
        for key, part in parts.items():
            yield from (result.under(key) for result in examine(part, setting))
        return

    def prepare() -> Case:
        drawn = [law.sample() for _ in range(DRAWS)]
        return Case(law, torch.stack([v.detach() for v, _ in drawn]), drawn[0][1])

    needs = "sample() returns (value, noise or None); the value is a tensor [b, ...]."
    yield from sit(prepare, EXAMS, needs, setting.seed)


@exam(
    "samples",
    "sample() gives finite values, and the noise in them or None.",
    "Return (mu + sigma * epsilon, epsilon), with epsilon of the value's shape.",
)
def samples(case: Case) -> Verdict:
    fine = bool(case.draws.isfinite().all())
    noise = case.noise
    matched = noise is None or (isinstance(noise, Tensor) and noise.shape == case.value.shape)
    shape = "None" if noise is None else list(getattr(noise, "shape", ()))
    return fine and matched, f"value {list(case.value.shape)}, noise {shape}"


@exam(
    "torch's generator",
    "Draws come from torch's global generator, which seeds runs.",
    "Draw with torch.randn and its like, not with numpy or random.",
)
def generator(case: Case) -> Verdict:
    state = torch.get_rng_state()
    first = case.law.sample()[0]
    torch.set_rng_state(state)
    return within(gap(case.law.sample()[0], first), 0.0, "same seed, difference")


@exam(
    "nll by element",
    "nll(x) has one value for each element of x (for one-hots, one for each vector).",
    "Sum or average over no axis: losses do that.",
)
def by_element(case: Case) -> Verdict:
    shape, value = list(case.law.nll(case.value).shape), list(case.value.shape)
    fits = shape == value or (case.onehot and shape == [*value[:-1], 1])
    return fits, f"x {value}, nll {shape}"


@exam(
    "nll is normalised",
    "exp(-nll) sums or integrates to 1 for every element.",
    "Keep every constant, such as log(sigma·√(2π)) of a normal law.",
)
def normalised(case: Case) -> Verdict:
    if case.constant and not case.ids and not case.onehot:
        return skip("a point mass has no density")
    total = case.integral(case.logp.exp())
    worst = float(total.flatten()[(total - 1).abs().argmax()])
    return abs(worst - 1) <= 0.01, f"total {worst:.4g}"


@exam(
    "samples follow nll",
    "Samples have the law whose density is exp(-nll).",
    "Check that sample() and nll() use the same scale: sigma, not sigma².",
)
def follow(case: Case) -> Verdict:
    if case.constant:
        return skip("a point mass")
    p = case.logp.exp()
    if case.ids or case.onehot:
        seen = case.draws if case.onehot else _counts(case)
        share = seen.double().mean(0) if case.onehot else seen
        law = p.squeeze(-1).movedim(0, -1) if case.onehot else p.movedim(0, -1)
        error = (law * (1 - law) / DRAWS + 1 / DRAWS**2).sqrt()
        return within(float(((share - law).abs() / error).max()), 6.0, "standard errors")
    u = _uniforms(case, p)
    # Mean and variance of u and u² for a uniform law: 1/2, 1/12 and 1/3, 4/45.
    first = (u.mean(0) - 1 / 2) / math.sqrt(1 / 12 / DRAWS)
    second = ((u**2).mean(0) - 1 / 3) / math.sqrt(4 / 45 / DRAWS)
    return within(float(torch.stack([first, second]).abs().max()), 6.0, "standard errors")


def _counts(case: Case) -> Tensor:
    return torch.nn.functional.one_hot(case.draws, case.classes).double().mean(0)


def _uniforms(case: Case, p: Tensor) -> Tensor:
    """F(draw) for every draw, by linear interpolation of the integrated density."""
    x = case.support.double().flatten(1).T.contiguous()
    mass = torch.cumulative_trapezoid(p.flatten(1).T, x)
    cdf = torch.cat([torch.zeros_like(mass[:, :1]), mass], 1)
    draws = case.draws.double().flatten(1).T.contiguous()
    high = torch.searchsorted(x, draws).clamp(1, x.shape[1] - 1)
    x0, x1 = x.gather(1, high - 1), x.gather(1, high)
    f0, f1 = cdf.gather(1, high - 1), cdf.gather(1, high)
    part = ((draws - x0) / (x1 - x0)).clamp(0, 1)
    return (f0 + part * (f1 - f0)).T


@exam(
    "dkl to itself",
    "The divergence from itself is 0, with one value for each element.",
    "Check dkl against its definition, E log(p/q).",
)
def itself(case: Case) -> Verdict:
    value = case.law.dkl(case.law)
    if value.shape[:1] != case.value.shape[:1] or value.dim() != case.value.dim():
        return False, f"x {list(case.value.shape)}, dkl {list(value.shape)}"
    return within(float(value.abs().max()), 1e-5, "largest value")


@exam(
    "dkl",
    "self.dkl(other) is E_self log(self/other): not negative, and not the reverse.",
    "Check which of the two laws the expectation is over.",
)
def divergence(case: Case) -> Verdict:
    if not case.tensors or case.constant:
        return skip("a point mass, or a law without parameters")
    other = case.other
    value = case.law.dkl(other).detach().double()
    p, ratio = case.logp.exp(), case.logp - case.log_density(other)
    exact = case.integral(torch.where(p > 0, p * ratio, 0.0))
    if float(exact.max()) < 1e-6:
        return skip("all elements have the same law")
    error = float(((value - exact).abs() / (exact.abs() + 0.1)).max())
    low = float(value.min())
    return low >= -1e-6 and error <= 0.02, f"smallest {low:.2g}, relative error {error:.2g}"


@exam(
    "gradient",
    "nll(x) has finite gradients in the parameters.",
    "Use torch functions only; guard logarithms and divisions.",
)
def gradient(case: Case) -> Verdict:
    if not case.tensors or (case.constant and not case.ids):
        return skip("a point mass, or a law without parameters")
    moving = {k: v.detach().clone().requires_grad_() for k, v in case.tensors.items()}
    law = type(case.law)(**{**arguments(case.law), **moving})
    law.nll(case.value).sum().backward()
    lost = [k for k, v in moving.items() if v.grad is None or not v.grad.isfinite().all()]
    return not lost, f"lost in {', '.join(lost)}" if lost else f"in {', '.join(moving)}"


@exam(
    "float64",
    "float64 parameters give float64 samples and likelihoods.",
    "Draw with torch.randn_like(mu); create no tensors of a fixed dtype.",
)
def double(case: Case) -> Verdict:
    if not case.tensors or case.constant:
        return skip("a point mass, or a law without parameters")
    law = case.law.to(torch.float64)
    value = law.sample()[0]
    kinds = {law.nll(value).dtype, *([value.dtype] if value.is_floating_point() else [])}
    return kinds == {torch.float64}, ", ".join(map(str, kinds))


@exam(
    "each element alone",
    "The law of one element does not depend on the rest of the batch.",
    "Sum or average over no axis.",
)
def alone(case: Case) -> Verdict:
    size = len(case.value)
    if size < 2:
        return skip("a batch of one")
    part = {
        k: v[1:2] if isinstance(v, Tensor) and v.dim() and len(v) == size else v
        for k, v in arguments(case.law).items()
    }
    single = type(case.law)(**part)
    worst = gap(single.nll(case.value[1:2]), case.law.nll(case.value)[1:2])
    return within(worst, 1e-5, "largest difference")


@exam(
    "inputs kept",
    "sample, nll and dkl change neither x nor the parameters.",
    "Use no in-place operations (names that end in _, +=) on them.",
)
def kept(case: Case) -> Verdict:
    value, before = case.value.clone(), copied(case.tensors)
    case.law.nll(value)
    case.law.dkl(case.law)
    worst = max(gap(value, case.value), gap(case.tensors, before))
    return within(worst, 0.0, "largest change")


EXAMS: tuple[Exam, ...] = (
    samples, generator, by_element, normalised, follow, itself, divergence, gradient, double,
    alone, kept,
)  # fmt: skip

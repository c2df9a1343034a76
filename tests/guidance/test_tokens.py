"""Guidance of token laws, against tables in which every law is a finite sum."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from diffusion import rng
from diffusion.check import check
from diffusion.data import Identity
from diffusion.errors import MismatchError
from diffusion.exact import Enumerated
from diffusion.exact.pushed import pushed
from diffusion.guidance import (
    Auto,
    Classifier,
    ClassifierFree,
    Compose,
    Interval,
    Nucleus,
    PlusPlus,
    Project,
    Rescale,
    Threshold,
)
from diffusion.noise import Absorbing, Gaussian, Structured, Uniform
from diffusion.sampler import Ancestral, Confident, EntropyBound, Remask, TauLeap, Trapezoidal

from .tables import CLASSES, MASK, NOISES, ONE, TIMES, Blind, Judge, K, Table, bound

TABLE = Table()
CLOSE: dict[str, Any] = {"rtol": 1e-8, "atol": 1e-10}  # float64, and a few dozen operations
S = 1.5


def exact(strength: float, process: Any) -> dict[str, Any]:
    """Guidances that are the exact tempered conditional of one token."""
    made: dict[str, Any] = {
        "ClassifierFree": ClassifierFree(strength=strength),
        "Compose": Compose((1 + strength,)),
        "Project": Project(strength, parallel=1.0, momentum=0.0),
        "Interval": Interval(ClassifierFree(strength=strength), 0.0, 1.0),
        "Rescale": Rescale(ClassifierFree(strength=strength), 0.0),
        "Auto": Auto(Blind(TABLE, process), strength),
    }
    if isinstance(process, Absorbing):
        made["Classifier"] = Classifier(Judge(TABLE, process), strength)
    return made


@pytest.mark.parametrize("noise", NOISES, ids=repr)
@pytest.mark.parametrize("s", [0.0, 0.7, 3.0])
@pytest.mark.parametrize("y", [1, 2])
def test_one_token_follows_the_tempered_conditional(noise, s: float, y: int) -> None:
    """Guided posteriors are those of the law p(x|y)^(1+s)/p(x)^s, whatever the noise and steps."""
    process = bound(noise)
    for name, one in exact(s, process).items():
        guided = one(TABLE.predict(process), process)
        found = TABLE.guided_law(process, guided, y)
        torch.testing.assert_close(found, TABLE.tempered(y, s), **CLOSE, msg=name)


@pytest.mark.parametrize("noise", [Absorbing(K), Absorbing(K, parameter="p")], ids=repr)
@pytest.mark.parametrize("s", [0.0, 1.0, 2.5])
def test_an_exact_classifier_makes_an_unconditional_network_conditional(noise, s: float) -> None:
    """p(x)·p(y | x)^s, which is the class itself for s = 1."""
    process = bound(noise)
    one = Classifier(Judge(TABLE, process), s, blind=True)
    found = TABLE.guided_law(process, one(TABLE.predict(process), process), 2)
    law = TABLE.marginal * (ONE[1] * CLASSES[1] / TABLE.marginal.clamp_min(1e-300)) ** s
    torch.testing.assert_close(found, law / law.sum(), **CLOSE)


class Guided(Enumerated):
    """A table whose exact denoiser is another's, guided."""

    def oracle(self, noise: Any) -> Any:
        predict = ClassifierFree(strength=S)(TABLE.predict(noise), noise)
        return lambda z, y, t: predict(z, torch.full((len(z),), 1), t)


@pytest.mark.parametrize(
    "one", [TauLeap(), Trapezoidal(), Trapezoidal(0.3), Remask(0.3), Ancestral()], ids=repr
)
def test_samplers_of_guided_tokens_have_the_law_they_have_for_the_tempered_table(one) -> None:
    process = bound(Absorbing(K))
    goal = Enumerated(TABLE.tempered(1, S))
    found = pushed(Guided(TABLE.marginal), process, one, TIMES)
    torch.testing.assert_close(found, pushed(goal, process, one, TIMES), **CLOSE)


PAIR = torch.zeros(2, K, K).double()
PAIR[0, :3, :3] = torch.tensor([[30, 2, 3], [2, 20, 2], [5, 1, 35]]) / 100.0
PAIR[1, :3, :3] = torch.tensor([[2, 20, 10], [25, 3, 5], [5, 25, 5]]) / 100.0
PAIR = PAIR / PAIR.sum((1, 2), keepdim=True)
PAIRS = Table(PAIR)


def test_a_classifier_fills_in_one_token_after_the_other_exactly() -> None:
    """The chain rule: p(a | y)·p(b | a, y) is the class, in either order."""
    process = bound(Absorbing(K))
    one = Classifier(Judge(PAIRS, process), blind=True)(PAIRS.predict(process), process)
    for first in (0, 1):
        law = torch.zeros(K, K).double()
        z = torch.full((1, 2), MASK)
        start = process.predict(z, 60, one(z, torch.tensor([2]), 60)).exp()[0, first]
        for k in range(MASK):
            z = torch.full((1, 2), MASK)
            z[0, first] = k
            rest = process.predict(z, 30, one(z, torch.tensor([2]), 30)).exp()[0, 1 - first]
            law[k] = start[k] * rest
        law = law if first == 0 else law.T
        torch.testing.assert_close(law, PAIR[1] / PAIR[1].sum(), **CLOSE)


class Soft(nn.Module):
    """p(y | x) of one token, extended to one-hot vectors in between: the slope is not zero."""

    def __init__(self, given: Tensor) -> None:
        super().__init__()
        marginal = (CLASSES[:, None] * given).sum(0)
        p = (CLASSES[:, None] * given / marginal.clamp_min(1e-300)).T
        self.p = torch.cat([p[:MASK], CLASSES[None]])  # a mask says nothing

    def forward(self, z: Tensor, t: Tensor) -> Tensor:
        return (z[:, 0] @ self.p).log()


def test_the_slope_of_one_hot_states_is_right_to_first_order() -> None:
    """An error of second order in what the classifier knows: a quarter of it for half as much."""
    process = bound(Absorbing(K))
    base, errors = ONE.mean(0), []
    for share in (0.2, 0.1, 0.05):
        table = Table(base + share * (ONE - base))
        z = torch.full((1, 1), MASK)
        vector = torch.nn.functional.one_hot(z, K).double()
        y = torch.tensor([1])
        judges = (
            Classifier(Judge(table, process), blind=True),
            Classifier(Soft(table.given), 1, True),
        )
        laws = [
            process.predict(state, 50, one(table.predict(process), process)(state, y, 50)).exp()
            for one, state in zip(judges, (z, vector), strict=True)
        ]
        torch.testing.assert_close(laws[0][0, 0], table.given[0], **CLOSE)
        errors.append(float((laws[1] - laws[0]).abs().max()))
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.25)
    assert errors[1] / errors[2] == pytest.approx(4, rel=0.15)


def test_the_classifier_leaves_the_null_condition_and_shown_tokens_alone() -> None:
    process = bound(Absorbing(K))
    predict = PAIRS.predict(process)
    guided = Classifier(Judge(PAIRS, process), 2.0)(predict, process)
    z = torch.tensor([[MASK, 1], [MASK, MASK], [0, MASK]])
    plain = process.predict(z, 50, predict(z, torch.tensor([0, 1, 2]), 50)).exp()
    found = process.predict(z, 50, guided(z, torch.tensor([0, 1, 2]), 50)).exp()
    torch.testing.assert_close(found[0], plain[0], **CLOSE)
    torch.testing.assert_close(found[2, 0], plain[2, 0], **CLOSE)
    assert (found[2, 1] - plain[2, 1]).abs().max() > 0.01


def random(noise: Any, size: int = 5) -> tuple[Any, Tensor, Tensor]:
    """A network that is unlike any posterior: its answers at known tokens are noise too."""
    gen = torch.Generator().manual_seed(1)
    table = torch.randn(3, K, 6, K, generator=gen, dtype=torch.float64)

    def predict(z: Tensor, y: Tensor, t: Any) -> Tensor:
        hat = table[y[:, None], z, torch.arange(6)] + 0.1 * z.double().sum(1)[:, None, None]
        return hat[None]

    z = torch.randint(0, 3, (size, 6), generator=gen)
    z = torch.where(torch.rand(size, 6, generator=gen) < 0.6, MASK, z)
    return predict, z, torch.arange(size) % 2 + 1


GUIDES = [
    ClassifierFree(strength=S), Compose((1.5,)), Compose((-0.5,)), Project(S), Project(S, 0.3, 0.5),
    Rescale(ClassifierFree(strength=4.0)), Interval(Project(S), 0.2, 0.8),
    Rescale(Project(2.0, 1.0)) | Nucleus(0.9),
]  # fmt: skip


@pytest.mark.parametrize("noise", [Absorbing(K), Uniform(K), Structured.gaussian(K)], ids=repr)
@pytest.mark.parametrize("one", GUIDES, ids=repr)
def test_a_sample_does_not_depend_on_the_batch(noise, one) -> None:
    process = bound(noise)
    predict, z, y = random(noise)
    plain = predict(z, y, 50)
    whole = one(predict, process)(z, y, 50)
    assert whole.shape == plain.shape
    assert not torch.allclose(process.predict(z, 50, whole), process.predict(z, 50, plain))
    for i in range(len(z)):
        alone = one(predict, process)(z[i : i + 1], y[i : i + 1], 50)
        torch.testing.assert_close(alone, whole[:, i : i + 1], **CLOSE)


@pytest.mark.parametrize("one", GUIDES, ids=repr)
def test_constants_of_logits_do_not_matter(one) -> None:
    process = bound(Uniform(K))
    predict, z, y = random(process)

    def moved(z: Tensor, y: Tensor, t: Any) -> Tensor:
        return predict(z, y, t) + (7.0 + 3 * y[None, :, None, None]) * (1 + z[..., None])

    laws = [process.predict(z, 50, one(p, process)(z, y, 50)) for p in (predict, moved)]
    torch.testing.assert_close(*laws, **CLOSE)


def vector(process: Any, z: Tensor, hat: Tensor) -> Tensor:
    """Centred log-probabilities of the classes that are not the mask, of masked tokens."""
    log_p = process.predict(z, 50, hat)[..., :MASK]
    return (log_p - log_p.mean(-1, keepdim=True)) * (z == MASK).unsqueeze(-1)


def test_rescaling_is_a_temperature_that_keeps_the_spread_of_each_sample() -> None:
    process = bound(Absorbing(K))
    predict, z, y = random(process)
    free = ClassifierFree(strength=4.0)
    plain, guided = (vector(process, z, p(z, y, 50)) for p in (predict, free(predict, process)))
    for amount in (0.4, 1.0):
        found = Rescale(free, amount)(predict, process)(z, y, 50)
        ratio = plain.flatten(1).norm(dim=1) / guided.flatten(1).norm(dim=1)
        factor = (1 - amount + amount * ratio)[:, None, None]
        torch.testing.assert_close(vector(process, z, found), factor * guided, **CLOSE)
        shown = z != MASK  # nothing is said about what is known
        untouched = process.predict(z, 50, free(predict, process)(z, y, 50))[shown]
        torch.testing.assert_close(process.predict(z, 50, found)[shown], untouched, **CLOSE)


def test_projection_leaves_the_temperature_alone_and_limits_the_difference() -> None:
    process = bound(Absorbing(K))
    predict, z, y = random(process)
    plain, base = (vector(process, z, predict(z, c, 50)) for c in (y, torch.zeros_like(y)))
    across = vector(process, z, Project(2.0)(predict, process)(z, y, 50)) - plain
    along = (across * plain).flatten(1).sum(1)
    torch.testing.assert_close(along, torch.zeros_like(along), **CLOSE)
    short = Project(2.0, 1.0, norm=0.5)(predict, process)(z, y, 50)
    gap = plain - base
    size = gap.flatten(1).norm(dim=1)[:, None, None]
    assert (size > 0.5).any()
    expected = plain + 2 * gap * (0.5 / size).clamp_max(1)
    torch.testing.assert_close(vector(process, z, short), expected, **CLOSE)


def test_momentum_of_tokens_is_of_those_still_masked() -> None:
    process = bound(Absorbing(K))
    predict, z, y = random(process)
    guided = Project(2.0, 1.0, momentum=-0.5)(predict, process)
    guided(z, y, 80)
    later = z.clone()
    later[:, 0] = 1
    found = vector(process, later, guided(later, y, 50))
    before = vector(process, z, predict(z, y, 50)) - vector(process, z, predict(z, y * 0, 50))
    plain, base = (vector(process, later, predict(later, c, 50)) for c in (y, y * 0))
    running = (plain - base - 0.5 * before) * (later == MASK).unsqueeze(-1)
    torch.testing.assert_close(found, plain + 2 * running, **CLOSE)


def test_conditions_that_rule_each_other_out_leave_a_law() -> None:
    """Class 1 has only token 0, class 2 only token 1; and one is turned away from."""
    process = bound(Absorbing(K))
    table = Table(torch.tensor([[0.8, 0.0, 0.2, 0.0], [0.0, 0.9, 0.1, 0.0]], dtype=torch.float64))
    z, t = torch.full((1, 1), MASK), 50

    def law(weights: tuple[float, ...], y: list[int]) -> Tensor:
        hat = Compose(weights)(table.predict(process), process)(z, torch.tensor([y]), t)
        return process.predict(z, t, hat).exp()[0, 0]

    both = law((1.0, 1.0), [1, 2])
    torch.testing.assert_close(
        both, torch.tensor([0.0, 0.0, 1.0, 0.0], dtype=torch.float64), **CLOSE
    )
    away = law((-0.5,), [2])
    assert away[0] == pytest.approx(1.0)
    mixed = law((1.0, -0.5), [1, 2])
    assert mixed.isfinite().all()
    assert mixed[0] == pytest.approx(1.0)
    apart = Table(torch.tensor([[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]], dtype=torch.float64))
    hat = Compose((1.0, 1.0))(apart.predict(process), process)(z, torch.tensor([[1, 2]]), t)
    contradiction = process.predict(z, t, hat).exp()[0, 0]
    even = torch.tensor([0.5, 0.5, 0.0, 0.0], dtype=torch.float64)  # as far from either
    torch.testing.assert_close(contradiction, even, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    "walk", [Ancestral(), Confident(0.0, "entropy"), EntropyBound(9.0), Trapezoidal()], ids=repr
)
@pytest.mark.parametrize(
    "one", [ClassifierFree(strength=S), Project(S, 1.0, momentum=0.0), Compose((1 + S,))], ids=repr
)
def test_independent_tokens_under_every_sampler(walk, one) -> None:
    """Each follows the tempered law of one token. 20,000 draws: five errors are 0.018."""
    process = bound(Absorbing(K))

    def predict(z: Tensor, y: Tensor, t: Any) -> Tensor:  # tokens as if each were alone
        each = [TABLE.predict(process)(z[:, i : i + 1], y, t) for i in range(2)]
        return torch.cat(each, 2)

    z, y = torch.full((10_000, 2), MASK), torch.full((10_000,), 1)
    *_, w = walk(process, one(predict, process), z, y, TIMES, rng.generator(0))
    share = torch.bincount(w.flatten(), minlength=K).double() / w.numel()
    torch.testing.assert_close(share, TABLE.tempered(1, S), rtol=0, atol=0.018)


@pytest.mark.parametrize("noise", [Absorbing(5), Uniform(5)], ids=repr)
@pytest.mark.parametrize("one", [Project(2.0), Rescale(ClassifierFree())], ids=repr)
def test_they_pass_the_exam_on_tokens(noise, one) -> None:
    w = torch.arange(24).reshape(6, 4) % 4
    report = check(one, noise=noise, data=Identity(), w=w)
    assert report.ok, str(report)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_types_are_kept_and_values_finite(dtype: torch.dtype) -> None:
    process = bound(Absorbing(K))
    predict, z, y = random(process)
    for one in GUIDES:
        found = one(lambda z, y, t: predict(z, y, t).to(dtype), process)(z, y, 50)
        assert found.dtype == dtype
        assert found[..., :MASK].isfinite().all()


def test_what_has_no_meaning_for_tokens_says_so() -> None:
    for one, why in (
        (Threshold(), r"Threshold changes the x .* Absorbing predicts none.*guidance.Nucleus"),
        (PlusPlus(), r"PlusPlus changes the x .*ClassifierFree\(\)"),
    ):
        reason = one.fits(Absorbing(K))
        with pytest.raises(MismatchError, match=why):
            raise MismatchError(reason or "")
    for noise in (Uniform(K), Structured.gaussian(K)):
        assert "not what its clean tokens say" in (Classifier(nn.Linear(1, 1)).fits(noise) or "")
    for fine in (Project(), Rescale(ClassifierFree()), Compose((1.0,)), Auto(nn.Linear(1, 1))):
        for noise in (Absorbing(K), Uniform(K), Structured.gaussian(K), Gaussian()):
            assert fine.fits(noise) is None

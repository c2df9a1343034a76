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

from .tables import MASK, NOISES, TIMES, Blind, Judge, K, Table, bound

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

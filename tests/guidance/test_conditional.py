"""Guidance by conditions, against the exact conditional of a labelled mixture."""

import pytest
import torch
from torch import Tensor

from diffusion.exact import Enumerated, Mixture
from diffusion.guidance import (
    Auto,
    Classifier,
    ClassifierFree,
    Compose,
    PlusPlus,
    Project,
)
from diffusion.noise import Absorbing, Gaussian
from diffusion.noise.split import Split
from diffusion.parameter import ROWS
from diffusion.sampler import DDIM
from diffusion.schedule import Cosine, Flow

from .bed import BED, CLOSE, NULL, Oracle, Posterior, Y, Z, asked, bound, posterior
from .tables import MASK, K, Table

T = 40


def score(process: Gaussian, hat, t=T) -> torch.Tensor:
    """-epsilon/sigma."""
    return -process.predict_epsilon(Z, t, hat) / process.clock(t)[1]


def truth(y, t=T) -> torch.Tensor:
    return BED.score(Z, 1 - t / 100, t / 100, y)


@pytest.mark.parametrize("parameter", ["x", "v", "velocity"])
@pytest.mark.parametrize("t", [T, T / 100, torch.full((6,), T)], ids=["index", "float", "rows"])
def test_classifier_free_extrapolates_the_scores(parameter: str, t) -> None:
    process = bound(parameter)
    predict, sizes = asked(BED.oracle(process))
    hat = ClassifierFree(strength=1.5)(predict, process)(Z, Y, t)
    expected = 2.5 * truth(Y) - 1.5 * truth(NULL)
    torch.testing.assert_close(score(process, hat), expected, **CLOSE)
    assert sizes == [12]  # one call for both
    plain = ClassifierFree(strength=0.0)(predict, process)(Z, Y, t)
    torch.testing.assert_close(score(process, plain), truth(Y), **CLOSE)


@pytest.mark.parametrize("parameter", sorted(set(ROWS) - {"score"}))
@pytest.mark.parametrize("s", [0.0, 1.0, 2.5])
def test_an_exact_classifier_makes_an_unconditional_network_conditional(parameter, s) -> None:
    """Bayes' rule: strength 1 is the conditional score itself."""
    process = Gaussian(parameter).bind(Cosine(100) if parameter in ("F", "epsilon") else Flow(100))
    signal, sigma = process.clock(T)

    class Judge(Posterior):
        def forward(self, z, t):
            return posterior(z, signal, sigma)

    predict = BED.oracle(process)
    hat = Classifier(Judge(), s, blind=True)(predict, process)(Z, Y, T)
    guided = -process.predict_epsilon(Z, T, hat) / sigma
    plain, given = (BED.score(Z, signal, sigma, y) for y in (NULL, Y))
    torch.testing.assert_close(guided, plain + s * (given - plain), **CLOSE)


def test_the_classifier_leaves_the_null_condition_and_pure_noise_alone() -> None:
    process = bound()
    predict = BED.oracle(process)
    guided = Classifier(Posterior(), 2.0)(predict, process)
    torch.testing.assert_close(guided(Z, NULL, T), predict(Z, NULL, T))
    torch.testing.assert_close(guided(Z, Y, 100), predict(Z, Y, 100))
    rows = torch.tensor([100, 40, 100, 40, 100, 40])
    pure, mixed = rows == 100, guided(Z, Y, rows)
    assert mixed.isfinite().all()
    torch.testing.assert_close(mixed[:, pure], predict(Z, Y, rows)[:, pure])
    torch.testing.assert_close(mixed[:, ~pure], guided(Z, Y, 40)[:, ~pure])


def test_autoguidance_by_itself_changes_nothing_and_by_a_blind_network_is_classifier_free() -> None:
    process = bound("v")
    predict = BED.oracle(process)
    itself = Auto(Oracle(process), 3.0)(predict, process)
    torch.testing.assert_close(itself(Z, Y, T), predict(Z, Y, T), **CLOSE)
    blind = Auto(Oracle(process, blind=True), 1.5)(predict, process)
    free = ClassifierFree(strength=1.5)(predict, process)
    torch.testing.assert_close(blind(Z, Y, T), free(Z, Y, T), **CLOSE)


def test_composing_one_condition_is_classifier_free() -> None:
    process = bound("v")
    predict = BED.oracle(process)
    free = ClassifierFree(strength=1.5)(predict, process)(Z, Y, T)
    for y in (Y, Y.unsqueeze(1)):
        torch.testing.assert_close(Compose((2.5,))(predict, process)(Z, y, T), free, **CLOSE)


def test_composing_adds_what_each_condition_says() -> None:
    process = bound("v")
    predict, sizes = asked(BED.oracle(process))
    other = Y.roll(1)
    hat = Compose((1.5, -0.5))(predict, process)(Z, torch.stack([Y, other], 1), T)
    base = truth(NULL)
    expected = base + 1.5 * (truth(Y) - base) - 0.5 * (truth(other) - base)
    torch.testing.assert_close(score(process, hat), expected, **CLOSE)
    assert sizes == [18]
    alone = Compose((1.0, 0.7))(predict, process)(Z, torch.stack([Y, NULL], 1), T)
    torch.testing.assert_close(alone, predict(Z, Y, T), **CLOSE)  # a null condition has no part


def test_composing_independent_conditions_is_their_conjunction() -> None:
    """Classes a and b that each fix one coordinate: together they are the class that fixes both.

    Over four Gaussians at the corners of a rectangle, "left" and "low" are independent given z, as
    their log-odds are linear in one coordinate each.
    """
    corners = torch.tensor([[x, y] for x in (-1.0, 1.0) for y in (-1.0, 1.0)]).double()
    bed = Mixture(torch.ones(4), corners, 0.4)
    process = bound("x")

    def predict(z, y, t):  # 0 null, 1 left, 2 low
        signal, sigma = process.clock(t)
        weight = bed.responsibilities(z, signal, sigma)
        keep = torch.stack([torch.ones(4), corners[:, 0] < 0, corners[:, 1] < 0]).double()[y]
        weight = weight * keep / (weight * keep).sum(1, keepdim=True)
        each = [bed.denoise(z, signal, sigma, torch.full((len(z),), k + 1)) for k in range(4)]
        return torch.einsum("bk,kbd->bd", weight, torch.stack(each))[None]

    y = torch.tensor([[1, 2]] * 6)
    hat = Compose((1.0, 1.0))(predict, process)(Z, y, T)
    signal, sigma = process.clock(T)
    torch.testing.assert_close(hat[0], bed.denoise(Z, signal, sigma, torch.ones(6).long()), **CLOSE)


def test_plus_plus_reads_epsilon_from_the_unconditional_prediction() -> None:
    process = bound("v")
    predict = BED.oracle(process)
    hat, null = predict(Z, Y, T), predict(Z, NULL, T)
    for scale in (0.0, 0.6, 1.0):
        split = PlusPlus(scale)(predict, process)(Z, Y, T)
        assert isinstance(split, Split)
        torch.testing.assert_close(split.epsilon, null)
        torch.testing.assert_close(split.x, null + scale * (hat - null), **CLOSE)


def test_plus_plus_is_classifier_free_of_a_strength_that_depends_on_the_step() -> None:
    """From both updates: w = lambda·signal_s/(signal_s - signal·sigma_s/sigma), Chung et al., 4."""
    process = bound("v", eta=0.0)
    predict = BED.oracle(process)
    (signal, sigma), (signal_s, sigma_s) = process.clock(T), process.clock(30)
    weight = 0.6 * signal_s / (signal_s - signal * sigma_s / sigma)
    steps = [
        process.step(Z, T, 30, one(predict, process)(Z, Y, T)).mu
        for one in (PlusPlus(0.6), ClassifierFree(strength=weight - 1))
    ]
    torch.testing.assert_close(*steps, **CLOSE)


@pytest.mark.parametrize("parameter", ["x", "v", "velocity"])
def test_projection_that_keeps_all_is_classifier_free(parameter: str) -> None:
    process = bound(parameter)
    predict = BED.oracle(process)
    free = ClassifierFree(strength=1.5)(predict, process)(Z, Y, T)
    whole = Project(1.5, parallel=1.0, momentum=0.0)(predict, process)
    for _ in range(2):  # a second time too: nothing is remembered
        torch.testing.assert_close(whole(Z, Y, T), free, **CLOSE)


def test_projection_across_a_limited_difference_with_momentum() -> None:
    process = bound("x")
    predict = BED.oracle(process)
    x, difference = predict(Z, Y, T)[0], (predict(Z, Y, T) - predict(Z, NULL, T))[0]
    across = Project(2.0, momentum=0.0)(predict, process)(Z, Y, T)[0] - x
    torch.testing.assert_close((across * x).sum(1), torch.zeros(6).double(), **CLOSE)
    short = Project(2.0, 1.0, norm=0.1, momentum=0.0)(predict, process)(Z, Y, T)[0] - x
    assert (difference.norm(dim=1) > 0.1).any()
    expected = 2 * difference * (0.1 / difference.norm(dim=1, keepdim=True)).clamp_max(1)
    torch.testing.assert_close(short, expected, **CLOSE)
    guided, running = Project(2.0, 1.0, momentum=-0.5)(predict, process), torch.zeros(6, 2).double()
    for t in (60, 50, 40):
        hat, null = predict(Z, Y, t)[0], predict(Z, NULL, t)[0]
        running = hat - null - 0.5 * running
        torch.testing.assert_close(guided(Z, Y, t)[0], hat + 2 * running, **CLOSE)


@pytest.mark.parametrize(
    "one", [ClassifierFree(strength=0.0), Classifier(Posterior(), blind=True)], ids=["free", "net"]
)
def test_sampling_ends_in_the_exact_conditional(one) -> None:
    """The moments of class 2. Error: 0.004 by 3000 draws of std 0.2; the rest by 60 steps."""
    process = bound()
    times = [1 - i / 60 for i in range(60)] + [0.0]
    process.prepare(times)
    z = torch.randn(3000, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    y = torch.full((3000,), 2)
    *_, w = DDIM()(process, one(BED.oracle(process), process), z, y, times, None)
    mean, covariance = BED.given(2).moments()
    assert (w.mean(0) - mean).abs().max() < 0.02
    assert (w.std(0) - covariance.diagonal().sqrt()).abs().max() < 0.02


def test_logits_are_extrapolated_and_impossible_classes_stay_impossible() -> None:
    process = Absorbing(4).bind(Flow(100))
    laws = torch.tensor([[0.6, 0.4, 0.0, 0.0], [0.5, 0.3, 0.2, 0.0]]).double()
    given, base = (Enumerated(law).oracle(process) for law in laws)
    z = torch.full((6, 1), 3)

    def predict(z, y, t):
        return torch.where((y > 0)[None, :, None, None], given(z, y, t), base(z, y, t))

    for one in (ClassifierFree(strength=1.0), Compose((2.0,))):
        law = one(predict, process)(z, Y, T)[0].softmax(-1)
        expected = torch.tensor([0.36 / 0.5, 0.16 / 0.3, 0.0, 0.0]).to(law)
        torch.testing.assert_close(law[0, 0], expected / expected.sum(), rtol=1e-6, atol=1e-7)


def test_conditions_that_rule_each_other_out_leave_a_law() -> None:
    """Class 1 has only token 0, class 2 only token 1; and one is turned away from."""
    process = Absorbing(K).bind(Flow(100))
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

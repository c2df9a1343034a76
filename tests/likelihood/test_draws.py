"""The bound and importance weights against the exact laws of the chains that they bound."""

import importlib
import math
from typing import Any

import pytest
import torch
from torch import Tensor

import diffusion
from diffusion import data, net, noise, schedule
from diffusion.errors import InputError, MismatchError
from diffusion.exact import Enumerated

from .. import tutorial
from .bed import LINE, chain, model, tokens

STEPS, COPIES = 4, 100
TABLE = torch.tensor([[0.3, 0.02, 0.03], [0.02, 0.2, 0.02], [0.05, 0.01, 0.35]])
MASKED = torch.nn.functional.pad(TABLE[:2, :2], (0, 1, 0, 1))


def line() -> tuple[diffusion.Model, Tensor]:
    one = model(LINE, noise.Gaussian("velocity"), schedule.Flow(1000))
    return one, chain(one, LINE, STEPS, one.data.w)


def table(own: Any) -> tuple[diffusion.Model, Tensor]:
    law = Enumerated(MASKED if isinstance(own, noise.Absorbing) else TABLE)
    one, process = tokens(law, own), own.bind(schedule.Flow(1000))
    exact = law.law(process, law.oracle(process), [1 - i / STEPS for i in range(STEPS)] + [0.0])
    return one, -exact.flatten()[law.p.flatten() > 0].log()


BEDS = {
    "gaussian": line,
    "uniform": lambda: table(noise.Uniform(3)),
    "absorbing": lambda: table(noise.Absorbing(3)),
}


@pytest.fixture(params=BEDS, scope="module")
def bed(request) -> tuple[diffusion.Model, Tensor]:
    return BEDS[request.param]()


def test_the_bound_is_above_the_chains_own_law_and_importance_reaches_it(bed) -> None:
    one, exact = bed
    bound, error = one.nll(steps=STEPS, unit="nats", draws=400, error=True)
    # At most 16 items at 4.5 standard errors: chance fails it once in ten thousand.
    assert (bound > exact - 4.5 * error).all()
    found, error = one.nll(steps=STEPS, unit="nats", method="importance", draws=4000, error=True)
    # The logarithm of a mean lies error²/2 too high, far below the error itself.
    assert (error < 0.1).all()
    assert ((found - exact).abs() < 4.5 * error + error**2).all()
    assert float((bound - exact).mean()) > 5 * float(error.mean())


def test_importance_tightens_as_draws_grow(bed) -> None:
    one, exact = bed
    size = len(one.data.w)
    w = one.data.w.repeat(COPIES, *(1,) * (one.data.w.dim() - 1))
    gaps, errors = [], []
    for draws in (1, 8, 64):
        found = one.nll(w, steps=STEPS, unit="nats", method="importance", draws=draws)
        gap = (found.reshape(COPIES, size) - exact).mean(1)
        gaps.append(float(gap.mean()))
        errors.append(float(gap.std()) / COPIES**0.5)
    assert gaps[0] - gaps[1] > 2 * errors[0]  # the bound of K draws falls with K
    assert gaps[1] - gaps[2] > 2 * errors[1]
    assert -4 * errors[2] < gaps[2] < 0.3 * gaps[0]


def test_one_draw_of_importance_has_the_mean_of_the_bound(bed) -> None:
    one, _ = bed
    w = one.data.w.repeat(200, *(1,) * (one.data.w.dim() - 1))
    found = one.nll(w, steps=STEPS, unit="nats", method="importance")
    bound = one.nll(w, steps=STEPS, unit="nats")
    error = math.sqrt(float(found.var() + bound.var()) / len(w))
    assert float(found.mean() - bound.mean()) == pytest.approx(0, abs=4.5 * error)


@pytest.mark.parametrize("method", ["bound", "importance"])
def test_the_standard_error_is_the_spread_over_seeds(bed, method: str) -> None:
    one, _ = bed
    w = one.data.w[:4].repeat(COPIES, *(1,) * (one.data.w.dim() - 1))
    found, error = one.nll(w, steps=STEPS, method=method, draws=64, error=True)
    spread = found.reshape(COPIES, 4).std(0)
    told = error.reshape(COPIES, 4).square().mean(0).sqrt()
    # A deviation of 100 values is known to 7%; the rest is what heavy weights hide from 64 draws.
    assert ((spread / told).log().abs() < math.log(1.5)).all()


def test_a_draw_depends_on_its_seed_item_and_number_alone(bed, monkeypatch) -> None:
    one, _ = bed
    for method in ("bound", "importance"):
        how = {"steps": STEPS, "method": method, "error": True, "seed": 3}
        found, error = one.nll(draws=5, **how)  # in the batches of the data
        whole, told = one.nll(one.data.w, draws=5, **how)
        torch.testing.assert_close(whole, found)
        torch.testing.assert_close(told, error)
        with monkeypatch.context() as patch:
            patch.setattr(importlib.import_module("diffusion.sampling.nll"), "TOGETHER", 1)
            apart, _ = one.nll(one.data.w, draws=5, **how)
        torch.testing.assert_close(apart, found)
        assert not torch.equal(found, one.nll(draws=5, **{**how, "seed": 4})[0])


def test_the_error_of_two_draws_is_half_their_distance() -> None:
    one, _ = line()
    first = one.nll(steps=STEPS)
    mean, error = one.nll(steps=STEPS, draws=2, error=True)
    torch.testing.assert_close(error, (mean - first).abs())  # |a - b|/2, the mean is (a + b)/2


def test_importance_works_for_joint_states_and_quantised_data() -> None:
    torch.manual_seed(0)
    images = data.Images(torch.randint(0, 4, (4, 1, 2, 2), dtype=torch.uint8), levels=4)

    class Both(diffusion.base.Net):
        def forward(self, x: Any, y: Any, t: Any) -> Any:
            word = torch.nn.functional.one_hot(x["word"], 3).float()
            return {"image": 0.5 * x["image"][None], "word": word[None]}

    one = diffusion.Model(
        data.Joint(parts={"image": images, "word": data.Identity(torch.arange(4)[:, None] % 3)}),
        schedule.Cosine(12), noise.Joint({"image": noise.Gaussian(), "word": noise.Uniform(3)}),
        Both(),
    )  # fmt: skip
    values = [one.nll(method="importance", draws=n, error=True) for n in (8, 256)]
    (few, _), (many, error) = values
    assert many.isfinite().all()
    assert one.nll().isfinite().all()  # the decoder is each part's own, with a width and bins
    assert float(many.mean()) < float(few.mean())
    assert (error > 0).all()


def test_bad_input_is_explained() -> None:
    one, _ = line()
    with pytest.raises(InputError, match=r"nll\.method: expected one of bound.*Did you mean 'ode'"):
        one.nll(method="odes")
    with pytest.raises(InputError, match=r"nll\.draws: expected a whole number, at least 1; got 0"):
        one.nll(draws=0)
    with pytest.raises(InputError, match=r"a standard error needs at least 2 draws"):
        one.nll(error=True)
    still = one.replace(noise=noise.Gaussian("velocity", eta=0.0))
    for method in ("bound", "importance"):
        with pytest.raises(MismatchError, match=r"eta=0.*noise\.vary\(eta=1\.0\)"):
            still.nll(method=method, steps=STEPS)
    assert still.nll(method="ode", steps=3).isfinite().all()
    absorbing, _ = BEDS["absorbing"]()
    with pytest.raises(MismatchError, match=r"Absorbing: only noise\.Gaussian.*method='bound'"):
        absorbing.nll(method="ode")


def test_importance_needs_bridges() -> None:
    one = diffusion.Model(
        data.Identity(torch.randn(4, 3)), schedule.Linear(10), tutorial.Gaussian(), net.MLP(3)
    )
    with pytest.raises(MismatchError, match=r"its weights need bridges.*tutorial's five"):
        one.nll(method="importance")

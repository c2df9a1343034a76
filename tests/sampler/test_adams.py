"""The exponential multistep integrator against flow maps known in closed form."""

import math
from itertools import pairwise

import pytest
import torch

import diffusion
from diffusion import data, net, noise, schedule, time
from diffusion.errors import InputError, MismatchError
from diffusion.sampler import (
    DDIM,
    DEIS,
    LMS,
    RES,
    SDE,
    Adams,
    DPMSolverPP,
    DPMSolverPP3M,
    Euler,
    FlowAdams,
    UniPC,
)
from diffusion.sampler.exponential import TARGETS, VARIABLES, Point, weights

from .line import BED, Y, Z, error, flow, graded_error

PREDICTORS = [
    (DDIM(), 1), (Euler(), 1), (DPMSolverPP(order=1), 1), (Adams("F", "angle", 1, 0), 1),
    (FlowAdams(), 2), (RES(), 2), (LMS(order=2), 2), (DEIS(order=2), 2),
    (Adams("F", "angle", 2, 0), 2), (DPMSolverPP3M(), 3), (DEIS(), 3), (LMS(order=3), 3),
    (Adams(corrector=0, cautious=1.0), 3), (LMS(), 4),
]  # fmt: skip
"""k targets predict: their polynomial is h^k off, a step h^(k+1), and 1/h steps h^k."""
SPECIAL = [
    # A straight line by its value in the middle of the step, which is h^3 off its integral.
    (DPMSolverPP(), 2),
    # Above the noise level 0.3 no more than two targets predict.
    (Adams(corrector=0), 2),
]
CORRECTED = [
    # The corrector's polynomial through c targets, the newest included, makes an error of h^c. The
    # newest is read at a predicted state, h^(k+1) off, and enters times h: min(c, k + 1).
    (Adams(order=1), 2), (Adams(order=2), 3), (Adams(cautious=1.0), 3), (UniPC(), 3),
    (Adams("F", "angle", 2), 3), (UniPC(rule="exact"), 3), (Adams(order=3, corrector=2), 2),
    (Adams(corrector=4, cautious=1.0), 4), (UniPC(order=3, corrector=4), 4),
    # k = 2 above the noise level 0.3.
    (Adams(), 3), (Adams(corrector=4), 3),
]  # fmt: skip


@pytest.mark.parametrize(("one", "theory"), [*PREDICTORS, *SPECIAL, *CORRECTED], ids=repr)
def test_order_of_convergence(one: Adams, theory: int) -> None:
    """Each solver's own order, seen on steps that are tiny where it knows only one target."""
    if isinstance(one, Adams):
        predicts = one.order if one.cautious == 1 else min(one.order, 2)
        assert theory == (min(one.corrector, predicts + 1) if one.corrector else predicts)
    count = 128 if theory < 4 else 400
    coarse, fine = graded_error(one, count), graded_error(one, 2 * count)
    assert math.log2(coarse / fine) == pytest.approx(theory, abs=0.3)


def test_a_cold_start_is_of_order_two() -> None:
    """On even steps the first one, h^2 off, is made once: deeper histories don't show to the end.

    The corrector mends it, up to order 3.
    """
    flow, mended = Adams(corrector=0, cautious=1.0), UniPC(order=3, corrector=4)
    for one, theory in ((DPMSolverPP3M(), 2), (flow, 2), (mended, 3)):
        assert math.log2(error(one, 128) / error(one, 256)) == pytest.approx(theory, abs=0.3)


@pytest.mark.parametrize("target", ["x", "epsilon", "velocity"])
def test_order_one_is_ddim_whatever_is_interpolated(target: str) -> None:
    one = Adams(target, "flow", 1, corrector=0)
    torch.testing.assert_close(flow(one, 10), flow(DDIM(), 10), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("parameter", ["x", "v", "velocity"])
def test_what_the_network_predicts_makes_no_difference(parameter: str) -> None:
    torch.testing.assert_close(
        flow(Adams(), 12, parameter), flow(Adams(), 12), rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize("parameter", ["epsilon", "score", "F"])
@pytest.mark.parametrize("path", ["vp", "ve"])
def test_nor_does_the_path_of_z(parameter: str, path: str) -> None:
    """The same ratios of sigma to signal give the same x, however z is scaled."""
    ends = []
    for own, one in ((path, parameter), ("vp", "x")):
        process = noise.Gaussian(one, path=own).bind(schedule.Cosine(1000))
        times = [1 - i / 20 for i in range(20)] + [0.0]
        times = [t for t in times if t <= 0.9]
        process.prepare(times)
        signal, sigma = process.clock(times[0])
        z = Z * (signal**2 + sigma**2) ** 0.5
        *_, last = Adams("F", "angle")(process, BED.oracle(process), z, Y, times, None)
        ends.append(last)
    torch.testing.assert_close(*ends, rtol=1e-8, atol=1e-8)


def test_the_default_has_half_the_error_of_its_peers() -> None:
    """DESIGN's measurement on one bed and one grid: the geometric mean over 8, 12, 20 calls."""
    for peer in (DDIM(), Euler(), DPMSolverPP(), RES(), UniPC(), LMS(order=3)):
        ratios = [error(Adams(), count) / error(peer, count) for count in (8, 12, 20)]
        assert math.prod(ratios) ** (1 / 3) < 0.5, (peer, ratios)


@pytest.mark.parametrize("target", sorted(TARGETS))
@pytest.mark.parametrize("variable", sorted(VARIABLES))
def test_a_polynomial_target_is_integrated_exactly(target: str, variable: str) -> None:
    """Where y is a cubic in v, four nodes give z to the end without error."""
    start, end = Point(0.4, 0.6, 0.5), Point(0.7, 0.3, 0.5)
    nodes = [start, Point(0.35, 0.65, 0.5), Point(0.3, 0.7, 0.5), Point(0.2, 0.8, 0.5)]
    of, row = VARIABLES[variable].of, TARGETS[target]

    def y(p: Point) -> float:
        v = of(p.ratio, p.data)
        return 1 + 2 * v - v**2 + 0.5 * v**3

    on_z, factors = weights(row, VARIABLES[variable], start, end, nodes)
    found = sum(f * y(p) for f, p in zip(factors, nodes, strict=True))
    # phi·∫ y dG by the trapezoidal rule on a fine path between the ends.
    path = [Point(0.4 + 0.3 * i / 4000, 0.6 - 0.3 * i / 4000, 0.5) for i in range(4001)]
    grown = [row.grown(p) / row.phi(p) for p in path]
    parts = [
        (b - a) * (y(p) + y(q)) / 2
        for (a, b), (p, q) in zip(pairwise(grown), pairwise(path), strict=True)
    ]
    assert found == pytest.approx(row.phi(end) * sum(parts), rel=1e-5)
    assert on_z == pytest.approx(row.phi(end) / row.phi(start))


def model(**modules: object) -> diffusion.Model:
    torch.manual_seed(0)
    own: dict = {
        "data": data.Identity(torch.randn(16, 3), batch=8), "schedule": schedule.Flow(100),
        "noise": noise.Gaussian("velocity"), "net": net.MLP(3), "time": time.Continuous(),
    }  # fmt: skip
    return diffusion.Model(**{**own, **modules})


@pytest.mark.parametrize("one", [Adams(), Adams("F", "angle", 3), DPMSolverPP(), UniPC()], ids=repr)
def test_it_samples_models_from_pure_noise_to_data(one: Adams) -> None:
    trained = model()
    with torch.no_grad():
        for p in trained.net.parameters():
            p.add_(0.05 * torch.randn_like(p))
    fine = trained.sample(batch=4, steps=400, seed=0, sampler=DDIM())
    w = trained.sample(batch=4, steps=40, seed=0, sampler=one)
    torch.testing.assert_close(w, fine, rtol=0.02, atol=0.02)
    fewer = trained.sample(batch=2, steps=40, seed=0, sampler=one)
    torch.testing.assert_close(w[:2], fewer, rtol=1e-5, atol=1e-5)


def test_known_positions_are_kept() -> None:
    known, mask = torch.full((2, 3), 0.7), torch.tensor([True, False, False])
    w = model().sample(known=known, mask=mask.expand(2, 3), steps=6, seed=0, sampler=Adams())
    torch.testing.assert_close(w[:, 0], known[:, 0])
    assert not torch.isclose(w[:, 1:], known[:, 1:]).any()


def test_steps_of_the_discrete_process() -> None:
    one = model(
        schedule=schedule.Linear(100), noise=noise.Gaussian("epsilon"), time=time.Discrete()
    )
    assert one.sample(batch=2, steps=7, sampler=UniPC(), seed=0).isfinite().all()


def test_wrong_settings_are_errors() -> None:
    with pytest.raises(InputError, match=r"Adams.target: .*'velocity'"):
        Adams("velocty")
    with pytest.raises(InputError, match=r"Adams.variable"):
        Adams(variable="time")
    for order in (0, 7, 2.5, "3", True, None):
        with pytest.raises(InputError, match=r"Adams.order: expected a whole number from 1 to 6"):
            Adams(order=order)
    for corrector, expected in ((1, "0, or 2 to 7 targets"), (2.0, "a whole number"), ("2", "a w")):
        with pytest.raises(InputError, match=rf"UniPC.corrector: expected {expected}"):
            UniPC(corrector=corrector)
    for cautious in (-0.1, 1.5, math.nan, "0"):
        with pytest.raises(InputError, match=r"Adams.cautious: expected a number in \[0, 1\]"):
            Adams(cautious=cautious)
    for eta in (-1.0, math.inf, "1"):
        with pytest.raises(InputError, match=r"SDE.eta: expected a number >= 0"):
            SDE(eta=eta)
    with pytest.raises(InputError, match=r"DDIM.eta: expected a number in \[0, 1\]; got 'x'"):
        DDIM("x")
    with pytest.raises(InputError, match="can't start from pure noise"):
        model().sample(batch=1, steps=4, sampler=LMS())
    with pytest.raises(InputError, match=r"DEIS.eta: .*with the target 'x'; got 1"):
        DEIS(eta=1.0)
    tokens = data.Identity(torch.randint(0, 4, (8, 5)))
    with pytest.raises(MismatchError, match="UniPC integrates an ODE, which Absorbing has not"):
        model(
            data=tokens, noise=noise.Absorbing(5), net=net.Transformer(5, width=8, heads=2)
        ).sample(batch=1, steps=4, sampler=UniPC())


@pytest.mark.parametrize("one", [DDIM(), Adams()], ids=repr)
def test_a_varied_noise_has_its_own_coefficients(one: Adams | DDIM) -> None:
    """A copy of a bound noise that predicts something else must not reuse the first one's plan."""
    first = noise.Gaussian("velocity").bind(schedule.Flow(100))
    times, ends = [0.9, 0.5, 0.2, 0.0], []
    for process in (first, first.vary(parameter="x"), first.vary(parameter="v")):
        process.prepare(times)
        *_, last = one(process, BED.oracle(process), Z, Y, times, None)
        ends.append(last)
    torch.testing.assert_close(ends[1], ends[0], rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(ends[2], ends[0], rtol=1e-9, atol=1e-9)

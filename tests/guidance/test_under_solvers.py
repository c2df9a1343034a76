"""Every guidance under every solver: the guided field has one end for each start."""

import pytest
import torch
from torch import Tensor

from diffusion import guidance, noise, rng, sampler, schedule
from diffusion.base import Guidance, Sampler
from diffusion.exact import Enumerated, Mixture

BED = Mixture(
    torch.tensor([0.5, 0.5]),
    torch.tensor(
        [[-0.6, 0.2, 0.9, -0.3, 0.1, -0.8], [0.7, -0.1, 0.2, 0.5, -0.9, -0.4]], dtype=torch.float64
    ),
    torch.tensor([0.3, 0.4], dtype=torch.float64),
)
PROCESS = noise.Gaussian("velocity").bind(schedule.Flow(1000))
Z = torch.randn(64, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
Y = torch.full((64,), 2)
FREE = guidance.ClassifierFree(strength=1.5)
GUIDED = [
    FREE, guidance.Interval(FREE, 0.2, 0.9), guidance.Rescale(FREE, 0.5),
    guidance.Project(1.5, 0.2, 2.0), guidance.Compose((1.2,)),
    FREE | guidance.Threshold("static", limit=2.0),
]  # fmt: skip
SOLVERS = [
    sampler.Adams(), sampler.Adams("F", "angle"), sampler.FlowAdams(), sampler.DPMSolverPP(),
    sampler.UniPC(), sampler.RungeKutta("heun"), sampler.RK4(), sampler.RES3S(),
]  # fmt: skip


def end(one: Sampler, guided: Guidance, steps: int) -> Tensor:
    times = [(1 - i / steps) ** 1.5 for i in range(steps)] + [0.0]
    PROCESS.prepare(times)
    y = Y[:, None] if isinstance(guided, guidance.Compose) else Y

    def plain(z: Tensor, y: Tensor, t: object) -> Tensor:
        return BED.oracle(PROCESS)(z, y.reshape(len(z)), t)

    *_, last = one(PROCESS, guided(plain, PROCESS), Z, y, times, rng.samples(0, len(Z)))
    return last


@pytest.mark.parametrize("guided", GUIDED, ids=repr)
def test_all_solvers_follow_the_same_guided_field(guided: Guidance) -> None:
    """To 2e-2 at 80 steps: a limit or an interval is a kink, which leaves order 1 at its place."""
    goal = end(sampler.RK4(), guided, 300)
    assert (goal - end(sampler.RK4(), FREE.vary(strength=0.0), 300)).abs().max() > 0.05
    for one in SOLVERS:
        torch.testing.assert_close(end(one, guided, 80), goal, rtol=0, atol=2e-2, msg=repr(one))


@pytest.mark.parametrize("one", [sampler.Ancestral(), sampler.SDE(), sampler.DDIM(0.5)], ids=repr)
def test_stochastic_samplers_are_guided_too(one: Sampler) -> None:
    """Towards the class: its mean lies 1.3 away from the other's."""
    ends = [end(one, FREE.vary(strength=s), 60)[:, 0].mean() for s in (0.0, 3.0)]
    assert ends[0] == pytest.approx(0.7, abs=0.2)  # 4 standard errors of 64 draws
    assert ends[1] > ends[0] + 0.1


@pytest.mark.parametrize(
    "one",
    [sampler.Ancestral(), sampler.TauLeap(), sampler.Trapezoidal(), sampler.Confident(),
     sampler.EntropyBound(), sampler.Remask()],
    ids=repr,
)  # fmt: skip
def test_guided_tokens_under_every_sampler(one: Sampler) -> None:
    """Class 1 has first tokens 0, the null condition has both: strength moves towards 0."""
    both, first = torch.zeros(3, 3), torch.zeros(3, 3)
    both[:2, :2], first[0, :2], first[1, :2] = 0.25, 0.4, 0.1
    process = noise.Absorbing(3).bind(schedule.LogLinear(100))
    laws = [Enumerated(both).oracle(process), Enumerated(first).oracle(process)]

    def plain(z: Tensor, y: Tensor, t: object) -> Tensor:
        found = [law(z, None, t) for law in laws]
        return torch.where((y > 0).reshape(1, -1, 1, 1), found[1], found[0])

    shares = []
    for strength in (0.0, 2.0):
        predict = guidance.ClassifierFree(strength=strength)(plain, process)
        z = process.stationary((400, 2)).sample(rng.samples(0, 400))[0]
        times = [1 - i / 16 for i in range(16)] + [0.0]
        *_, last = one(process, predict, z, torch.ones(400).long(), times, rng.samples(1, 400))
        shares.append(float((last[:, 0] == 0).double().mean()))
    assert shares[0] == pytest.approx(0.8, abs=0.08)  # 4 standard errors of 400 draws
    assert shares[1] > 0.9

"""How samplers behave: no waiting for the device, threads, compilation, few operations."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
import torch._dynamo
from torch.utils._python_dispatch import TorchDispatchMode

import diffusion
from diffusion import data, net, noise, rng, schedule, time
from diffusion.noise import Split
from diffusion.sampler import (
    DDIM,
    DEIS,
    LMS,
    RES,
    RES2S,
    RES3S,
    RK4,
    SDE,
    Adams,
    Ancestral,
    DPMSolverPP,
    DPMSolverPP2MSDE,
    DPMSolverPP2S,
    DPMSolverPP3M,
    DPMSolverPP3MSDE,
    Euler,
    FlowAdams,
    Heun,
    Midpoint,
    UniPC,
)
from diffusion.sampler.ancestral import ORDER_ONE
from diffusion.sampler.plan import advance, table

PLANNED = [
    Euler(), LMS(), DEIS(), DPMSolverPP(), DPMSolverPP3M(), RES(), UniPC(),
    UniPC(order=3, corrector=4), FlowAdams(), Adams(), Adams("F", "angle"), ORDER_ONE, Midpoint(),
    Heun(), DPMSolverPP2S(), RES2S(), RES3S(), RK4(),
]  # fmt: skip
PRESETS = [
    *PLANNED, DDIM(), SDE(), SDE(brownian=True), DPMSolverPP2MSDE(), DPMSolverPP3MSDE(),
]  # fmt: skip


class Operations(TorchDispatchMode):
    """Counts the operations that torch carries out, by name."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.seen.append(function.overloadpacket.__name__)
        return function(*args, **(kwargs or {}))


PROCESS = noise.Gaussian("v").bind(schedule.Cosine(1000))
TIMES = [0.95 - 0.05 * i for i in range(19)] + [0.0]


def steps(one) -> list[str]:
    """The operations of the steps alone: the network only hands back what it has."""
    z, hat = torch.randn(1, 4, 8, 8), torch.randn(1, 1, 4, 8, 8)
    PROCESS.prepare(TIMES)
    run = one(PROCESS, lambda z, y, t: hat, z, torch.zeros(1), TIMES, torch.Generator())
    next(run)  # the plan is made here
    with Operations() as counted:
        for _ in run:
            pass
    return counted.seen


@pytest.mark.parametrize("one", PRESETS, ids=repr)
def test_no_step_waits_for_the_device(one) -> None:
    assert "_local_scalar_dense" not in steps(one) or getattr(one, "brownian", False)


@pytest.mark.parametrize(
    ("one", "most"),
    [(DDIM(), 3), (Euler(), 3), (DPMSolverPP(), 5), (UniPC(), 6), (FlowAdams(), 5),
     (Adams(order=2), 6), (Adams(), 7), (DEIS(), 6)],
    ids=repr,
)  # fmt: skip
def test_a_step_is_a_handful_of_operations(one, most: int) -> None:
    """One to take hat[0], one to read the target, one to scale z, one for each known target."""
    assert len(steps(one)) <= most * (len(TIMES) - 2)


@pytest.mark.parametrize("one", [Adams(), UniPC(), SDE(), SDE(brownian=True), Heun(target="x")],
                         ids=repr)  # fmt: skip
def test_threads_share_a_sampler(one) -> None:
    """8 threads draw 100 samples each with one model and one sampler: bit by bit as alone."""
    torch.manual_seed(0)
    model = diffusion.Model(
        data.Identity(torch.randn(16, 3), batch=8), schedule.Flow(100), noise.Gaussian("velocity"),
        net.MLP(3, hidden=16), time=time.Continuous(), sampler=one,
    )  # fmt: skip
    alone = [model.sample(batch=100, steps=5, seed=i) for i in range(8)]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda i: model.sample(batch=100, steps=5, seed=i), range(8)))
    assert all(torch.equal(a, b) for a, b in zip(alone, together, strict=True))


MOST = 4
"""Targets that the longest of the presets' histories keeps."""


def by_rows(one, times, predict, call=advance) -> list[torch.Tensor]:
    """The states, by coefficients in tensors and a history of fixed length."""
    z = torch.randn(2, 3, generator=torch.Generator().manual_seed(0))
    plan, known = one.plan(PROCESS, times), tuple(torch.zeros(MOST, 2, 3).unbind())
    rows, states = iter(table(plan, MOST, z).unbind()), [z]
    for step in plan:
        shown = z
        for t, *_ in step.calls:
            hat = predict(shown, None, t)
            x, epsilon = (hat.x, hat.epsilon) if isinstance(hat, Split) else (hat, hat)
            z, shown, known = call(next(rows), z, shown, x[0], epsilon[0], known)
        z = shown
        states.append(z)
    return states


def said(z, y, t):
    return z.sin()[None]


def said_apart(z, y, t):
    return Split(z.sin()[None], z.cos()[None])


def test_one_graph_takes_every_step_of_every_preset() -> None:
    """After 8 steps of one of them nothing is compiled again, for other samplers, grids, numbers of
    steps or guidance; and the states are those of the plain loop.
    """
    torch._dynamo.reset()
    compiled = torch.compile(advance, fullgraph=True, backend="eager")
    grids = [[0.9 * (1 - i / n) ** power for i in range(n + 1)] for n, power in ((12, 1), (20, 2))]
    by_rows(RK4(), [0.9 - 0.1 * i for i in range(9)], said, compiled)
    with torch._dynamo.config.patch(error_on_recompile=True):
        for one in PLANNED:
            assert one.kept <= MOST
            for times in grids:
                for predict in (said, said_apart):
                    start, *found = by_rows(one, times, predict, compiled)
                    plain = list(one(PROCESS, predict, start, None, times, None))
                    torch.testing.assert_close(found, plain, rtol=1e-4, atol=1e-5)


def test_a_loop_over_rows_keeps_gradients() -> None:
    z = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    row = table(Adams().plan(PROCESS, TIMES), MOST, z)[4]
    known = tuple(torch.randn(MOST, 2, 3, dtype=torch.float64).unbind())
    assert torch.autograd.gradcheck(lambda z: advance(row, z, z, z.sin(), z.cos(), known)[1], z)


@pytest.mark.parametrize("one", [Adams(), DPMSolverPP(), RK4()], ids=repr)
def test_x_and_epsilon_may_come_from_two_outputs(one) -> None:
    """Twice the same output is that output; otherwise each target takes its share of both."""
    z, hat = torch.randn(2, 3), torch.randn(2, 1, 2, 3)
    ends = []
    for answer in (hat[0], Split(hat[0], hat[0]), Split(hat[0], hat[1])):
        run = one(PROCESS, lambda z, y, t, a=answer: a, z, torch.zeros(2), TIMES, None)
        ends.append(list(run))
    torch.testing.assert_close(ends[0][-1], ends[1][-1])
    assert (ends[0][3] - ends[2][3]).abs().max() > 0.01


def test_a_split_step_of_order_one_by_hand() -> None:
    """CFG++, Chung et al. 2024, algorithm 1: signal_s·x(guided) + sigma_s·epsilon(plain)."""
    z, hat = torch.randn(2, 3).double(), torch.randn(2, 1, 2, 3).double()
    one = Adams("velocity", order=1, corrector=0)
    run = one(PROCESS, lambda z, y, t: Split(hat[0], hat[1]), z, None, [0.6, 0.4, 0.0], None)
    signal, sigma = PROCESS.clock(0.4)
    x, epsilon = PROCESS.predict(z, 0.6, hat[0]), PROCESS.predict_epsilon(z, 0.6, hat[1])
    torch.testing.assert_close(next(run), signal * x + sigma * epsilon)


@pytest.mark.parametrize("one", [o for o in PRESETS if o != Midpoint()], ids=repr)
def test_one_step_is_the_denoised_item(one) -> None:
    """From T or from the middle: x as the network says it, from the one call.

    Except where a stage lies halfway to the data, in a bounded variable.
    """
    z, hat = torch.randn(2, 3).double(), torch.randn(1, 2, 3).double()
    calls: list[float] = []

    def predict(z, y, t):
        calls.append(t)
        return hat

    found = list(one(PROCESS, predict, z, torch.zeros(2), [0.7, 0.0], torch.Generator()))
    assert calls == [0.7]
    torch.testing.assert_close(found, [PROCESS.predict(z, 0.7, hat)])


def test_gaussian_parts_of_joint_noise_are_integrated() -> None:
    """With a network that treats the parts apart, each ends where it would alone."""
    parts = {"a": noise.Gaussian("velocity"), "b": noise.Absorbing(4)}
    schedules = {"b": schedule.LogLinear(100)}
    joint = noise.Joint(parts, schedules).bind(schedule.Flow(100))
    times, logits = [1.0, 0.7, 0.4, 0.1, 0.0], torch.randn(1, 2, 5, 4)
    z = {"a": torch.randn(2, 3).double(), "b": torch.full((2, 5), 3)}

    def predict(z, y, t):
        return {"a": (z["a"].sin() * 0.3)[None], "b": logits}

    states = list(Adams()(joint, predict, z, None, times, rng.samples(0, 2)))
    alone = Adams()(joint["a"], lambda z, y, t: (z.sin() * 0.3)[None], z["a"], None, times, None)
    for state, expected in zip(states, alone, strict=True):
        torch.testing.assert_close(state["a"], expected)
    tokens = Ancestral()(joint["b"], lambda z, y, t: logits, z["b"], None, times, rng.samples(0, 2))
    assert torch.equal(states[-1]["b"], list(tokens)[-1])
    held = [{"a": t, "b": 0.0} for t in times]  # a known modality stays as it is
    states = list(Adams()(joint, predict, z, None, held, rng.samples(0, 2)))
    assert torch.equal(states[-1]["b"], z["b"])


def test_ddim_draws_nothing_even_where_networks_predict_a_variance() -> None:
    """Its noise is a share of the posterior's; a learned variance is that of ancestral steps."""
    learned = noise.Gaussian("v", "learned").bind(schedule.Cosine(1000))
    z, hat = torch.randn(2, 3), torch.randn(2, 2, 3)
    ends = [
        list(DDIM()(process, lambda z, y, t, h=said: h, z, None, TIMES, rng.samples(seed, 2)))[-1]
        for process, said, seed in ((learned, hat, 0), (learned, hat, 1), (PROCESS, hat[:1], 0))
    ]
    assert torch.equal(ends[0], ends[1])
    torch.testing.assert_close(ends[0], ends[2])

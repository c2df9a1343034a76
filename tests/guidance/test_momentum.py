"""What "the difference before" is, under solvers that call the network in any order of times."""

from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from diffusion import rng, sampler
from diffusion.base import Guidance
from diffusion.check import check
from diffusion.guidance import Project
from diffusion.guidance.momentum import Momentum

from .bed import BED, CLOSE, Y, Z, bound

WEIGHT = -0.5


def running(times: list[Any], each: Any = None) -> list[float]:
    """The running values of a difference that is the time itself."""
    memory = Momentum(WEIGHT)
    return [float(memory(t, torch.full((1, 2), float(t)))[0, 0]) for t in times]


def test_it_is_that_of_the_next_higher_time() -> None:
    eight, four, two = 8.0, 4.0 - 4.0, 2.0  # 4 - 0.5·8, and 2 - 0.5·0
    assert running([8, 4, 2]) == [eight, four, two]
    assert running([8, 4, 4, 4, 2]) == [eight, four, four, four, two]  # stages at one time
    assert running([8, 4, 6, 2]) == [eight, four, 6 - 0.5 * 8, 2 - 0.5 * 2]  # 4 raised to 6
    assert running([8, 4, 9, 4]) == [eight, four, 9.0, 4 - 0.5 * 9]  # another sampling
    assert running([8, 4, 8, 4]) == [eight, four, eight, four]
    assert running([0.8, 0.4]) == pytest.approx([0.8, 0.0])


def test_each_sample_has_its_own_times() -> None:
    rows = torch.tensor([[8.0, 4.0, 2.0, 2.0], [8.0, 4.0, 4.0, 2.0], [8.0, 4.0, 6.0, 3.0]])
    memory = Momentum(WEIGHT)
    found = [memory(t, t[:, None].expand(3, 2))[:, 0] for t in rows.T]
    expected = torch.tensor([running(row.tolist()) for row in rows]).T
    torch.testing.assert_close(torch.stack(found), expected)


def test_a_batch_of_another_size_starts_anew() -> None:
    memory = Momentum(WEIGHT)
    memory(8, torch.ones(4, 2))
    torch.testing.assert_close(memory(4, torch.ones(3, 2)), torch.ones(3, 2))


PROCESS = bound("x")
ALONG, ACROSS = torch.tensor([[1.0, 0.0]]).double(), torch.tensor([[0.0, 1.0]]).double()


def told(one: sampler.RungeKutta | sampler.Adams) -> list[tuple[float, float]]:
    """Times, and the guided part of x, of every call; the difference is the time itself."""
    calls: list[tuple[float, float]] = []

    def predict(z: Tensor, y: Tensor, t: Any) -> Tensor:
        return (ALONG + (y > 0).double()[:, None] * t * ACROSS)[None]

    guided = Project(1.0, parallel=1.0, momentum=WEIGHT)(predict, PROCESS)

    def heard(z: Tensor, y: Tensor, t: Any) -> Any:
        hat = guided(z, y, t)
        calls.append((t, float(hat[0, 0, 1]) - t))
        return hat

    times = [1.0, 0.8, 0.5, 0.3, 0.1, 0.0]
    PROCESS.prepare(times)
    y = torch.ones(1, dtype=torch.long)
    list(one(PROCESS, heard, Z[:1], y, times, rng.samples(0, 1)))
    return calls


def test_of_a_method_that_ends_a_step_where_the_next_begins_it_is_the_step_before() -> None:
    """Heun calls twice at every time but the first, Adams once: the same differences."""
    values = dict(told(sampler.Adams()))
    calls = told(sampler.RungeKutta("heun"))
    assert len(calls) > len(values)
    for t, value in calls:
        assert value == pytest.approx(values[t])
    assert values[0.8] == pytest.approx(0.8 - 0.5 * 1.0)


def test_where_churn_raises_the_time_it_is_the_start_of_the_step_before() -> None:
    calls = told(sampler.RungeKutta("heun", churn=0.5))
    starts = [v for v in calls if sum(t == v[0] for t, _ in calls) == 1]  # t0, and raised ones
    raised = [(t, v) for t, v in starts if t not in (1.0, 0.8, 0.5, 0.3, 0.1)]
    assert len(raised) >= 2
    for (_, before), (t, value) in pairwise(raised):
        assert value == pytest.approx(t + WEIGHT * before)


@pytest.mark.parametrize(
    "one", [sampler.RungeKutta("heun"), sampler.RK4(), sampler.RES3S(), sampler.Adams()], ids=repr
)
def test_a_guided_function_can_sample_twice_and_other_batches(one) -> None:
    process = bound()
    times = [1.0, 0.7, 0.4, 0.1, 0.0]
    process.prepare(times)
    guide = Project(2.0)

    def end(guided: Any, count: int) -> Tensor:
        *_, last = one(process, guided, Z[:count], Y[:count], times, rng.samples(0, count))
        return last

    kept = guide(BED.oracle(process), process)
    for count in (6, 6, 2, 6):
        fresh = guide(BED.oracle(process), process)
        torch.testing.assert_close(end(kept, count), end(fresh, count), **CLOSE)


def test_samples_with_steps_of_their_own_do_not_depend_on_the_batch() -> None:
    process = bound()
    guide = Project(2.0)

    def end(rows: slice) -> Tensor:
        guided = guide(BED.oracle(process), process)
        walk = sampler.Adaptive(1e-3, 1e-3)
        times = [1.0, 0.5, 0.0]
        *_, last = walk(process, guided, Z[rows], Y[rows], times, rng.samples(0, len(Z[rows])))
        return last

    whole = end(slice(0, 6))
    for i in range(6):
        torch.testing.assert_close(end(slice(i, i + 1)), whole[i : i + 1], rtol=1e-7, atol=1e-7)


class Stale(Guidance):
    """Momentum that does not look at the batch."""

    def __call__(self, predict: Any, noise: Any) -> Any:
        before: list[Tensor] = []

        def guided(z: Tensor, y: Any, t: Any) -> Tensor:
            hat = predict(z, y, t)
            hat = hat + 0.5 * before.pop() if before else hat
            before.append(hat)
            return hat

        return guided


def test_the_exam_finds_memories_that_outlive_a_batch() -> None:
    assert "another batch" in [one.name for one in check(Stale()).failures]

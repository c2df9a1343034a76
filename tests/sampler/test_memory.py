"""What samplers plan is kept with the noise, within bounds."""

import random
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from diffusion import noise, schedule
from diffusion.noise.clock import PLANS, TIMES
from diffusion.sampler import DDIM, Adams, Ancestral, FlowAdams, Heun


def said(z, y, t):
    return z.sin()[None]


@pytest.mark.parametrize("one", [Adams(), Heun(), DDIM(), Ancestral()], ids=repr)
def test_many_grids_keep_memory_bounded(one) -> None:
    """300 random grids leave 16 plans and about a thousand scales, and the first still gives the
    same end.
    """
    process, draws = noise.Gaussian("v").bind(schedule.Cosine(1000)), random.Random(0)
    z = torch.randn(2, 3)

    def end(times):
        process.prepare(times)
        return list(one(process, said, z, None, times, torch.Generator().manual_seed(0)))[-1]

    grids = [[*sorted((draws.random() for _ in range(8)), reverse=True), 0.0] for _ in range(300)]
    first = end(grids[0])
    for times in grids:
        end(times)
    clock = process.clock
    assert len(clock._plans) <= PLANS
    assert max(len(clock._at), len(clock._rate_at)) <= TIMES
    assert torch.equal(end(grids[0]), first)


def test_a_plan_longer_than_the_bound_and_threads_that_make_room() -> None:
    """More times than are kept are one sampling still, and 8 threads crowd each other out."""
    process = noise.Gaussian("v").bind(schedule.Cosine(1000))
    z = torch.randn(2, 3)

    def end(seed):
        draws, last = random.Random(seed), z
        for _ in range(8):
            times = [*sorted((draws.random() for _ in range(50)), reverse=True), 0.0]
            process.prepare(times)
            last = list(FlowAdams()(process, said, z, None, times, None))[-1]
        return last

    alone = [end(seed) for seed in range(8)]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(end, range(8)))
    assert all(torch.equal(a, b) for a, b in zip(alone, together, strict=True))
    many = [1 - i / 1100 for i in range(1100)] + [0.0]
    process.prepare(many)
    assert list(FlowAdams()(process, said, z, None, many, None))[-1].isfinite().all()

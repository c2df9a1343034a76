"""The table's finite sums against brute force over pairs of sequences."""

import math

import pytest
import torch

from diffusion.errors import InputError
from diffusion.exact import Enumerated
from diffusion.noise import Absorbing, Mixed, Uniform
from diffusion.schedule import Flow

TABLE = torch.rand(3, 3, generator=torch.Generator().manual_seed(2)) ** 3


@pytest.fixture(params=["uniform", "absorbing", "mixed"])
def bed(request):
    if request.param == "absorbing":
        table = TABLE.clone()
        table[2], table[:, 2] = 0.0, 0.0
        return Enumerated(table), Absorbing(3).bind(Flow(10))
    noise = Uniform(3) if request.param == "uniform" else Mixed(torch.tensor([0.5, 0.2, 0.3]))
    return Enumerated(TABLE), noise.bind(Flow(10))


def kernel(noise, t):
    keep = noise.clock.kappa(t)
    return keep * torch.eye(3).double() + (1 - keep) * noise.law().expand(3, 3)


def test_marginals_and_posteriors(bed):
    table, noise = bed
    for t in (1, 4, 9, 0.37):
        m = kernel(noise, t)
        joint = torch.einsum("ab,ai,bj->abij", table.p, m, m)  # x, x, z, z
        torch.testing.assert_close(table.noisy(noise, t), joint.sum((0, 1)))
        z = table.sequences[joint.sum((0, 1)).flatten() > 0]
        p = table.posterior(noise, z, t)
        for (i, j), found in zip(z.tolist(), p, strict=True):
            here = joint[:, :, i, j] / joint[:, :, i, j].sum()
            torch.testing.assert_close(found, torch.stack([here.sum(1), here.sum(0)]))
        many = torch.full((len(z),), t)
        torch.testing.assert_close(table.posterior(noise, z, many), p, rtol=1e-6, atol=1e-6)


def test_a_step_pushes_the_product_of_its_tokens(bed):
    """Two steps of the law against a loop over all paths."""
    table, noise = bed
    times, oracle = [10, 4, 0], table.oracle(noise)
    law = {
        (i, j): float(a * b) for i, a in enumerate(noise.law()) for j, b in enumerate(noise.law())
    }
    for t, s in ((10, 4), (4, 0)):
        moved = dict.fromkeys(law, 0.0)
        for z, mass in law.items():
            if mass == 0:
                continue
            ids = torch.tensor([z])
            p = noise.step(ids, t, s, oracle(ids, None, t)).p[0].double()
            for x in moved:
                moved[x] += mass * float(p[0, x[0]] * p[1, x[1]])
        law = moved
    expected = torch.tensor([law[tuple(x)] for x in table.sequences.tolist()]).double()
    found = table.law(noise, oracle, times)
    torch.testing.assert_close(found.flatten(), expected, rtol=1e-5, atol=1e-7)


def test_the_bound_is_a_sum_over_data_and_states(bed):
    table, noise = bed
    oracle, value = table.oracle(noise), 0.0
    x, p = table.sequences[table.p.flatten() > 0], table.p.flatten()[table.p.flatten() > 0]
    for t, s in ((10, 5), (5, 1), (1, 0)):
        m = kernel(noise, t)
        for clean, weight in zip(x, p, strict=True):
            for z in table.sequences:
                reach = float(weight * m[clean[0], z[0]] * m[clean[1], z[1]])
                if reach > 0:
                    model = noise.step(z[None], t, s, oracle(z[None], None, t))
                    true = noise.bridge(clean[None], z[None], t, s)
                    value += reach * float(true.dkl(model).sum())
    assert table.nelbo(noise, oracle, [10, 5, 1, 0]) == pytest.approx(value, abs=1e-4)


def test_entropy_and_distance():
    assert Enumerated(torch.ones(2, 2, 2)).entropy == pytest.approx(3 * math.log(2))
    assert Enumerated(torch.tensor([0.0, 4.0])).entropy == 0
    assert Enumerated(torch.tensor([0.25, 0.75])).variation(torch.tensor([0.5, 0.5])) == 0.25


def test_samples_follow_the_table():
    table = Enumerated(TABLE)
    ids = table.sample(50_000, torch.Generator().manual_seed(0))
    counts = (
        torch.zeros(9).double().index_add(0, ids[:, 0] * 3 + ids[:, 1], torch.ones(50_000).double())
    )
    assert table.variation((counts / 50_000).reshape(3, 3)) < 0.01


def test_a_state_beyond_reach_tells_nothing():
    table = Enumerated(torch.tensor([[1.0, 1.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 0.0]]))
    p = table.posterior(Absorbing(3).bind(Flow(10)), torch.tensor([[1, 0]]), 5)
    torch.testing.assert_close(p[0, 0], table.p.sum(1))


def test_faults_are_named():
    for p, message in (
        (torch.ones(2, 3), "equal axes"),
        (torch.ones(17, 17, 17), "at most 4096 entries"),
        (torch.tensor([-1.0, 2.0]), "probabilities >= 0"),
        (torch.zeros(3), "do not all vanish"),
    ):
        with pytest.raises(InputError, match=message):
            Enumerated(p)

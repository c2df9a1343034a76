"""Draws are functions of (seed, sample), however many are drawn together and ahead."""

import numpy as np
import pytest
import torch

from diffusion import rng


@pytest.mark.parametrize("row", [(), (3,), (16,), (2, 8, 8), (2000,)])
def test_a_sample_draws_the_same_in_any_batch(row: tuple[int, ...]) -> None:
    alone, many = rng.samples(0, 1, first=2), rng.samples(0, 5)
    for _ in range(20):
        one = rng.normal(torch.zeros(1, *row), alone)
        all_of_them = rng.normal(torch.zeros(5, *row), many)
        assert torch.equal(one[0], all_of_them[2])


def test_what_is_drawn_between_changes_nothing_for_the_others() -> None:
    """Two shapes and two kinds of draw, interleaved, in two batches."""
    small, large = rng.samples(1, 2), rng.samples(1, 4)
    for _ in range(12):
        for shape in ((3,), (2, 5)):
            a = rng.normal(torch.zeros(2, *shape), small)
            assert torch.equal(a, rng.normal(torch.zeros(4, *shape), large)[:2])
        b = rng.uniform(torch.zeros(2, 7), small)
        assert torch.equal(b, rng.uniform(torch.zeros(4, 7), large)[:2])


def test_draws_are_standard_normal_and_never_repeat() -> None:
    draws = rng.samples(2, 64)
    values = torch.stack([rng.normal(torch.zeros(64, 30), draws) for _ in range(40)])
    count = values.numel()
    assert abs(float(values.mean())) < 4 / count**0.5
    assert abs(float(values.var()) - 1) < 4 * (2 / count) ** 0.5
    # Between steps and between samples: 30 × 64 products have a mean within 4 standard errors of 0.
    for other in (values.roll(1, 0), values.roll(8, 0), values.roll(1, 1)):
        assert abs(float((values * other).mean())) < 4 / count**0.5
    assert len(values.flatten().unique()) > 0.99 * count


def test_a_global_generator_is_put_back_where_it_was() -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    with rng.kept():
        rng.seed_all(7)
        first = torch.rand(2)
    assert torch.equal(torch.rand(4), expected)
    with rng.scope(7):
        assert torch.equal(torch.rand(2), first)


def test_seeded_rows_depend_on_their_own_seed_and_the_place() -> None:
    seeds = np.arange(4096) * 7919
    rows = rng.seeded(torch.empty(4096, 3), seeds, place=5)
    assert torch.equal(rows[100:200], rng.seeded(torch.empty(100, 3), seeds[100:200], place=5))
    assert not torch.equal(rows, rng.seeded(torch.empty(4096, 3), seeds, place=6))
    half = rng.seeded(torch.empty(4096, 3, dtype=torch.bfloat16), seeds, place=5)
    assert torch.equal(half, rows.bfloat16())
    # Means of 4,096 unit normals have the deviation 1/64; so has a row's product with the next.
    assert rows.mean(0).abs().max() < 5 / 64
    assert (rows[1:] * rows[:-1]).mean(0).abs().max() < 5 / 64
    assert (rows.square().mean(0) - 1).abs().max() < 5 * 2**0.5 / 64

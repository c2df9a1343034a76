"""Comparing samplers on a model, and finding the best one for a number of steps."""

import math

import pytest
import torch

import diffusion
from diffusion import data, net, noise, sampler, schedule
from diffusion.errors import InputError
from diffusion.grid import Points
from diffusion.sampler import Adams, Tuned
from diffusion.sampling import tune as tuning
from diffusion.sampling.compare import SOLVERS, compare, reference

from .oracle import BED, model


def test_errors_are_distances_from_the_exact_ends() -> None:
    one = model()
    known = reference(one, None, 32, None, 0, 300)
    exact = BED.flow(known.z, (0.0, 1.0))
    torch.testing.assert_close(known.ends, exact, rtol=1e-4, atol=1e-4)
    few = [1.0, 0.5, 0.2, 0.0]
    *_, end = one.stream(z=known.z, steps=few, sampler=sampler.DDIM())
    expected = (end - exact).abs().flatten() / exact.square().mean().sqrt()
    torch.testing.assert_close(known.error(one, sampler.DDIM(), few), expected, rtol=1e-2, atol=0)


def test_a_comparison_ranks_samplers_and_measures_their_order() -> None:
    names = ("DDIM", "Adams", "DPMSolverPP", "Heun", "RK4")
    found = compare(model(), (8, 16), batch=16, solvers={name: SOLVERS[name] for name in names})
    assert next(iter(found)) == "Adams"
    assert found["DDIM"].order == pytest.approx(1, abs=0.3)
    assert found["RK4"].order == pytest.approx(4, abs=0.3)
    assert found["Adams"].model[1] < 0.2 * found["DDIM"].model[1]
    assert found["Heun"].late  # epsilon can't start from pure noise
    assert found["RK4"].calls == (8, 16)


def test_tuning_beats_the_default_at_few_steps() -> None:
    """Judged on starts that the search never saw."""
    one = model()
    tuned = one.tune(4, batch=128, seconds=20.0)
    assert isinstance(tuned.sampler, Tuned)
    fresh = reference(one, None, 256, None, 99, 200)

    def error(which: diffusion.Model) -> float:
        states = which.stream(z=fresh.z, steps=4)
        *_, end = states
        return float((end - fresh.ends).square().mean().sqrt())

    plain = one.replace(sampler=Adams())
    assert error(tuned) < 0.8 * error(plain)
    spread = float(fresh.ends.square().mean().sqrt())
    assert tuned.sampler.errors[0] == pytest.approx(error(tuned) / spread, rel=1.0)


def test_what_was_tuned_is_saved_and_adds_up(tmp_path) -> None:
    torch.manual_seed(0)
    one = diffusion.Model(
        data.Identity(torch.randn(16, 3), batch=8), schedule.Cosine(50), noise.Gaussian("x"),
        net.MLP(3),
    )  # fmt: skip
    twice = one.tune(4, seconds=0.5).tune(9, seconds=0.5)
    assert [len(levels) for levels in twice.sampler.ratios] == [9, 4]
    twice.save(tmp_path / "model")
    again = diffusion.Model.load(tmp_path / "model")
    assert again.sampler == twice.sampler
    for steps in (3, 4, 9, 30):
        assert len(list(again.stream(batch=1, steps=steps))) == steps + 1
    asked: list[int] = []
    again.net.register_forward_pre_hook(lambda _, args: asked.append(int(args[2][0])))
    list(again.stream(batch=1, steps=4))
    wanted = Points(4, twice.sampler.ratios[1]).times(again.bind().clock, False)
    assert asked == wanted[:-1]


def test_the_search_moves_levels_between_their_neighbours() -> None:
    levels = [math.inf, 3.0, 1.0, 0.2]
    for i in (1, 2, 3):
        for share in (-0.3, 0.3):
            moved = tuning._moved(levels, i, share)
            assert (moved[i] > levels[i]) == (share > 0)
            assert all(a > b for a, b in zip(moved, [*moved[1:], 0.0], strict=True))


def test_what_cannot_be_tuned_is_an_error() -> None:
    with pytest.raises(InputError, match=r"tune.steps: expected at least 1; got 0"):
        model().tune(0)
    with pytest.raises(InputError, match=r"compare.calls"):
        compare(model(), (0,))
    tokens = diffusion.Model(
        data.Identity(torch.randint(0, 4, (8, 5))), schedule.Cosine(10), noise.Absorbing(5),
        net.Transformer(5, width=8, heads=2),
    )  # fmt: skip
    with pytest.raises(InputError, match=r"comparing solvers: .*Absorbing has none"):
        tokens.tune(4)
    with pytest.raises(InputError, match=r"Tuned.ratios: expected 1 lists; got 0"):
        Tuned((Adams(),), ())

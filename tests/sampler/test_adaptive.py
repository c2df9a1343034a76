"""Steps whose length follows the error."""

import pytest
import torch

import diffusion
from diffusion import data, net, noise, schedule, time
from diffusion.errors import InputError, MismatchError
from diffusion.sampler import Adams, Adaptive

from .line import BED, EXACT, Y, Z

PROCESS = noise.Gaussian("velocity").bind(schedule.Flow(1000))


def run(one: Adaptive, z=Z, times=(0.98, 0.02)) -> tuple[torch.Tensor, int]:
    calls = 0

    def predict(z, y, t):
        nonlocal calls
        calls += 1
        return BED.oracle(PROCESS)(z, y, t)

    *_, last = one(PROCESS, predict, z, Y[: len(z)], list(times), None)
    return last, calls


def test_the_error_follows_the_tolerance_and_so_do_the_calls() -> None:
    errors, counts = [], []
    for tolerance in (1e-2, 1e-4, 1e-6):
        last, calls = run(Adaptive(tolerance, tolerance))
        errors.append(float((last - EXACT).abs().max()))
        counts.append(calls)
        # Errors of a few dozen steps add up, and the flow stretches them.
        assert errors[-1] < 50 * tolerance
    assert errors[0] > 10 * errors[1] > 100 * errors[2]
    assert counts[0] < counts[1] < counts[2]


@pytest.mark.parametrize("parameter", ["x", "epsilon", "v", "velocity"])
@pytest.mark.parametrize("path", ["vp", "flow"])
def test_every_parameter_and_path(parameter: str, path: str) -> None:
    process = noise.Gaussian(parameter, path=path).bind(schedule.Cosine(1000))
    signal, sigma = process.clock(0.95)
    start = Z * (signal**2 + sigma**2) ** 0.5
    *_, last = Adaptive(1e-6, 1e-6)(process, BED.oracle(process), start, Y, [0.95, 0.0], None)
    exact = BED.flow(start, (signal, sigma))
    torch.testing.assert_close(last, exact, rtol=1e-3, atol=1e-3)


def test_a_sample_takes_its_own_steps() -> None:
    whole, _ = run(Adaptive())
    alone, _ = run(Adaptive(), Z[5:6])
    torch.testing.assert_close(whole[5:6], alone, rtol=1e-12, atol=1e-12)


def test_states_at_the_times_asked_for() -> None:
    times = [0.98, 0.5, 0.02]
    found = list(Adaptive(1e-6, 1e-6)(PROCESS, BED.oracle(PROCESS), Z, Y, times, None))
    torch.testing.assert_close(found[0], BED.flow(Z, (0.02, 0.98), (0.5, 0.5)), rtol=0, atol=1e-4)
    torch.testing.assert_close(found[1], EXACT, rtol=0, atol=1e-4)


def model(**modules: object) -> diffusion.Model:
    torch.manual_seed(0)
    own: dict = {
        "data": data.Identity(torch.randn(16, 3), batch=8), "schedule": schedule.Flow(100),
        "noise": noise.Gaussian("velocity"), "net": net.MLP(3), "time": time.Continuous(),
    }  # fmt: skip
    return diffusion.Model(**{**own, **modules})


def test_it_samples_a_model() -> None:
    one = model()
    with torch.no_grad():
        for p in one.net.parameters():
            p.add_(0.05 * torch.randn_like(p))
    fine = one.sample(batch=4, steps=300, seed=0, sampler=Adams())
    w = one.sample(batch=4, steps=1, seed=0, sampler=Adaptive(1e-4, 1e-4))
    torch.testing.assert_close(w, fine, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_types_are_integrated_in_float32(dtype: torch.dtype) -> None:
    """The network is asked in its own precision, and the end is as near as that allows."""
    asked = set()

    def predict(z, y, t):
        asked.add((z.dtype, t.dtype))
        return BED.oracle(PROCESS)(z.double(), y, t).to(z.dtype)

    *_, last = Adaptive(1e-2, 1e-2)(PROCESS, predict, Z.to(dtype), Y, [0.98, 0.5, 0.02], None)
    assert asked == {(dtype, torch.float32)}
    assert last.dtype == dtype
    assert float((last.double() - EXACT).square().mean().sqrt()) < 0.05


def test_a_model_in_bfloat16_is_sampled() -> None:
    half = model()
    half.net.to(torch.bfloat16)
    w = half.sample(batch=2, steps=1, seed=0, sampler=Adaptive(1e-2, 1e-2))
    assert w.dtype == torch.bfloat16
    assert w.isfinite().all()


def test_what_it_cannot_do_is_an_error() -> None:
    with pytest.raises(InputError, match=r"Adaptive.rtol: expected a number > 0; got 0"):
        Adaptive(rtol=0)
    with pytest.raises(InputError, match=r"Adaptive.atol: expected a number > 0; got '1e-3'"):
        Adaptive(atol="1e-3")
    with pytest.raises(InputError, match="need continuous times"):
        model(time=time.Discrete()).sample(batch=1, steps=1, sampler=Adaptive())
    mask = torch.tensor([[True, False, False]])
    with pytest.raises(InputError, match="can't hold known positions"):
        model().sample(known=torch.zeros(1, 3), mask=mask, steps=1, sampler=Adaptive())
    with pytest.raises(InputError, match="steps were not enough"):
        list(Adaptive()(PROCESS, lambda z, y, t: torch.randn(1, *z.shape) * 1e4, Z, Y,
                        [0.98, 0.02], None))  # fmt: skip
    with pytest.raises(InputError, match="not finite"):
        list(Adaptive()(PROCESS, lambda z, y, t: (z * float("nan"))[None], Z, Y,
                        [0.98, 0.02], None))  # fmt: skip
    tokens = data.Identity(torch.randint(0, 4, (8, 5)))
    with pytest.raises(MismatchError, match="Adaptive integrates an ODE"):
        model(data=tokens, noise=noise.Absorbing(5), net=net.Transformer(5, width=8, heads=2),
              sampler=Adaptive())  # fmt: skip

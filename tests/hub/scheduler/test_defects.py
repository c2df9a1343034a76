"""Where Diffusers' schedulers are wrong, beyond those of `tests/agreement/test_defects.py`.

Each defect is asserted, so that a version without it fails here, and the case can move to
`test_agreement`.
"""

from typing import Any

import pytest
import torch
from torch import Tensor

from diffusion.hub.scheduler import read
from diffusion.schedule.scales import bars

from .runs import SD, START, TOLERANCE, both, config, network, peer

M = torch.tensor([0.7, -0.4, 0.2]).double()


def test_ipndm_takes_x_for_0_in_pure_noise() -> None:
    """Where the data are a point m, v = signal·epsilon - sigma·m, and every order is exact.

    A network that says 0 in pure noise is not hurt, so all that follows agrees.
    """
    plan = read({"_class_name": "IPNDMScheduler"})
    clock = plan.bound().clock

    def to_point(z: Tensor, k: float) -> Tensor:
        signal, sigma = clock(float(k))
        return signal * (z - signal * M) / sigma - sigma * M

    runs = both(peer("IPNDM"), 10, to_point)
    (signal, sigma), (known, left) = (clock(t) for t in plan.times(10)[1:3])
    torch.testing.assert_close(runs.ours[0], signal * M + sigma * START, rtol=0, atol=1e-12)
    torch.testing.assert_close(runs.theirs[0], sigma * START, rtol=0, atol=1e-6)
    torch.testing.assert_close(runs.ours[1], known * M + left * START, rtol=0, atol=1e-12)
    torch.testing.assert_close(runs.ours[-1], M.expand_as(START), rtol=0, atol=1e-12)
    for count in (5, 20):
        runs = both(peer("IPNDM"), count, lambda z, k: (1 - k) * network(z, 300 * k))
        assert runs.gap() < TOLERANCE
        assert runs.apart() < 1e-6


def test_unclip_ends_at_another_x_than_was_predicted() -> None:
    """Its last step takes beta, and 1 - alpha-bar which is beta but for rounding, 5e-4 of it."""
    one = peer("UnCLIP", prediction_type="sample", clip_sample=False)
    runs = both(one, 10, lambda z, k: M.expand_as(z))
    wrong = float(one.betas[0] / (1 - one.alphas_cumprod[0]))
    assert abs(wrong - 1) > 1e-4
    torch.testing.assert_close(runs.ours[-1], M.expand_as(START), rtol=0, atol=1e-12)
    torch.testing.assert_close(runs.theirs[-1], wrong * M.expand_as(START), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "law"),
    [("DPMSolverMultistep", "beta"), ("UniPCMultistep", "exponential"), ("DEISMultistep", "beta")],
)
def test_numbers_are_cut_to_integers(name: str, law: str) -> None:
    """The first sigma is that of timestep 999, and the network is told 998: 998.99999 is cut."""
    one = peer(name, **{f"use_{law}_sigmas": True}, **SD)
    runs = both(one, 12, borrowed=True)
    assert runs.gap() < TOLERANCE
    assert (runs.told[0], runs.timesteps[0]) == (999, 998)
    assert {a - b for a, b in zip(runs.told, runs.timesteps, strict=False)} <= {0, 1}


def test_kdpm2_rounds_every_other_number() -> None:
    one = peer("KDPM2Discrete", num_train_timesteps=200, use_karras_sigmas=True, **SD)
    runs = both(one, 12, borrowed=True)
    assert runs.gap() < TOLERANCE
    assert 0.1 < runs.apart() <= 0.51
    assert all(k == round(k) for k in runs.timesteps[::2])
    assert any(k != round(k) for k in runs.timesteps[1::2])


def test_a_rescaled_table_may_rise_at_its_end() -> None:
    """alpha-bar is set to 2⁻²⁴ at the last timestep, and is less at some before it."""
    one = peer("EulerDiscrete", rescale_betas_zero_snr=True)
    assert float(one.alphas_cumprod[-1]) > float(one.alphas_cumprod[-2])
    ours = bars(read(config(one)).schedule)
    assert float(ours[-1]) == 2.0**-24
    assert bool((ours.diff() < 0).all())
    torch.testing.assert_close(ours[1:-5], one.alphas_cumprod[:-5].double(), rtol=1e-5, atol=0)


def test_a_variance_that_is_nan() -> None:
    """`fixed_large_log` is the root of a logarithm that is negative."""
    one = peer("DDPM", variance_type="fixed_large_log")
    one.set_timesteps(5)
    made: Any = one.step(START, one.timesteps[0], START).prev_sample
    assert bool(made.isnan().any())


@pytest.mark.parametrize("name", ["DPMSolverMultistep", "EDMDPMSolverMultistep"])
def test_order_3_differs_where_its_curvature_enters(name: str) -> None:
    """Two steps are of lower order, and agree; see `tests/agreement/test_defects.py`."""
    runs = both(peer(name, solver_order=3), 16, lambda z, k: network(z, 100 * k))
    assert max(runs.gaps()[:2]) < TOLERANCE
    assert runs.gap() > 100 * TOLERANCE

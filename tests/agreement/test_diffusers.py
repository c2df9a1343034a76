"""Diffusers' schedulers and our presets walk the same path, from one `scheduler_config.json`.

Both start at the same state, ask the same network, and have to agree at every state. States and
network are float64; their coefficients are float32 throughout, and Euler's and DPM-Solver's states
as well. That rounds by 6e-8 a step, and x is read off with a factor of up to sigma/signal = 157, or
2e4 with cosine betas, where the states are as large: all differences are below 3e-6, and a wrong
coefficient shows at 1e-3 and more. TOLERANCE is the promise.
"""

from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch

from diffusion.guidance import Threshold

from .runs import SEED, START, both, network, read

TOLERANCE = 1e-5
BETAS = ("linear", "scaled_linear", "squaredcos_cap_v2")
SPACINGS = ("linspace", "leading", "trailing")
PREDICTIONS = ("epsilon", "v_prediction", "sample")
COUNTS = (5, 10, 25)
PLAIN = {"DDIM": {"clip_sample": False}, "DDPM": {"clip_sample": False}}


def peer(name: str, **settings: Any) -> Any:
    return getattr(diffusers, f"{name}Scheduler")(**{**PLAIN.get(name, {}), **settings})


@pytest.mark.parametrize("betas", BETAS)
@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize(
    "name", ["DDIM", "DDPM", "EulerDiscrete", "DPMSolverMultistep", "UniPCMultistep"]
)
def test_every_state(name: str, prediction: str, betas: str, tmp_path: Path) -> None:
    spacings = SPACINGS
    if name == "DDIM":
        spacings = ("leading", "trailing")  # wrong elsewhere: test_defects
    if name == "EulerDiscrete" and betas == "squaredcos_cap_v2":
        spacings = ("leading",)  # elsewhere states of 2e4 in float32 lose four digits in a step
    first = PREDICTIONS.index(prediction)
    for i, spacing in enumerate(spacings, first):  # every pair of them in one of three tests
        settings = {"beta_schedule": betas, "prediction_type": prediction}
        one = both(peer(name, timestep_spacing=spacing, **settings), COUNTS[i % 3], tmp_path)
        assert one.gap() < TOLERANCE, spacing


@pytest.mark.parametrize("name", ["DDIM", "DDPM", "UniPCMultistep"])
def test_timesteps_are_times_less_one(name: str, tmp_path: Path) -> None:
    for spacing in ("leading", "trailing"):
        one = both(peer(name, timestep_spacing=spacing), 10, tmp_path)
        assert [t - 1 for t in one.times[:-1]] == one.timesteps


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("DDIM", {"steps_offset": 1, "set_alpha_to_one": False}),  # Stable Diffusion's
        ("DDIM", {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing",
                  "prediction_type": "v_prediction"}),
        ("DDPM", {"steps_offset": 1}),
        ("EulerDiscrete", {"steps_offset": 1, "timestep_spacing": "leading"}),
        ("EulerDiscrete", {"use_karras_sigmas": True}),
        ("DPMSolverMultistep", {"solver_order": 1}),
        ("DPMSolverMultistep", {"solver_type": "heun"}),
        ("DPMSolverMultistep", {"use_karras_sigmas": True}),
        ("DPMSolverMultistep", {"steps_offset": 1, "timestep_spacing": "leading"}),
        ("DPMSolverMultistep", {"algorithm_type": "sde-dpmsolver++"}),
        ("DPMSolverMultistep", {"algorithm_type": "sde-dpmsolver++", "solver_type": "heun",
                                "use_karras_sigmas": True}),
        ("UniPCMultistep", {"solver_order": 1}),
        ("UniPCMultistep", {"solver_order": 3}),
        ("UniPCMultistep", {"use_karras_sigmas": True}),
        ("UniPCMultistep", {"final_sigmas_type": "sigma_min"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(map(str, value)),
)  # fmt: skip
def test_settings(name: str, settings: dict[str, Any], tmp_path: Path) -> None:
    """What checkpoints are shipped with; the betas are those of Stable Diffusion."""
    for count in COUNTS:
        betas = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}
        assert both(peer(name, **betas, **settings), count, tmp_path).gap() < TOLERANCE, count


def test_dpm_solver_that_stops_at_the_first_sigma(tmp_path: Path) -> None:
    """From 15 steps on it keeps the second order in the last one."""
    for count in (14, 15, 16):
        early = peer("DPMSolverMultistep", final_sigmas_type="sigma_min")
        assert both(early, count, tmp_path).gap() < TOLERANCE, count


@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_flow_matching(shift: float, tmp_path: Path) -> None:
    for count in COUNTS:
        one = both(peer("FlowMatchEulerDiscrete", shift=shift), count, tmp_path)
        assert one.gap() < TOLERANCE
        # Their timesteps are T·sigma, which is our time.
        assert one.timesteps == pytest.approx([1000 * t for t in one.times[:-1]], rel=1e-6)


def test_ddpm_that_clips_is_a_guidance(tmp_path: Path) -> None:
    """`clip_sample`, their default, is `Threshold("static")` around the same network."""
    clipping = peer("DDPM", clip_sample=True, clip_sample_range=0.8)
    one = both(clipping, 10, tmp_path)
    assert one.gap() > 100 * TOLERANCE  # without it
    mine = read(tmp_path / "scheduler_config.json")
    number = dict(zip(one.times[:-1], one.timesteps, strict=True))
    predict = Threshold("static", limit=0.8)(
        lambda z, y, t: network(z, number[t]).unsqueeze(0), mine.process
    )
    draws = torch.Generator().manual_seed(SEED)
    states = mine.sampler(mine.process, predict, START, None, one.times, draws)
    assert one._replace(ours=list(states)).gap() < TOLERANCE

"""A plan walks the path of its scheduler: every class, in the settings that checkpoints ship with.

Both sample from their own settings; see `runs`. Differences are float32 against float64, below
4e-6; a wrong coefficient shows at 1e-3 and more.
"""

from typing import Any

import pytest
import torch
from torch import Tensor

from .runs import SD, TOLERANCE, both, network, peer

V = {"prediction_type": "v_prediction"}
KARRAS = {"use_karras_sigmas": True}
FLOW = {"use_flow_sigmas": True, "prediction_type": "flow_prediction", "flow_shift": 3.0}
ZERO = {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing", **V}
EARLY = {"final_sigmas_type": "sigma_min"}
SDE = {"algorithm_type": "sde-dpmsolver++"}
COG = {"timestep_spacing": "trailing", **V}
SVD = {"timestep_type": "continuous", "sigma_min": 0.002, "sigma_max": 700.0, **KARRAS, **V}

TABLES: list[tuple[str, dict[str, Any]]] = [
    ("DDPM", {}),  # clips
    ("DDPM", {"clip_sample": False, "timestep_spacing": "trailing"}),
    ("DDPM", {"timestep_spacing": "linspace", "clip_sample_range": 0.7}),
    ("DDPM", {"variance_type": "fixed_large", **SD}),  # CIFAR-10's
    ("DDPM", {"variance_type": "fixed_small_log", "prediction_type": "sample"}),
    ("DDPM", {"thresholding": True, **V}),
    ("DDPM", {"thresholding": True, "sample_max_value": 1.5, "dynamic_thresholding_ratio": 0.8}),
    ("DDPM", {"beta_schedule": "sigmoid"}),
    ("DDPM", {"beta_schedule": "laplace", "prediction_type": "sample"}),
    ("DDPM", {"trained_betas": [0.001 + 0.00002 * k for k in range(1000)]}),
    ("DDPMParallel", {}),
    ("DDIM", {}),  # clips, and keeps epsilon
    ("DDIM", {"clip_sample": False, "set_alpha_to_one": False, "steps_offset": 1, **SD}),
    ("DDIM", {"clip_sample": False, **ZERO, **SD}),
    ("DDIM", {"thresholding": True, "sample_max_value": 1.5, "dynamic_thresholding_ratio": 0.8}),
    ("DDIMParallel", {"clip_sample": False, "beta_schedule": "squaredcos_cap_v2"}),
    ("CogVideoXDDIM", COG),
    ("CogVideoXDDIM", {"rescale_betas_zero_snr": True, **COG}),
    ("CogVideoXDPM", COG),
    ("CogVideoXDPM", {"rescale_betas_zero_snr": True, **COG}),
    ("PNDM", {"skip_prk_steps": True, "steps_offset": 1, **SD}),  # Stable Diffusion 1's
    ("PNDM", {"skip_prk_steps": True, "set_alpha_to_one": True}),
]  # fmt: skip
SIGMAS: list[tuple[str, dict[str, Any]]] = [
    (name, settings)
    for name in ("EulerDiscrete", "EulerAncestralDiscrete", "HeunDiscrete", "KDPM2Discrete",
                 "LMSDiscrete")
    for settings in (
        {"timestep_spacing": "linspace"}, {"timestep_spacing": "trailing", **V},
        {"timestep_spacing": "leading", "steps_offset": 1}, KARRAS,
        {"use_exponential_sigmas": True}, {"use_beta_sigmas": True},
    )
    if not (name == "EulerAncestralDiscrete" and any(key.startswith("use") for key in settings))
    and not (name == "KDPM2Discrete" and settings is KARRAS)  # see test_defects
] + [
    ("EulerDiscrete", EARLY),
    ("EulerDiscrete", {**EARLY, **KARRAS, "timestep_spacing": "leading", "steps_offset": 1}),
    ("EulerDiscrete", {"sigma_min": 0.05, "sigma_max": 10.0, "use_exponential_sigmas": True}),
    ("EulerDiscrete", {"timestep_type": "continuous", **V}),
    ("EulerDiscrete", SVD),
    ("EulerDiscrete", ZERO),
    ("EulerAncestralDiscrete", ZERO),
    ("HeunDiscrete", {"clip_sample": True, "clip_sample_range": 0.7}),
    ("HeunDiscrete", {"beta_schedule": "exp", "timestep_spacing": "leading"}),
]  # fmt: skip
SOLVERS: list[tuple[str, dict[str, Any]]] = [
    ("DPMSolverMultistep", {}),
    ("DPMSolverMultistep", {"solver_order": 1, "prediction_type": "sample"}),
    ("DPMSolverMultistep", {"solver_type": "heun", **KARRAS}),
    ("DPMSolverMultistep", {"use_lu_lambdas": True}),
    ("DPMSolverMultistep", {"timestep_spacing": "leading", "steps_offset": 1}),
    ("DPMSolverMultistep", ZERO),
    ("DPMSolverMultistep", EARLY),
    ("DPMSolverMultistep", {"lower_order_final": False, **EARLY}),
    ("DPMSolverMultistep", {**KARRAS, **EARLY}),
    ("DPMSolverMultistep", {"thresholding": True, "sample_max_value": 1.5}),
    ("DPMSolverMultistep", {"algorithm_type": "dpmsolver", **EARLY}),
    ("DPMSolverMultistep", {"algorithm_type": "dpmsolver", "solver_type": "heun", **EARLY}),
    ("DPMSolverMultistep", SDE),
    ("DPMSolverMultistep", {"solver_type": "heun", **SDE, **KARRAS}),
    ("DPMSolverMultistep", FLOW),
    ("UniPCMultistep", {}),
    ("UniPCMultistep", {"solver_order": 1, "timestep_spacing": "trailing"}),
    ("UniPCMultistep", {"solver_order": 3, **V}),
    ("UniPCMultistep", KARRAS),
    ("UniPCMultistep", ZERO),
    ("UniPCMultistep", EARLY),
    ("UniPCMultistep", {"predict_x0": False}),
    ("UniPCMultistep", FLOW),  # Wan's
    ("DEISMultistep", {}),
    ("DEISMultistep", {"solver_order": 3, "prediction_type": "sample"}),
    ("DEISMultistep", {"lower_order_final": False, "timestep_spacing": "trailing"}),
    ("DEISMultistep", {"solver_order": 3, **KARRAS}),
    ("DEISMultistep", FLOW),
]  # fmt: skip
FLOWS: list[tuple[str, dict[str, Any]]] = [
    ("FlowMatchEulerDiscrete", {}),
    ("FlowMatchEulerDiscrete", {"shift": 3.0}),
    ("FlowMatchEulerDiscrete", {"shift": 3.0, "stochastic_sampling": True}),
    ("FlowMatchEulerDiscrete", {"shift": 3.0, "use_karras_sigmas": True}),
    ("FlowMatchEulerDiscrete", {"use_exponential_sigmas": True}),
    ("FlowMatchEulerDiscrete", {"use_beta_sigmas": True}),
    ("FlowMatchHeunDiscrete", {}),
    ("FlowMatchHeunDiscrete", {"shift": 3.0}),
    ("FlowMatchLCM", {"shift": 3.0}),
    ("FlowMatchLCM", {"use_beta_sigmas": True}),
]  # fmt: skip
EDM: list[tuple[str, dict[str, Any]]] = [
    (name, settings)
    for name in ("EDMEuler", "EDMDPMSolverMultistep")
    for settings in (
        {}, EARLY, {"sigma_schedule": "exponential", "sigma_max": 60.0, "rho": 5.0},
        {"sigma_data": 1.0, "sigma_max": 120.0, **V},
    )
] + [
    ("EDMDPMSolverMultistep", {"solver_type": "heun", **SDE}),
    ("EDMDPMSolverMultistep", {"solver_order": 1, "thresholding": True}),
    ("CosineDPMSolverMultistep", {}),
    ("CosineDPMSolverMultistep", {"sigma_schedule": "karras", "solver_type": "heun"}),
]  # fmt: skip


def name_of(value: Any) -> str:
    return value if isinstance(value, str) else "-".join(f"{k}={v}"[:30] for k, v in value.items())


@pytest.mark.parametrize(("name", "settings"), TABLES + FLOWS, ids=name_of)
def test_every_state(name: str, settings: dict[str, Any]) -> None:
    runs = both(peer(name, **settings), 10)
    assert runs.gap() < TOLERANCE
    assert runs.apart() < 1e-3
    assert len(runs.told) == len(runs.timesteps)


@pytest.mark.parametrize(("name", "settings"), SIGMAS, ids=name_of)
def test_every_state_in_sigma(name: str, settings: dict[str, Any]) -> None:
    scale = 100 if "timestep_type" in settings else 1  # log(sigma)/4 is small
    # Theirs are float32 states: of size 4096, they lose four digits in the first step.
    tolerance = 10 * TOLERANCE if settings is ZERO else TOLERANCE
    small = {"num_train_timesteps": 200} if name == "KDPM2Discrete" else {}  # it is slow to make
    one = peer(name, **{**SD, **small, **settings})
    runs = both(one, 9, lambda z, k: network(z, scale * k))
    assert runs.gap() < tolerance
    assert runs.apart() < 3e-3


@pytest.mark.parametrize(("name", "settings"), SOLVERS, ids=name_of)
def test_every_state_of_solvers(name: str, settings: dict[str, Any]) -> None:
    early = settings.get("final_sigmas_type") or name == "DEISMultistep"
    one = peer(name, **{**SD, **settings})
    for count in (13, 14, 15) if early else (8,):  # from 15 on they keep their order to the end
        runs = both(one, count)
        assert runs.gap() < TOLERANCE, count
        assert runs.apart() == 0


@pytest.mark.parametrize(("name", "settings"), EDM, ids=name_of)
def test_every_state_of_edm(name: str, settings: dict[str, Any]) -> None:
    one = peer(name, **settings)
    for count in (13, 14, 15) if settings is EARLY else (8,):
        runs = both(one, count, lambda z, k: network(z, 100 * k))
        assert runs.gap() < TOLERANCE, count
        assert runs.apart() < 1e-6


def test_latent_consistency() -> None:
    for count in (1, 4, 8):
        assert both(peer("LCM"), count).gap() < TOLERANCE
    for settings in ({"timestep_scaling": 0.001, "clip_sample": True, **V},
                     {"original_inference_steps": 100, "thresholding": True}):  # fmt: skip
        assert both(peer("LCM", **settings), 4).gap() < TOLERANCE


@pytest.mark.parametrize("count", [1, 2, 3, 40])
def test_any_number_of_steps(count: int) -> None:
    for name, settings in (
        ("DDIM", {"set_alpha_to_one": False, "steps_offset": 1}),
        ("PNDM", {"skip_prk_steps": True, "steps_offset": 1, **SD}),
        ("UniPCMultistep", SD), ("EulerDiscrete", {"timestep_spacing": "trailing", **SD}),
        ("FlowMatchEulerDiscrete", {"shift": 3.0}),
    ):  # fmt: skip
        runs = both(peer(name, **settings), count)
        assert runs.gap() < TOLERANCE, name
        assert len(runs.told) == len(runs.timesteps)


def test_learned_variances() -> None:
    """The network's channels hold the variance as well: `hat[1]`."""

    def two(z: Tensor, k: float) -> Tensor:
        return torch.cat([network(z, k), torch.tanh(network(z, k))], 1)

    learned = {"variance_type": "learned_range"}
    assert both(peer("DDPM", **learned), 12, two).gap() < TOLERANCE
    for settings in (learned, {}):
        one = peer("UnCLIP", prediction_type="sample", **settings)
        runs = both(one, 12, two if settings else network)
        assert max(runs.gaps()[:-1]) < TOLERANCE  # the last one: test_defects
        assert runs.plan.noise.variance == ("range" if settings else "fixed")


@pytest.mark.parametrize("name", ["FlowMatchEulerDiscrete", "FlowMatchLCM"])
def test_shifts_by_the_size_of_the_picture(name: str) -> None:
    for settings, mu in (
        ({}, 0.9), ({"time_shift_type": "linear"}, 1.9), ({"shift_terminal": 0.02}, 0.9),
    ):  # fmt: skip
        one = peer(name, use_dynamic_shifting=True, **settings)
        runs = both(one, 8, mu=mu)
        assert runs.gap() < TOLERANCE
        assert runs.apart() < 1e-3


def test_shifts_of_unipc() -> None:
    for mu in (0.3, 1.2):
        one = peer("UniPCMultistep", use_dynamic_shifting=True, **FLOW)
        assert both(one, 8, mu=mu).gap() < TOLERANCE
    one = peer("UniPCMultistep", shift_terminal=0.1035, **FLOW)
    assert both(one, 8).gap() < TOLERANCE


def test_sigmas_that_pipelines_pass() -> None:
    """Flux's are 1, ..., 1/n before the shift."""
    sigmas = [1 - i / 8 for i in range(8)]
    one = peer("FlowMatchEulerDiscrete", use_dynamic_shifting=True)
    assert both(one, 8, mu=1.15, sigmas=sigmas).gap() < TOLERANCE
    one = peer("FlowMatchEulerDiscrete", shift=3.0)
    assert both(one, 8, sigmas=sigmas).gap() < TOLERANCE


def test_timesteps_that_a_user_gives() -> None:
    """Align Your Steps, for Stable Diffusion 1.5."""
    timesteps = [999, 850, 736, 645, 545, 455, 343, 233, 124, 24]
    for name in ("EulerDiscrete", "DPMSolverMultistep", "HeunDiscrete"):
        one = peer(name, **SD)
        runs = both(one, 10, times=[k + 1 for k in timesteps] + [0], timesteps=timesteps)
        assert runs.plan.given(timesteps) == [k + 1 for k in timesteps] + [0]
        assert runs.gap() < TOLERANCE

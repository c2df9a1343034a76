"""Settings that are damaged, hostile, from the future, or of another class."""

import math
import time
from typing import Any

import pytest

from diffusion import errors
from diffusion.hub.scheduler import read

DDIM = {"_class_name": "DDIMScheduler", "clip_sample": False}
DPM = {"_class_name": "DPMSolverMultistepScheduler"}
FLOW = {"_class_name": "FlowMatchEulerDiscreteScheduler"}
EDM = {"_class_name": "EDMEulerScheduler"}
UNIPC = {"_class_name": "UniPCMultistepScheduler"}
NAN = math.nan


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ([], "expected settings by name, got list"),
        ({}, "expected the name of a scheduler in _class_name, got None"),
        ({"_class_name": ["DDIMScheduler"]}, "expected the name"),
        ({"_class_name": "DDIMSheduler"}, "Did you mean 'DDIMScheduler'"),
        ({"_class_name": "Warp9Scheduler", "_diffusers_version": "1.7"}, "Diffusers 1.7"),
        ({**DDIM, "clip_smaple": True}, "no setting 'clip_smaple'.*Did you mean 'clip_sample'"),
        ({**DDIM, "quantum_sigmas": 1, "_diffusers_version": "9.0"}, "written by Diffusers 9.0"),
        ({**DDIM, "num_train_timesteps": -5}, "num_train_timesteps: expected 1 to 100000, got -5"),
        ({**DDIM, "num_train_timesteps": 10**9}, "expected 1 to 100000, got 1000000000"),
        ({**FLOW, "num_train_timesteps": 10**9}, "expected 1 to 100000"),
        ({**DDIM, "num_train_timesteps": 2.5}, "num_train_timesteps"),
        ({**DDIM, "num_train_timesteps": "many"}, "num_train_timesteps"),
        ({**DDIM, "beta_start": NAN}, "beta_start: expected finite numbers"),
        ({**DDIM, "beta_end": math.inf}, "beta_end: expected finite numbers"),
        ({**DDIM, "beta_start": -0.1}, r"numbers in \(0, 1\)"),
        ({**DDIM, "beta_end": {"a": 1}}, "beta_end"),
        ({**DDIM, "trained_betas": [0.1, NAN], "num_train_timesteps": 2}, "finite numbers"),
        ({**DDIM, "trained_betas": [0.1, 0.2]}, "expected 1000 numbers"),
        ({**DDIM, "trained_betas": [0.1, "b"], "num_train_timesteps": 2}, "trained_betas"),
        ({**DDIM, "trained_betas": [0.0, 0.5], "num_train_timesteps": 2}, r"numbers in \(0, 1\]"),
        ({**DDIM, "beta_schedule": "cosine"}, "expected one of linear, scaled_linear"),
        ({**DDIM, "prediction_type": "noise"}, "expected one of epsilon, v_prediction, sample"),
        ({**DDIM, "timestep_spacing": "random"}, "expected one of linspace, leading, trailing"),
        ({**DDIM, "steps_offset": -1}, "steps_offset: expected 0 up to"),
        ({**DDIM, "rescale_betas_zero_snr": True}, "signal is 0 at t = T"),
        ({**DDIM, "clip_sample": True, "clip_sample_range": -1.0}, "Threshold.limit"),
        ({**DDIM, "thresholding": True, "sample_max_value": 0.5}, "sample_max_value"),
        ({**DPM, "solver_order": 7}, "solver_order: expected 1, 2 or 3"),
        ({**DPM, "algorithm_type": "sde-dpmsolver"}, "Did you mean 'sde-dpmsolver"),
        ({**DPM, "algorithm_type": "dpmsolver"}, "'sigma_min' for dpmsolver"),
        ({**DPM, "use_karras_sigmas": True, "use_beta_sigmas": True}, "expected at most one"),
        ({**DPM, "use_flow_sigmas": True}, "not supported; nearest: 'flow_prediction'"),
        ({**DPM, "prediction_type": "flow_prediction"}, "not supported; nearest"),
        ({**DPM, "lambda_min_clipped": -5.1}, "not supported.*lambda_min_clipped = -inf"),
        ({**UNIPC, "solver_type": "bh1"}, "not supported.*nearest: solver_type = 'bh2'"),
        ({**UNIPC, "disable_corrector": [0]}, "not supported.*disable_corrector"),
        ({**UNIPC, "lower_order_final": False}, "not supported.*lower_order_final = True"),
        ({**UNIPC, "lower_order_final": 1}, "not supported.*lower_order_final = True"),
        ({**UNIPC, "use_flow_sigmas": True, "prediction_type": "flow_prediction",
          "use_dynamic_shifting": True}, "the shift comes with the call"),
        ({"_class_name": "PNDMScheduler"}, "not supported; nearest: skip_prk_steps = True"),
        ({"_class_name": "EulerDiscreteScheduler", "interpolation_type": "log_linear"},
         "use_exponential_sigmas"),
        ({"_class_name": "EulerDiscreteScheduler", "sigma_max": 700.0}, "a sigma of the table"),
        ({"_class_name": "DDPMScheduler", "variance_type": "fixed_large_log"}, "fixed_large"),
        ({"_class_name": "LCMScheduler", "original_inference_steps": 5000}, "1 to 1000"),
        ({**FLOW, "shift": 0.0}, "shift: expected a positive number"),
        ({**FLOW, "shift": NAN}, "finite"),
        ({**FLOW, "invert_sigmas": True}, "not supported.*invert_sigmas = False"),
        ({**FLOW, "use_dynamic_shifting": True, "max_image_seq_len": 1}, "0 < base < max"),
        ({**FLOW, "shift_terminal": 2.0}, "terminal"),
        ({**EDM, "sigma_min": 100.0}, "0 < min < max"),
        ({**EDM, "rho": 1e-300}, "rho: expected 0.1 to 100"),
        ({**EDM, "prediction_type": "v_prediction"}, "not supported; nearest"),
    ],
)  # fmt: skip
def test_is_an_error_that_says_what(config: Any, said: str) -> None:
    started = time.monotonic()
    with pytest.raises(errors.FileError, match=said) as caught:
        read(config, "model/scheduler/scheduler_config.json")
    assert str(caught.value).startswith("model/scheduler/scheduler_config.json: ")
    assert time.monotonic() - started < 5


def test_keys_of_other_classes_are_named_and_ignored() -> None:
    """Stable Diffusion 1.5's PNDM file has DDIM's clip_sample, XL's Euler file a good many."""
    pndm = {
        "_class_name": "PNDMScheduler", "_diffusers_version": "0.6.0", "beta_end": 0.012,
        "beta_schedule": "scaled_linear", "beta_start": 0.00085, "num_train_timesteps": 1000,
        "set_alpha_to_one": False, "skip_prk_steps": True, "steps_offset": 1,
        "trained_betas": None, "clip_sample": False,
    }  # fmt: skip
    euler = {
        "_class_name": "EulerDiscreteScheduler", "_diffusers_version": "0.19.0.dev0",
        "beta_end": 0.012, "beta_schedule": "scaled_linear", "beta_start": 0.00085,
        "clip_sample": False, "interpolation_type": "linear", "num_train_timesteps": 1000,
        "prediction_type": "epsilon", "sample_max_value": 1.0, "set_alpha_to_one": False,
        "skip_prk_steps": True, "steps_offset": 1, "timestep_spacing": "leading",
        "trained_betas": None, "use_karras_sigmas": False,
    }  # fmt: skip
    assert read(pndm).ignored == ("clip_sample",)
    found = read(euler).ignored
    assert found == ("clip_sample", "sample_max_value", "set_alpha_to_one", "skip_prk_steps")


def test_a_key_that_its_class_has_not_is_not_honoured() -> None:
    """As in Diffusers: LMS knows no rescaling, whatever its file says."""
    plain = read({"_class_name": "LMSDiscreteScheduler"})
    more = read({"_class_name": "LMSDiscreteScheduler", "rescale_betas_zero_snr": True})
    assert more.schedule == plain.schedule
    assert more.ignored == ("rescale_betas_zero_snr",)


def test_steps_that_do_not_fit() -> None:
    lcm = read({"_class_name": "LCMScheduler"})
    with pytest.raises(errors.InputError, match="at most the 50 steps that the network was"):
        lcm.times(51)
    with pytest.raises(errors.InputError, match="at most the schedule's 1000 steps"):
        read(DDIM).times(1001)
    with pytest.raises(errors.InputError, match="one step begins where it ends, t = 1"):
        read({**DDIM, "set_alpha_to_one": False}).times(1)
    with pytest.raises(errors.InputError, match="one step has no last sigma to stretch"):
        read({**FLOW, "shift_terminal": 0.1}).times(1)


def test_timesteps_that_do_not_fall() -> None:
    plan = read(DDIM)
    assert plan.given([999, 500, 0]) == [1000, 501, 1, 0]
    for wrong in ([], [5, 5], [3, 4], [1000], [5, -1]):
        with pytest.raises(errors.InputError, match="fall strictly from at most 999 to 0"):
            plan.given(wrong)
    with pytest.raises(errors.InputError, match="which this scheduler has not"):
        read(FLOW).given([999])

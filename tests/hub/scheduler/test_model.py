"""A model made of a plan: it samples on the plan's times, and is saved in our own format."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from diffusion import Model, data, hub, sampler
from diffusion.base import Net
from diffusion.hub.scheduler import Betas, Ladder, Plan, Straight, Timestep, read
from diffusion.noise import Clock
from diffusion.sampler.on import On

from .runs import SD


class Told(Net):
    """A network that is told the time as its scheduler tells it."""

    def __init__(self, timestep: Timestep, schedule: Any) -> None:
        self.timestep, self.schedule = timestep, schedule
        self.scale = nn.Parameter(torch.tensor(0.3))
        self.heard: list[float] = []

    def forward(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        number = self.timestep(t, Clock(self.schedule))
        self.heard.append(number.flatten()[0].item() if number.device.type == "cpu" else 0.0)
        return (self.scale * x).unsqueeze(0)


def model_of(plan: Plan) -> Model[Any]:
    return Model(
        data.Identity(None), plan.schedule, plan.noise, Told(plan.timestep, plan.schedule),
        time=plan.time, guidance=plan.guidance, sampler=plan.sampler, shape=(3,),
        state_dtype=torch.float32,
    )  # fmt: skip


CONFIGS: dict[str, dict[str, Any]] = {
    "ddim": {"_class_name": "DDIMScheduler", "set_alpha_to_one": False, "steps_offset": 1, **SD},
    "euler": {"_class_name": "EulerDiscreteScheduler", "use_karras_sigmas": True, **SD},
    "midpoint": {"_class_name": "KDPM2DiscreteScheduler", "timestep_spacing": "trailing", **SD},
    "flow": {"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 3.0},
    "edm": {"_class_name": "EDMDPMSolverMultistepScheduler"},
    "lcm": {"_class_name": "LCMScheduler"},
    "wan": {"_class_name": "UniPCMultistepScheduler", "use_flow_sigmas": True,
            "prediction_type": "flow_prediction", "flow_shift": 3.0},
}  # fmt: skip


@pytest.mark.parametrize("name", CONFIGS)
def test_a_number_of_steps_is_the_schedulers(name: str) -> None:
    plan = read(CONFIGS[name])
    model = model_of(plan)
    heard: Any = model.net.heard
    heard.clear()
    found: Any = model.sample(batch=2, steps=6, seed=0)
    assert bool(found.isfinite().all())
    clock, times = plan.bound().clock, plan.times(6)
    expected = [plan.timestep(t, clock) for t in times[:-1]]
    calls = heard if name != "midpoint" else heard[::2]
    assert calls == pytest.approx(expected, rel=1e-4, abs=1e-3)


@pytest.mark.parametrize("name", CONFIGS)
def test_is_saved_in_our_own_format(name: str, tmp_path: Path) -> None:
    model = model_of(read(CONFIGS[name]))
    model.save(tmp_path / "model")
    own = [getattr(hub.scheduler, one) for one in hub.scheduler.__all__]
    classes = [one for one in own if isinstance(one, type)]
    again = Model.load(tmp_path / "model", custom=[Told, On, *classes])
    for part in ("schedule", "noise", "sampler", "time"):
        assert getattr(again, part) == getattr(model, part)
    same = [one.sample(batch=2, steps=5, seed=1) for one in (model, again)]
    torch.testing.assert_close(*same, rtol=0, atol=0)


def test_tokens_shift_the_times() -> None:
    """mu lies on a line through (256, 0.5) and (4096, 1.15), as Flux's pipelines take it."""
    config = {"_class_name": "FlowMatchEulerDiscreteScheduler", "use_dynamic_shifting": True}
    grids = [read(config, tokens=tokens).sampler.grid(8) for tokens in (256, 1024, 4096, None)]
    shifts = [grid.shift for grid in grids if isinstance(grid, Straight)]
    mus = torch.tensor(shifts, dtype=torch.float64).log().tolist()
    assert mus == pytest.approx([0.5, 0.5 + 0.65 * 768 / 3840, 1.15, 1.15])
    linear = read({**config, "time_shift_type": "linear"}, mu=2.5, even=True).sampler.grid(4)
    assert linear == Straight(4, 2.5, low=0.0, spare=1)


def test_another_sampler_or_another_grid() -> None:
    plan = read(CONFIGS["ddim"])
    model = model_of(plan)
    other: Any = model.sample(batch=2, steps=6, seed=0, sampler=On(sampler.UniPC(), Ladder(1)))
    assert other.shape == (2, 3)
    again: Any = model.replace(schedule=Betas()).sample(batch=2, steps=3, seed=0)
    assert again.shape == (2, 3)

"""Progressive distillation: two exact steps of DDIM in one."""

import math

import pytest
import torch

import diffusion
from diffusion import data, distil, guidance, loss, net, noise, sampler, schedule, time
from diffusion.errors import InputError, MismatchError
from diffusion.exact import oracle

from ..loss.bed import BED, batch


def twice(of, z, times):
    """Two steps of DDIM with the exact denoiser, by the sampler."""
    *_, end = sampler.DDIM()(of, oracle(BED, of), z, None, times, None)
    return end


@pytest.mark.parametrize(
    ("plan", "grid"),
    [
        (schedule.Flow(1000), [1.0, 0.75, 0.5, 0.25, 0.0]),
        (schedule.Cosine(1000), [0.8, 0.7, 0.6]),
        (schedule.Linear(40), [40, 30, 20, 10, 0]),
    ],
    ids=repr,
)
def test_the_target_lands_where_two_steps_of_the_teacher_do(plan, grid):
    """A student that lands there has no loss, whether s is the data or not."""
    hard = noise.Gaussian("x").bind(plan)
    soft = noise.Gaussian("x").bind(plan, soft=True)
    whole = 1.0 if isinstance(grid[0], float) else plan.steps
    count = round(whole / (grid[0] - grid[2]))
    for t, m, s in zip(grid[::2], grid[1::2], grid[2::2], strict=False):

        def student(z, y, at, t=t, m=m, s=s):
            assert torch.equal(at, torch.full_like(at, t))
            (signal, sigma), (signal_s, sigma_s) = hard.clock(t), hard.clock(s)
            end = twice(hard, z, [t, m, s])
            # z_s = signal_s·x + sigma_s·(z - signal·x)/sigma, solved for x
            x = (end - sigma_s / sigma * z) / (signal_s - sigma_s * signal / sigma)
            *_, landed = sampler.DDIM()(hard, lambda *_: x[None], z, None, [t, s], None)
            torch.testing.assert_close(landed, end, rtol=1e-9, atol=1e-9)
            return x[None]

        inside = (t + s) / 2 if isinstance(t, float) else (t + s + 1) // 2
        one = batch(soft, student, 64, torch.full((64,), inside))
        value = distil.Progressive(oracle(BED, soft), count).compute(one)
        assert float(value) < 1e-12


def test_times_are_those_the_student_will_be_sampled_at():
    of = noise.Gaussian("velocity").bind(schedule.Flow(1000), soft=True)
    seen: list[torch.Tensor] = []

    def student(z, y, t):
        seen.append(t)
        return torch.zeros_like(z)[None]

    one = batch(of, student, 400, (torch.arange(400) + 1) / 400)
    distil.Progressive(oracle(BED, of), 4).compute(one)
    assert seen[0].unique().tolist() == [0.25, 0.5, 0.75, 1.0]
    torch.testing.assert_close(seen[0], (one.t * 4 - 1e-6).ceil() / 4)


def teacher() -> diffusion.Model:
    torch.manual_seed(0)
    made = diffusion.Model(
        data.Identity(torch.randn(16, 2), torch.arange(16) % 2 + 1, batch=8), schedule.Flow(100),
        noise.Gaussian("velocity"), net.MLP(2, labels=2, hidden=8), loss.Simple(),
        time.Continuous(), guidance.ClassifierFree(0.1, 1.0), sampler.DDIM(), ema=0.9,
    )  # fmt: skip
    [*made.train(4)]
    return made


def test_a_student_starts_as_its_guided_teachers_averages_and_leaves_it_alone(tmp_path):
    wise = teacher()
    made = distil.student(wise, loss=distil.Progressive(wise, 4))
    y, plain = [1, 2], wise.replace(guidance=None)
    torch.testing.assert_close(made.sample(y, seed=0, steps=4), plain.sample(y, seed=0, steps=4))
    before = {k: v.clone() for k, v in wise.average.state_dict().items()}
    assert all(map(math.isfinite, made.train(3)))
    for key, value in wise.average.state_dict().items():
        assert torch.equal(value, before[key])
    assert not torch.allclose(made.net.exit.weight, wise.average.module.net.exit.weight)
    assert not any("loss" in name or "teacher" in name for name in made.parts.state_dict())
    made.save(tmp_path / "m")
    back = diffusion.Model.load(tmp_path / "m")
    assert back.loss is None
    assert torch.equal(back.sample(y, seed=0, steps=4), made.sample(y, seed=0, steps=4))
    again = diffusion.Model.load(tmp_path / "m", loss=distil.Progressive(wise, 2))
    assert again.loss.steps == 2


def test_the_guided_prediction_is_taught():
    """The loss of a student is zero where the network answers as the teacher with its guidance."""
    wise = teacher()
    process = wise.bind()
    from diffusion.sampling.network import network, weights

    predict = wise.guidance(network(wise, weights(wise)[0], process), process)
    made = distil.student(wise, loss=distil.Progressive(wise, 4))
    one = made.batch(wise.data.w, wise.data.y)
    cell = (one.t * 4 - 1e-6).ceil() / 4

    def two(z, y, t):
        ends = []
        for i, at in enumerate(cell.tolist()):
            grid = [at, at - 0.125, at - 0.25]
            run = sampler.DDIM()(process, predict, z[i : i + 1], y[i : i + 1], grid, None)
            ends.append([*run][-1])
        return ((z - torch.cat(ends)) / 0.25)[None]

    one.net = two
    with torch.no_grad():
        assert float(made.loss.compute(one)) < 1e-8


def test_what_does_not_fit_is_refused():
    wise = teacher()
    discrete = distil.student(wise, loss=loss.Simple(), time=time.Discrete())
    with pytest.raises(MismatchError, match=r"Progressive\(steps=60\) takes 120 steps.*has 100"):
        discrete.replace(loss=distil.Progressive(discrete, 60))
    with pytest.raises(MismatchError, match=r"the student's by Cosine"):
        wise.replace(loss=distil.Progressive(wise, 2), schedule=schedule.Cosine(100))
    with pytest.raises(InputError, match=r"teacher: expected a Model.*got NoneType"):
        distil.Progressive(None, 2)

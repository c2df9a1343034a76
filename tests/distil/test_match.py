"""Distribution matching: its gradient is a difference of scores, and its fake is a module."""

import copy
import math

import pytest
import torch

import diffusion
from diffusion import data, distil, loss, net, noise, sampler, schedule, time
from diffusion.errors import InputError, MismatchError
from diffusion.exact import Mixture, oracle
from diffusion.train import checkpoint

from ..loss.bed import batch

REAL = Mixture(torch.ones(1), torch.tensor([[0.5]], dtype=torch.float64), 0.4)


class Exact(net.MLP):
    """The perfect fake for a mixture."""

    def __init__(self, size: int = 1, mixture: Mixture = REAL) -> None:
        super().__init__(size, hidden=2, depth=1)
        self.mixture = mixture

    def forward(self, x, y, t):
        return oracle(self.mixture, PROCESS)(x, y, t) + 0 * super().forward(x.float(), y, t)


PROCESS = noise.Gaussian("x").bind(schedule.Flow(1000), soft=True)


def pulls(shift: float, power: float = 1.0) -> tuple[torch.Tensor, torch.Tensor, float]:
    """The gradient at draws of REAL moved by `shift`, that of theory, and the seen states."""
    moved = Mixture(torch.ones(1), REAL.means + shift, 0.4)
    states: list[torch.Tensor] = []

    def teacher(z, y, t):
        states.append(z)
        return oracle(REAL, PROCESS)(z, y, t)

    draws = moved.sample(256, torch.Generator().manual_seed(1))[0].requires_grad_()
    one = batch(PROCESS, lambda z, y, t: draws[None], 256, mixture=REAL)
    distil.Match(teacher, Exact(1, moved), 1, power).compute(one).backward()
    (z,), (signal, sigma) = states, (v.reshape(-1, 1) for v in PROCESS.clock(one.t))
    scores = moved.score(z, signal.flatten(), sigma.flatten()) - REAL.score(
        z, signal.flatten(), sigma.flatten()
    )
    real = REAL.denoise(z, signal.flatten(), sigma.flatten())
    theory = sigma**2 / signal * scores / (draws.detach() - real).abs() ** power
    return draws.grad * 256, theory, float(draws.grad.sum())


@pytest.mark.parametrize("power", [0.0, 1.0])
def test_the_gradient_is_the_difference_of_the_scores(power: float):
    """sigma²/signal·(score of the fake - score of the real), over the size of the correction."""
    found, theory, _ = pulls(0.3, power)
    torch.testing.assert_close(found, theory, rtol=1e-9, atol=1e-9)


def test_it_pulls_the_draws_back_and_rests_where_the_laws_agree():
    assert pulls(0.3)[2] > 0 > pulls(-0.3)[2]
    assert float(pulls(0.0)[0].abs().max()) == 0


def model(one, **modules) -> diffusion.Model:
    torch.manual_seed(0)
    own: dict = {
        "data": data.Identity(torch.randn(40, 2), batch=8, shuffle=True),
        "schedule": schedule.Flow(100), "noise": noise.Gaussian("velocity"),
        "net": net.MLP(2, hidden=8), "loss": one, "time": time.Continuous(),
        "sampler": sampler.Consistency(), "ema": 0.9,
    }  # fmt: skip
    return diffusion.Model(**{**own, **modules})


@pytest.fixture(scope="module")
def teacher() -> diffusion.Model:
    made = model(loss.Simple(), sampler=sampler.DDIM())
    [*made.train(2)]
    return made


def test_the_generator_learns_at_every_kth_step_and_the_fake_at_all(teacher):
    made = model(distil.Match(teacher, every=3))
    for step, learns in enumerate([True, False, False, True]):
        made.run.step = step
        for parameter in made.trainable():
            parameter.grad = None
        one = made.batch(made.data.w[:8])
        made.loss.compute(one).backward()
        assert all(p.grad is not None for p in made.loss.fake.parameters())
        assert all((p.grad is not None) is learns for p in made.net.parameters())
        assert "match.fake" in one.log


def test_the_fake_is_a_copy_that_the_model_trains_and_the_teacher_is_not(teacher):
    made = model(distil.Match(teacher))
    fake = made.loss.fake
    own = {id(p) for p in made.trainable()}
    assert own == {id(p) for one in (made.net, fake) for p in one.parameters()}
    theirs = teacher.average.module.net.state_dict()
    for key, value in fake.state_dict().items():
        assert torch.equal(value, theirs[key])
    before = copy.deepcopy(theirs)
    assert all(map(math.isfinite, made.train(2)))
    assert {"loss", "match.fake"} <= made.run.history[0].keys()
    assert not torch.equal(fake.exit.weight, before["exit.weight"])
    for key, value in teacher.average.module.net.state_dict().items():
        assert torch.equal(value, before[key])
    assert made.sample(batch=3, steps=[1.0, 0.5, 0.0], seed=0).isfinite().all()
    assert not any("loss" in name for name in made.average.state_dict())


def test_a_run_with_a_fake_resumes_exactly(teacher, tmp_path):
    whole, cut = model(distil.Match(teacher, every=2)), model(distil.Match(teacher, every=2))
    [*whole.train(3)]
    [*cut.train(2, folder=tmp_path)]
    resumed = model(distil.Match(teacher, every=2))
    assert checkpoint.resume(resumed, tmp_path)
    [*resumed.train(3, folder=tmp_path)]
    ours, theirs = whole.parts.state_dict(), resumed.parts.state_dict()
    assert any(key.startswith("loss.fake") for key in ours)
    for key, value in ours.items():
        assert torch.equal(value, theirs[key]), key


def test_it_is_saved_without_its_teacher_and_trained_on_with_it(teacher, tmp_path):
    made = model(distil.Match(teacher))
    [*made.train(1)]
    made.save(tmp_path / "m")
    back = diffusion.Model.load(tmp_path / "m")
    assert back.loss is None
    assert torch.equal(back.sample(batch=3, steps=1, seed=0), made.sample(batch=3, steps=1, seed=0))
    other = diffusion.Model.load(tmp_path / "m", loss=loss.Simple())
    assert math.isfinite(next(iter(other.replace(data=made.data).train(1))))
    again = diffusion.Model.load(tmp_path / "m", loss=distil.Match(teacher))
    for key, value in made.loss.fake.state_dict().items():
        assert torch.equal(value, again.loss.fake.state_dict()[key])
    plain = model(loss.Simple())
    plain.save(tmp_path / "plain")
    assert diffusion.Model.load(tmp_path / "plain", loss=distil.Match(teacher)).loss is not None


def test_what_does_not_fit_is_refused(teacher):
    with pytest.raises(InputError, match=r"Match.fake: a teacher that is a function"):
        distil.Match(oracle(REAL, PROCESS))
    with pytest.raises(InputError, match=r"Match.times: expected shares of T"):
        distil.Match(teacher, times=(0.0,))
    with pytest.raises(MismatchError, match="the student's by Flow"):
        model(distil.Match(teacher), schedule=schedule.Flow(100, 2.0))
    with pytest.raises(MismatchError, match="learns from a number for each sample"):
        model(distil.Match(teacher), time=time.Importance(5))

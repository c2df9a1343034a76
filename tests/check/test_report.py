"""The report, and what `check` does to the world around it: nothing."""

import copy

import pytest
import torch

import diffusion
from diffusion import data, loss, net, noise, schedule
from diffusion.check import Report, Result, check
from diffusion.errors import InputError

from ..tutorial import Gaussian
from .faults import Rising, TypoPrior


def test_a_report_can_be_read_and_asked():
    report = check(Rising(50))
    assert isinstance(report, Report)
    assert not report.ok
    assert [result.name for result in report.failures] == ["range", "monotone"]
    assert all(isinstance(result, Result) for result in report)
    assert len(report) == len(list(report))
    shown = str(report)
    assert shown.startswith("Rising(steps=50)")
    assert "FAIL  monotone" in shown
    assert "Alpha-bar falls with t" in shown
    assert "alpha-bar goes from" in shown
    assert f"{len(report.failures)} failed" in shown.splitlines()[-1]


def test_what_rests_on_a_fault_is_not_told_again():
    derived = [r for r in check(Rising(50)) if r.name in ("scales fall", "rates", "precision")]
    assert [result.passed for result in derived] == [None] * 3


def test_the_same_call_gives_the_same_report():
    assert str(check(noise.Gaussian("v"))) == str(check(noise.Gaussian("v")))
    first, second = (check(schedule.Cosine(20), seed=seed) for seed in (0, 1))
    assert first.ok
    assert second.ok


def test_check_leaves_the_generators_and_the_module_alone():
    module = net.MLP(3, labels=2)
    before, state = copy.deepcopy(module.state_dict()), torch.get_rng_state()
    assert check(module).ok
    assert torch.equal(torch.get_rng_state(), state)
    assert module.training
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())
    assert all(parameter.grad is None for parameter in module.parameters())


def test_what_is_no_module_is_refused():
    with pytest.raises(InputError, match="Cosine is a class; give an object"):
        check(schedule.Cosine)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"derived from a class of diffusion\.base; got int"):
        check(3)  # type: ignore[arg-type]


def test_examples_can_be_given():
    own = check(net.UNet((2, 8), hidden=16), x=torch.randn(4, 2, 5, 7), y=torch.zeros(4).long())
    assert own.ok
    assert "[1, 3, 2, 5, 7]" in str(own)
    items = check(data.OneHot(k=3), w=torch.tensor([[0, 1], [2, 2]]))
    assert "[[2, 2]] -> [[2, 2, 3]]" in str(items)


def test_a_noise_may_say_what_its_network_predicts():
    class Halved(Gaussian):
        """hat is half of epsilon."""

        def approximate(self, z, t, hat):
            return super().approximate(z, t, 2 * hat)

    failed = [result.name for result in check(Halved()).failures]
    assert failed == ["a perfect network", "a perfect network ends at the data"]
    assert check(Halved(), hat=lambda x, epsilon, z, t: epsilon[None] / 2).ok


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return diffusion.Model(
        data.Identity(torch.randn(32, 2), torch.randint(1, 4, (32,)), batch=8),
        schedule.Cosine(30), noise.Gaussian("epsilon"), net.MLP(2, labels=3, hidden=16),
        loss.Simple(),
    )  # fmt: skip


def test_a_model_is_examined_module_by_module(model):
    report = check(model)
    assert report.ok, str(report)
    kinds = {result.name.split(": ")[0] for result in report}
    assert {"fit", "data", "schedule", "noise", "net", "loss", "time", "sampler"} <= kinds


def test_a_models_faults_are_named_with_their_module(model):
    left = check(model.replace(schedule=schedule.Linear(10, 0.999, 0.99)))
    assert [result.name for result in left.failures] == ["fit", "reaches noise"]
    faulty = check(model.replace(noise=TypoPrior()))
    assert "noise: posterior fits prior" in [result.name for result in faulty.failures]


def test_joint_modules_are_examined_part_by_part():
    report = check(noise.Joint({"pixels": noise.Gaussian(), "label": noise.Uniform(3)}))
    names = [result.name for result in report]
    assert "pixels: stationary" in names
    assert "label: stationary" in names
    assert report.ok

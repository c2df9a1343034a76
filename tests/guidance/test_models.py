"""Guidance in models: every sampler, conditions as users write them, folders, and misfits."""

from pathlib import Path

import pytest
import torch
from torch import nn

import diffusion
from diffusion import data, guidance, loss, net, noise, sampler, schedule, time
from diffusion.cli.sample import guided as with_strength
from diffusion.errors import FileError, InputError, MismatchError

from .bed import Posterior

PICK = guidance.Mask(torch.tensor([True, False]))


def model(**modules: object) -> diffusion.Model:
    torch.manual_seed(0)
    y = torch.arange(16) % 3 + 1
    own: dict = {
        "data": data.Identity(torch.randn(16, 2), y, batch=8, names=("red", "green", "blue")),
        "schedule": schedule.Flow(100), "noise": noise.Gaussian("velocity"),
        "net": net.MLP(2, labels=3, hidden=16), "time": time.Continuous(), "loss": loss.Simple(),
    }  # fmt: skip
    made = diffusion.Model(**{**own, **modules})
    with torch.no_grad():  # networks begin at zero, where every condition is alike
        for p in made.net.parameters():
            p.add_(0.3 * torch.randn_like(p))
    return made


def weak() -> net.MLP:
    torch.manual_seed(1)
    return net.MLP(2, labels=3, hidden=8)


EVERY = [
    guidance.ClassifierFree(), guidance.Interval(guidance.ClassifierFree(), 0.2, 0.8),
    guidance.Rescale(guidance.ClassifierFree()), guidance.Auto(weak()), guidance.PlusPlus(),
    guidance.Project(2.0), guidance.Classifier(Posterior(), 0.5), guidance.Threshold(),
    guidance.Observe(PICK, torch.ones(1), 0.5), guidance.Compose((1.5,)),
    guidance.PlusPlus() | guidance.Threshold("static"),
]  # fmt: skip
SAMPLERS = [sampler.Ancestral(), sampler.DDIM(), sampler.Adams(), sampler.DPMSolverPP()]


@pytest.mark.parametrize("one", EVERY, ids=lambda one: type(one).__name__)
@pytest.mark.parametrize("walk", SAMPLERS, ids=repr)
def test_every_guidance_under_every_sampler(one, walk) -> None:
    """It changes the samples, and a sample does not depend on the batch it is drawn in."""
    trained = model()
    options = {"steps": 6, "seed": 0, "sampler": walk}
    both = trained.sample(y=["red", "blue"], guidance=one, **options)
    assert both.isfinite().all()
    assert not torch.allclose(both, trained.sample(y=["red", "blue"], **options), atol=1e-4)
    alone = trained.sample(y=["red"], guidance=one, **options)
    torch.testing.assert_close(alone, both[:1], rtol=1e-4, atol=1e-5)


def test_training_drops_the_conditions_of_the_guidance_inside() -> None:
    """Half the labels of a large batch: 400 draws are within 6 errors of 0.025 of it."""
    free = guidance.ClassifierFree(dropout=0.5)
    for one in (guidance.Interval(free), guidance.Rescale(free) | guidance.Threshold(),
                guidance.PlusPlus(dropout=0.5), guidance.Compose((1.0,), dropout=0.5)):  # fmt: skip
        batch = model(guidance=one).batch(torch.randn(400, 2), torch.ones(400, dtype=torch.long))
        assert abs(float((batch.y == 0).float().mean()) - 0.5) < 0.15


def test_several_conditions_for_each_sample() -> None:
    trained, both = model(), guidance.Compose((1.0, 0.5))
    names = [["red", "blue"], ["green", "red"]]
    options = {"steps": 4, "seed": 0, "guidance": both}
    by_name = trained.sample(y=names, **options)
    by_id = trained.sample(y=torch.tensor([[1, 3], [2, 1]]), **options)
    torch.testing.assert_close(by_name, by_id)
    with pytest.raises(InputError, match=r"no class 'blau'.*Did you mean 'blue'"):
        trained.sample(y=[["red", "blau"]], **options)
    with pytest.raises(InputError, match=r"as many conditions for every sample; got \[2, 1\]"):
        trained.sample(y=[["red", "blue"], ["red"]], **options)
    with pytest.raises(InputError, match=r"as many conditions for every sample; got \[1, 2\]"):
        trained.sample(y=["red", ["red", "blue"]], **options)
    with pytest.raises(InputError, match=r"expected 2 conditions for each sample"):
        trained.sample(y=["red", "blue"], **options)


def test_a_classifier_brings_classes_to_a_network_that_knows_none() -> None:
    plain = model(data=data.Identity(torch.randn(16, 2)), net=net.MLP(2, hidden=16))
    judge = guidance.Classifier(Posterior(), blind=True)
    one, two = (plain.sample(y=[k], guidance=judge, steps=4, seed=0) for k in (1, 2))
    assert not torch.allclose(one, two, atol=1e-3)
    with pytest.raises(InputError, match=r"class ids must be 0 \(null\) to 0; got 1"):
        plain.sample(y=[1], steps=4)
    assert plain.replace(guidance=judge).sample(y=[1], steps=4, seed=0).equal(one)


def test_networks_keep_their_mode_and_get_no_gradient() -> None:
    judge, other = Posterior(), weak()
    judge.train()
    both = guidance.Auto(other) | guidance.Classifier(judge)
    model().sample(y=["red"], guidance=both, steps=3, seed=0)
    assert judge.training
    assert other.training
    assert all(p.grad is None for p in other.parameters())


@pytest.mark.parametrize("shape", ["plain", "chain", "around"])
def test_a_model_whose_guidance_holds_a_network_asks_for_it(tmp_path: Path, shape: str) -> None:
    """The weights of a weaker network are not the model's, and must not come back untrained."""
    one: guidance.Auto = guidance.Auto(weak())
    held = {"plain": one, "chain": one | guidance.Threshold(), "around": guidance.Interval(one)}
    saved = model(guidance=held[shape])
    saved.save(tmp_path / "m")
    with pytest.raises(
        FileError, match=r"guidance.* is a MLP, .*Model.load\(folder, guidance=\.\.\."
    ):
        diffusion.Model.load(tmp_path / "m")
    given = diffusion.Model.load(tmp_path / "m", guidance=held[shape])
    samples = [m.sample(y=["red"], steps=3, seed=0) for m in (saved, given)]
    assert torch.equal(*samples)
    assert diffusion.Model.load(tmp_path / "m", guidance=None).guidance is None


def test_other_guidance_is_saved(tmp_path: Path) -> None:
    one = guidance.Interval(guidance.Rescale(guidance.ClassifierFree()), 0.2) | guidance.Observe(
        PICK, torch.ones(1), 0.1, "pigdm"
    )
    saved = model(guidance=one)
    saved.save(tmp_path / "m")
    read = diffusion.Model.load(tmp_path / "m")
    assert saved.diff(read) == {}
    samples = [m.sample(y=["red"], steps=3, seed=0) for m in (saved, read)]
    assert torch.equal(*samples)


def texts(**modules: object) -> diffusion.Model:
    """A model of masked tokens."""
    own: dict = {
        "data": data.Identity(torch.randint(0, 4, (8, 5)), torch.ones(8, dtype=torch.long)),
        "noise": noise.Absorbing(5), "schedule": schedule.Cosine(20), "time": time.Discrete(),
        "net": net.Transformer(5, labels=2, width=8, heads=2, depth=1), "loss": loss.CrossEntropy(),
    }  # fmt: skip
    return model(**{**own, **modules})


NEEDS_X = [guidance.PlusPlus(), guidance.Threshold(), guidance.Observe(PICK, torch.ones(1)),
           guidance.Interval(guidance.PlusPlus()),
           guidance.ClassifierFree() | guidance.Threshold()]  # fmt: skip


@pytest.mark.parametrize("one", NEEDS_X, ids=lambda one: type(one).__name__)
def test_what_needs_a_predicted_x_is_refused_for_tokens(one) -> None:
    """When the model is built, and when the guidance is given to a sampling."""
    why = "guidance and noise: .*that a Gaussian process predicts, and Absorbing predicts none"
    with pytest.raises(MismatchError, match=why):
        texts(guidance=one)
    with pytest.raises(MismatchError, match=why):
        texts().sample(y=[1], steps=2, guidance=one)
    uniform = {"noise": noise.Uniform(5), "guidance": guidance.Classifier(Reader())}
    with pytest.raises(MismatchError, match="fills in masks, and Uniform has neither"):
        texts(**uniform)


class Reader(nn.Module):
    """A classifier of token states."""

    def forward(self, z, t):
        counts = torch.nn.functional.one_hot(z, 5).float().mean(1)
        return torch.stack([counts[:, 0], counts[:, 1] * 2], 1) * 4


def smaller() -> net.Transformer:
    torch.manual_seed(2)
    made = net.Transformer(5, labels=2, width=4, heads=1, depth=1)
    with torch.no_grad():
        for p in made.parameters():
            p.add_(0.5 * torch.randn_like(p))
    return made


OF_TOKENS = [
    guidance.ClassifierFree(), guidance.Interval(guidance.ClassifierFree(), 0.2),
    guidance.Compose((1.5,)), guidance.Project(3.0), guidance.Project(3.0, norm=1.0),
    guidance.Rescale(guidance.ClassifierFree(strength=4.0)), guidance.Auto(smaller(), 2.0),
    guidance.Classifier(Reader(), 3.0), guidance.Rescale(guidance.Project()) | guidance.Nucleus(),
]  # fmt: skip
REVEALING = [
    sampler.Ancestral(), sampler.TauLeap(), sampler.Trapezoidal(), sampler.Confident(),
    sampler.EntropyBound(1.0), sampler.Remask(),
]  # fmt: skip


@pytest.mark.parametrize("one", OF_TOKENS, ids=repr)
@pytest.mark.parametrize("walk", REVEALING, ids=lambda one: type(one).__name__)
def test_every_guidance_of_tokens_under_every_sampler_of_tokens(one, walk) -> None:
    trained = texts(guidance=one)
    options = {"steps": 6, "seed": 0, "sampler": walk}
    y = [1, 2] * 8
    both = trained.sample(y=y, **options)
    assert both.shape == (16, 5)
    assert int(both.max()) < 4  # no masks are left
    assert not torch.equal(both, trained.replace(guidance=None).sample(y=y, **options))
    assert torch.equal(trained.sample(y=y[:3], **options), both[:3])


WITH_SLOPES = [
    guidance.Classifier(Posterior(), 0.5), guidance.Observe(PICK, torch.ones(1), 0.5),
    guidance.Observe(PICK, torch.ones(2, 1), 0.5) | guidance.ClassifierFree(),
]  # fmt: skip


@pytest.mark.parametrize("one", WITH_SLOPES, ids=repr)
def test_gradients_are_taken_under_inference_mode_too(one) -> None:
    trained, options = model(), {"y": ["red", "blue"], "steps": 4, "seed": 0, "guidance": one}
    expected = trained.sample(**options)
    with torch.inference_mode():
        assert torch.equal(trained.sample(**options), expected)
        assert torch.is_inference_mode_enabled()


def test_what_inference_mode_does_not_let_gradients_pass_is_named() -> None:
    class Held(nn.Module):
        def forward(self, z, t):
            return z @ self.weight

    held = Held()
    with torch.inference_mode():
        held.weight = torch.ones(2, 3)
        with pytest.raises(InputError, match=r"created in torch.inference_mode.*torch.no_grad"):
            model().sample(y=["red"], steps=2, guidance=guidance.Classifier(held))


def test_the_command_line_changes_the_strength_inside() -> None:
    inner = guidance.ClassifierFree(strength=1.0)
    one = model(guidance=guidance.Interval(inner, 0.2) | guidance.Threshold())
    strong = with_strength(one, 3.0)
    assert strong == guidance.Interval(inner.vary(strength=3.0), 0.2) | guidance.Threshold()
    with pytest.raises(MismatchError, match="has no strength"):
        with_strength(model(guidance=guidance.PlusPlus()), 3.0)

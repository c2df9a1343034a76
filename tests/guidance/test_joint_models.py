"""Guidance in models of joint states: a vector and a token, under one network."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import diffusion
from diffusion import data, guidance, loss, net, noise, sampler, schedule, time
from diffusion.base import Net
from diffusion.errors import MismatchError
from diffusion.guidance import (
    Classifier,
    ClassifierFree,
    Compose,
    Interval,
    PlusPlus,
    Project,
    Rescale,
    Threshold,
)

from .tables import MASK, K

JOINT = noise.Joint({"a": noise.Gaussian("velocity"), "b": noise.Absorbing(K)})
WALKS = [sampler.Ancestral(), sampler.DDIM(), sampler.Adams()]


class Pair(Net):
    """A small network of a vector and a token."""

    def __init__(self, hidden: int = 16, labels: int = 3) -> None:
        self.labels, self.inner = labels, net.MLP(2 + K, labels=labels, hidden=hidden)

    def forward(self, x: Any, y: Tensor, t: Tensor) -> Any:
        token = torch.nn.functional.one_hot(x["b"][:, 0], K).to(x["a"])
        hat = self.inner(torch.cat([x["a"], token], 1), y, t)
        return {"a": hat[:, :, :2], "b": hat[:, :, None, 2:]}


class Simple(nn.Module):
    """A classifier of both that is differentiable in the vector."""

    def forward(self, z: Any, t: Any) -> Tensor:
        token = torch.nn.functional.one_hot(z["b"][:, 0], K).to(z["a"])
        both = torch.cat([z["a"], token, z["a"].square()], 1) * (1 + t["a"][:, None])
        return both[:, :3] - both[:, 3:6].cos() + both[:, 5:]


def pair(seed: int = 0, kind: type[Net] = Pair) -> Net:
    torch.manual_seed(seed)
    made = kind()
    with torch.no_grad():
        for p in made.parameters():
            p.add_(0.3 * torch.randn_like(p))
    return made


def model(**modules: Any) -> diffusion.Model:
    torch.manual_seed(0)
    parts = {"a": data.Identity(torch.randn(16, 2)), "b": data.Identity(torch.randint(3, (16, 1)))}
    own: dict[str, Any] = {
        "data": data.Joint(y=torch.arange(16) % 3 + 1, parts=parts, batch=8),
        "schedule": schedule.Flow(), "noise": JOINT, "net": pair(), "time": time.Continuous(),
        "loss": loss.Joint({"a": loss.Simple(), "b": loss.CrossEntropy()}),
    }  # fmt: skip
    return diffusion.Model(**{**own, **modules})


EVERY = [
    ClassifierFree(), Interval(ClassifierFree(), 0.2, 0.8), Rescale(ClassifierFree()),
    guidance.Auto(pair(1)), Project(2.0), Classifier(Simple(), 0.5), Threshold(limit=0.5),
    Compose((1.5,)), Project(2.0) | guidance.Temperature(0.5) | Threshold(),
]  # fmt: skip


@pytest.mark.parametrize("one", EVERY, ids=lambda one: type(one).__name__)
@pytest.mark.parametrize("walk", WALKS, ids=repr)
def test_joint_models(one, walk) -> None:
    """It changes the samples, and a sample does not depend on the batch it is drawn in."""
    trained = model(guidance=one)
    options: dict[str, Any] = {"steps": 6, "seed": 0, "sampler": walk}
    both = trained.sample(y=[1, 3, 2], **options)
    assert both["a"].isfinite().all()
    assert int(both["b"].max()) < MASK
    plain = trained.replace(guidance=None).sample(y=[1, 3, 2], **options)
    assert not torch.allclose(both["a"], plain["a"], atol=1e-3)
    alone = trained.sample(y=[1], **options)
    torch.testing.assert_close(alone["a"], both["a"][:1], rtol=1e-4, atol=1e-5)
    assert torch.equal(alone["b"], both["b"][:1])


class Told(Pair):
    """A network that is told a time for each part."""

    def forward(self, x: Any, y: Tensor, t: Any) -> Any:
        return super().forward(x, y, t["a"])


@pytest.mark.parametrize("one", EVERY, ids=lambda one: type(one).__name__)
@pytest.mark.parametrize("walk", [WALKS[0], WALKS[2]], ids=repr)
def test_a_part_that_is_known_stays_and_conditions_the_other(one, walk) -> None:
    apart = time.Joint({"a": time.Continuous(), "b": time.Continuous()})
    own: dict[str, Any] = {"time": apart, "net": pair(0, Told)}
    one = guidance.Auto(pair(1, Told)) if isinstance(one, guidance.Auto) else one
    trained = model(**own, guidance=one)
    options: dict[str, Any] = {"y": [1, 2], "steps": 5, "seed": 0, "sampler": walk}
    for given in ({"a": torch.randn(2, 2)}, {"b": torch.tensor([[1], [2]])}):
        found = trained.sample(given=given, **options)
        for key, value in given.items():
            torch.testing.assert_close(found[key], value)
        assert found["a"].isfinite().all()
        assert int(found["b"].max()) < MASK


def test_what_can_not_guide_a_part_names_it() -> None:
    uniform = noise.Joint({"a": noise.Gaussian("velocity"), "b": noise.Uniform(K)})
    with pytest.raises(MismatchError, match=r"Classifier moves the x .* and Uniform has neither"):
        model(noise=uniform, guidance=Classifier(Simple()))
    tokens = noise.Joint({"b": noise.Absorbing(K)})
    assert "Threshold changes the x" in (Threshold().fits(tokens) or "")
    assert "PlusPlus changes the x" in (PlusPlus().fits(tokens) or "")
    one = guidance.Observe(lambda x: x, torch.ones(2))
    assert "Observe changes the x that a Gaussian process predicts" in (one.fits(JOINT) or "")

"""Guidance of joint states: Gaussian parts as Gaussians, tokens as tokens."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import diffusion
from diffusion import data, guidance, loss, net, noise, rng, sampler, schedule, time
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
from diffusion.noise.split import Split

from .bed import BED, CLOSE, NULL, Y, Z
from .bed import posterior as of_vector
from .tables import MASK, K, Table

T = 40
LAWS = torch.tensor([[6, 3, 1, 0], [1, 4, 5, 0], [2, 2, 6, 0]]).double() / 10
TABLE = Table(LAWS, BED.weights.double())
JOINT = noise.Joint({"a": noise.Gaussian("velocity"), "b": noise.Absorbing(K)})
PROCESS = JOINT.bind(schedule.Flow(100))
BOTH = {"a": Z, "b": torch.tensor([[MASK], [MASK], [0], [MASK], [1], [MASK]])}


def apart(z: Any, y: Tensor, t: Any) -> Any:
    """Exact for each part alone."""
    oracles = {"a": BED.oracle(PROCESS["a"]), "b": TABLE.predict(PROCESS["b"])}
    return {
        key: one(z[key], y, t[key] if isinstance(t, dict) else t) for key, one in oracles.items()
    }


def together(z: Any, y: Tensor, t: Any) -> Any:
    """Exact for both, which are independent given y: the mean over y, unless it is given."""
    share = posterior(z).exp()
    given = [apart(z, torch.full_like(y, k), t) for k in (1, 2, 3)]
    a = sum(share[:, k, None] * given[k]["a"] for k in range(3))
    b = sum(share[:, k, None, None] * given[k]["b"].exp() for k in range(3)).log()
    told = apart(z, y, t)
    null = y == 0
    return {
        "a": torch.where(null[:, None], a, told["a"]),
        "b": torch.where(null[:, None, None], b, told["b"]),
    }


def posterior(z: Any) -> Tensor:
    """log p(y | z) at the time T, `[b, 3]`."""
    one = of_vector(z["a"], 1 - T / 100, T / 100)
    two = TABLE.posterior(PROCESS["b"], z["b"]) - BED.weights.double().log()
    return (one + two).log_softmax(1)


class Judge(nn.Module):
    """The exact classifier of both at the time T."""

    def forward(self, z: Any, t: Any) -> Tensor:
        assert list(t) == ["a", "b"]
        assert [len(one) for one in t.values()] == [len(z["a"])] * 2
        return posterior(z)


@pytest.mark.parametrize("t", [T, {"a": T, "b": 70}, torch.full((6,), T)], ids=str)
@pytest.mark.parametrize(
    "one",
    [ClassifierFree(strength=1.5), Compose((2.5,)), Project(2.0), Project(2.0, 0.3, 0.5),
     Rescale(ClassifierFree(strength=1.5)), Interval(Project(2.0)),
     Rescale(Project(2.0)) | ClassifierFree(strength=0.5)],
    ids=repr,
)  # fmt: skip
def test_each_part_is_guided_as_if_it_were_alone(one, t) -> None:
    hat = one(apart, PROCESS)(BOTH, Y, t)
    for key in ("a", "b"):
        part = PROCESS[key]

        def predict(z: Tensor, y: Tensor, t: Any, key: str = key) -> Tensor:
            return apart({**BOTH, key: z}, y, t)[key] if len(z) == 6 else doubled(key, z, y, t)

        def doubled(key: str, z: Tensor, y: Tensor, t: Any) -> Tensor:
            other = {k: v.repeat(len(z) // 6, 1) for k, v in BOTH.items()}
            return apart({**other, key: z}, y, t)[key]

        own = t[key] if isinstance(t, dict) else t
        torch.testing.assert_close(hat[key], one(predict, part)(BOTH[key], Y, own), **CLOSE)


def test_an_exact_classifier_of_both_makes_the_prediction_of_both_conditional() -> None:
    """Bayes' rule for the score of one part and for the masks of the other."""
    one = Classifier(Judge(), 1.0, blind=True)
    found, expected = one(together, PROCESS)(BOTH, Y, T), apart(BOTH, Y, T)
    torch.testing.assert_close(found["a"], expected["a"], **CLOSE)
    hidden = BOTH["b"][:, 0] == MASK
    laws = [PROCESS["b"].predict(BOTH["b"], T, one["b"]).exp() for one in (found, expected)]
    torch.testing.assert_close(laws[0][hidden], laws[1][hidden], **CLOSE)
    plain = together(BOTH, NULL, T)
    off = Classifier(Judge(), 0.0, blind=True)(together, PROCESS)(BOTH, Y, T)
    torch.testing.assert_close(off["a"], plain["a"], **CLOSE)
    torch.testing.assert_close(off["b"], plain["b"], **CLOSE)


def test_thresholds_and_plus_plus_are_of_the_gaussian_parts() -> None:
    plain = apart(BOTH, Y, T)
    hat = Threshold("static", limit=0.3)(apart, PROCESS)(BOTH, Y, T)
    assert float(PROCESS["a"].predict(Z, T, hat["a"]).abs().max()) == pytest.approx(0.3)
    assert torch.equal(hat["b"], plain["b"])
    split = (PlusPlus(0.6) | Threshold("static", limit=0.3))(apart, PROCESS)(BOTH, Y, T)
    assert isinstance(split["a"], Split)
    torch.testing.assert_close(split["a"].epsilon, apart(BOTH, NULL, T)["a"])
    assert float(PROCESS["a"].predict(Z, T, split["a"]).abs().max()) == pytest.approx(0.3)
    assert torch.equal(split["b"], plain["b"])
    after = (PlusPlus(0.6) | ClassifierFree(strength=1.0))(apart, PROCESS)(BOTH, Y, T)
    assert isinstance(after["a"], Split)
    law = PROCESS.step(BOTH, T, 20, after)
    assert law.parts["a"].mu.isfinite().all()


WALKS = [sampler.Ancestral(), sampler.DDIM(), sampler.Adams(), sampler.DPMSolverPP()]


@pytest.mark.parametrize("walk", WALKS, ids=repr)
def test_under_every_sampler_of_joint_states(walk) -> None:
    """The token follows the tempered law of its class; the vector goes where it goes alone.

    4,000 draws: five standard errors of a share are 0.04.
    """
    free, count, times = ClassifierFree(strength=1.5), 4000, [1 - i / 12 for i in range(12)] + [0.0]
    PROCESS.prepare(times)
    gen = torch.Generator().manual_seed(2)
    z = {"a": torch.randn(count, 2, generator=gen).double(), "b": torch.full((count, 1), MASK)}
    y = torch.ones(count, dtype=torch.long)
    *_, w = walk(PROCESS, free(apart, PROCESS), z, y, times, rng.samples(0, count))
    share = torch.bincount(w["b"].flatten(), minlength=K).double() / count
    torch.testing.assert_close(share, TABLE.tempered(1, 1.5), rtol=0, atol=0.04)
    part = PROCESS["a"]
    alone = free(BED.oracle(part), part)
    *_, goal = walk(part, alone, z["a"], y, times, rng.samples(0, count))
    exact = not isinstance(walk, sampler.Ancestral)  # whose draws come in another order
    if exact:
        torch.testing.assert_close(w["a"], goal, **CLOSE)
    torch.testing.assert_close(w["a"].mean(0), goal.mean(0), rtol=0, atol=0.05)


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
@pytest.mark.parametrize("walk", WALKS[:3], ids=repr)
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


def test_probabilities_of_a_part_are_not_extrapolated() -> None:
    """A part whose network says p: its logarithm is, as that of one that says logits."""
    joint = noise.Joint({"a": noise.Gaussian("velocity"), "b": noise.Absorbing(K, parameter="p")})
    process = joint.bind(schedule.Flow(100))

    def predict(z: Any, y: Tensor, t: Any) -> Any:
        hat = apart(z, y, t)
        return {"a": hat["a"], "b": hat["b"].exp()}

    for one in (ClassifierFree(strength=2.0), Compose((3.0,)), Project(2.0), Rescale(Project())):
        found, logs = one(predict, process)(BOTH, Y, T), one(apart, PROCESS)(BOTH, Y, T)
        torch.testing.assert_close(found["b"], logs["b"].softmax(-1), **CLOSE)
        torch.testing.assert_close(found["a"], logs["a"], **CLOSE)


def test_what_can_not_guide_a_part_names_it() -> None:
    uniform = noise.Joint({"a": noise.Gaussian("velocity"), "b": noise.Uniform(K)})
    with pytest.raises(MismatchError, match=r"Classifier moves the x .* and Uniform has neither"):
        model(noise=uniform, guidance=Classifier(Simple()))
    tokens = noise.Joint({"b": noise.Absorbing(K)})
    assert "Threshold changes the x" in (Threshold().fits(tokens) or "")
    assert "PlusPlus changes the x" in (PlusPlus().fits(tokens) or "")
    one = guidance.Observe(lambda x: x, torch.ones(2))
    assert "Observe changes the x that a Gaussian process predicts" in (one.fits(JOINT) or "")

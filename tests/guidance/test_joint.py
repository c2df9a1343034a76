"""Guidance of joint states: Gaussian parts as Gaussians, tokens as tokens."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from diffusion import noise, rng, sampler, schedule
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

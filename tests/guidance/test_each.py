"""A strength for each condition: sums that telescope, and conditions dropped independently."""

from typing import Any

import pytest
import torch
from torch import Tensor

from diffusion import Batch, Model, data, guidance, loss, net, noise, schedule, time
from diffusion.errors import InputError

GAUSSIAN = noise.Gaussian("x")


def predict(z: Tensor, y: Any, t: Any) -> Tensor:
    """What each condition adds, and what both do."""
    a, b = y["a"], y["b"]
    return (z + a + 10 * b + 100 * a * b).unsqueeze(0)


def inputs(count: int = 3) -> tuple[Tensor, dict[str, Tensor]]:
    draws = torch.Generator().manual_seed(0)
    z, a, b = torch.randn(3, count, 2, generator=draws, dtype=torch.float64)
    return z, {"a": a, "b": b}


def test_the_sum_is_that_of_the_paper() -> None:
    z, y = inputs()
    a, b = y["a"], y["b"]
    found = guidance.Each({"a": 0.5, "b": 2.0})(predict, GAUSSIAN)(z, y, 0.5)
    steps = (a, 10 * b + 100 * a * b)  # from none to a, and from a to both
    torch.testing.assert_close(found[0], z + 1.5 * steps[0] + 3.0 * steps[1])
    other = guidance.Each({"b": 2.0, "a": 0.5})(predict, GAUSSIAN)(z, y, 0.5)
    torch.testing.assert_close(other[0], z + 3.0 * 10 * b + 1.5 * (a + 100 * a * b))


def test_one_strength_for_all_is_classifier_free_guidance() -> None:
    z, y = inputs()
    each = guidance.Each({"a": 0.7, "b": 0.7})(predict, GAUSSIAN)(z, y, 0.5)
    free = guidance.ClassifierFree(strength=0.7)(predict, GAUSSIAN)(z, y, 0.5)
    torch.testing.assert_close(each, free)
    plain = guidance.Each({"a": 0.0, "b": 0.0})(predict, GAUSSIAN)(z, y, 0.5)
    torch.testing.assert_close(plain, predict(z, y, 0.5))


def test_conditions_that_are_not_named_are_kept() -> None:
    z, y = inputs()
    found = guidance.Each({"a": 1.0, "c": 5.0})(predict, GAUSSIAN)(z, y, 0.5)
    kept = z + 10 * y["b"]
    torch.testing.assert_close(found[0], kept + 2 * (y["a"] + 100 * y["a"] * y["b"]))


def test_the_only_condition_of_a_network_is_its_own() -> None:
    z, y = inputs()

    def alone(z: Tensor, y: Tensor, t: Any) -> Tensor:
        return (z + 3 * y).unsqueeze(0)

    found = guidance.Each({"y": 1.0})(alone, GAUSSIAN)(z, y["a"], 0.5)
    torch.testing.assert_close(found[0], z + 6 * y["a"])
    other = guidance.Each({"b": 1.0})(alone, GAUSSIAN)(z, y["a"], 0.5)
    assert torch.equal(other[0], z + 3 * y["a"])


def test_of_tokens_it_is_a_law() -> None:
    """Log-probabilities are added; a class that a condition rules out stays ruled out."""
    draws = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 1, 1, 4, generator=draws).log_softmax(-1)
    logits[2, ..., 3] = -torch.inf

    def told(z: Tensor, y: Any, t: Any) -> Tensor:
        index = ((y["a"] != 0).long() + (y["b"] != 0).long()).flatten()
        return logits[index].transpose(0, 1)

    y = {"a": torch.ones(1, 1), "b": torch.ones(1, 1)}
    z = torch.zeros(1, 1, dtype=torch.long)
    found = guidance.Each({"a": 1.0, "b": 0.5})(told, noise.Absorbing(4))(z, y, 0.5)
    none, first, both = logits
    wanted = both + (first - none) + 0.5 * (both - first)
    torch.testing.assert_close(found[0, ..., :3], wanted[..., :3], rtol=1e-5, atol=1e-5)
    assert found.softmax(-1)[0, 0, 0, 3] == 0


def test_conditions_are_dropped_independently() -> None:
    torch.manual_seed(0)
    count, share = 4000, 0.3
    y = {"a": torch.ones(count, 2), "b": torch.ones(count, 1, 3), "kept": torch.ones(count)}
    batch: Any = Batch(None, None, None, None, 0, w=None, x=None, y=dict(y))
    guidance.Each({"a": 1.0, "b": 1.0}, dropout=share).corrupt(batch)
    a, b = batch.y["a"][:, 0] == 0, batch.y["b"][:, 0, 2] == 0
    assert torch.equal(batch.y["a"][:, 0], batch.y["a"][:, 1]), "whole conditions are dropped"
    assert bool((batch.y["kept"] == 1).all() and (y["a"] == 1).all())
    near = 4 * (share * (1 - share) / count) ** 0.5  # four standard errors
    assert abs(float(a.float().mean()) - share) < near
    assert abs(float(b.float().mean()) - share) < near
    assert abs(float((a & b).float().mean()) - share**2) < near


def test_a_model_is_trained_and_sampled_with_any_subset() -> None:
    torch.manual_seed(0)
    y = {"a": torch.randn(12, 5), "b": torch.randn(12, 1, 4, 4)}
    network = net.Conditioned(
        net.UNet((1, 8), hidden=8),
        {"a": net.Projection(5, 8), "b": net.Encoder((1, 8))},
    )
    model = Model(
        data.Images(torch.randint(0, 256, (12, 1, 4, 4)).byte(), y, batch=4), schedule.Flow(),
        noise.Gaussian("velocity"), network, loss.Simple(), time.LogitNormal(),
        guidance.Each({"a": 1.0, "b": 0.5}, dropout=0.3),
    )  # fmt: skip
    list(model.train(1))
    for some in ({"a"}, {"b"}, {"a", "b"}):
        told = {name: value[:2] for name, value in y.items() if name in some}
        assert model.sample(told, steps=2, seed=0).shape == (2, 1, 4, 4)
    assert model.sample(batch=3, steps=2, seed=0).shape == (3, 1, 4, 4)
    assert model.sample({"a": y["a"][:1]}, batch=3, steps=2, seed=0).shape == (3, 1, 4, 4)


def test_misfits_are_named() -> None:
    for strengths, words in (
        ({}, "a number for each condition by its name"),
        ((1.0,), "a number for each condition by its name"),
        ({"a": float("nan")}, r"strengths\['a'\]"),
    ):
        with pytest.raises(InputError, match=words):
            guidance.Each(strengths)  # type: ignore[arg-type]
    batch: Any = Batch(None, None, None, None, 0, w=None, x=None, y={"a": torch.ones(2)})
    with pytest.raises(InputError, match=r"no condition 'b'; they have a"):
        guidance.Each({"b": 1.0}).corrupt(batch)

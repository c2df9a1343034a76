"""Classifier guidance of masked tokens, against Bayes' rule on tables."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from diffusion.guidance import Classifier
from diffusion.noise import Absorbing

from .tables import CLASSES, MASK, ONE, Judge, K, Table, bound

TABLE = Table()
CLOSE: dict[str, Any] = {"rtol": 1e-8, "atol": 1e-10}  # float64, and a few dozen operations


@pytest.mark.parametrize("noise", [Absorbing(K), Absorbing(K, parameter="p")], ids=repr)
@pytest.mark.parametrize("s", [0.0, 1.0, 2.5])
def test_an_exact_classifier_makes_an_unconditional_network_conditional(noise, s: float) -> None:
    """p(x)·p(y | x)^s, which is the class itself for s = 1."""
    process = bound(noise)
    one = Classifier(Judge(TABLE, process), s, blind=True)
    found = TABLE.guided_law(process, one(TABLE.predict(process), process), 2)
    law = TABLE.marginal * (ONE[1] * CLASSES[1] / TABLE.marginal.clamp_min(1e-300)) ** s
    torch.testing.assert_close(found, law / law.sum(), **CLOSE)


PAIR = torch.zeros(2, K, K).double()
PAIR[0, :3, :3] = torch.tensor([[30, 2, 3], [2, 20, 2], [5, 1, 35]]) / 100.0
PAIR[1, :3, :3] = torch.tensor([[2, 20, 10], [25, 3, 5], [5, 25, 5]]) / 100.0
PAIR = PAIR / PAIR.sum((1, 2), keepdim=True)
PAIRS = Table(PAIR)


def test_a_classifier_fills_in_one_token_after_the_other_exactly() -> None:
    """The chain rule: p(a | y)·p(b | a, y) is the class, in either order."""
    process = bound(Absorbing(K))
    one = Classifier(Judge(PAIRS, process), blind=True)(PAIRS.predict(process), process)
    for first in (0, 1):
        law = torch.zeros(K, K).double()
        z = torch.full((1, 2), MASK)
        start = process.predict(z, 60, one(z, torch.tensor([2]), 60)).exp()[0, first]
        for k in range(MASK):
            z = torch.full((1, 2), MASK)
            z[0, first] = k
            rest = process.predict(z, 30, one(z, torch.tensor([2]), 30)).exp()[0, 1 - first]
            law[k] = start[k] * rest
        law = law if first == 0 else law.T
        torch.testing.assert_close(law, PAIR[1] / PAIR[1].sum(), **CLOSE)


class Soft(nn.Module):
    """p(y | x) of one token, extended to one-hot vectors in between: the slope is not zero."""

    def __init__(self, given: Tensor) -> None:
        super().__init__()
        marginal = (CLASSES[:, None] * given).sum(0)
        p = (CLASSES[:, None] * given / marginal.clamp_min(1e-300)).T
        self.p = torch.cat([p[:MASK], CLASSES[None]])  # a mask says nothing

    def forward(self, z: Tensor, t: Tensor) -> Tensor:
        return (z[:, 0] @ self.p).log()


def test_the_slope_of_one_hot_states_is_right_to_first_order() -> None:
    """An error of second order in what the classifier knows: a quarter of it for half as much."""
    process = bound(Absorbing(K))
    base, errors = ONE.mean(0), []
    for share in (0.2, 0.1, 0.05):
        table = Table(base + share * (ONE - base))
        z = torch.full((1, 1), MASK)
        vector = torch.nn.functional.one_hot(z, K).double()
        y = torch.tensor([1])
        judges = (
            Classifier(Judge(table, process), blind=True),
            Classifier(Soft(table.given), 1, True),
        )
        laws = [
            process.predict(state, 50, one(table.predict(process), process)(state, y, 50)).exp()
            for one, state in zip(judges, (z, vector), strict=True)
        ]
        torch.testing.assert_close(laws[0][0, 0], table.given[0], **CLOSE)
        errors.append(float((laws[1] - laws[0]).abs().max()))
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.25)
    assert errors[1] / errors[2] == pytest.approx(4, rel=0.15)


def test_the_classifier_leaves_the_null_condition_and_shown_tokens_alone() -> None:
    process = bound(Absorbing(K))
    predict = PAIRS.predict(process)
    guided = Classifier(Judge(PAIRS, process), 2.0)(predict, process)
    z = torch.tensor([[MASK, 1], [MASK, MASK], [0, MASK]])
    plain = process.predict(z, 50, predict(z, torch.tensor([0, 1, 2]), 50)).exp()
    found = process.predict(z, 50, guided(z, torch.tensor([0, 1, 2]), 50)).exp()
    torch.testing.assert_close(found[0], plain[0], **CLOSE)
    torch.testing.assert_close(found[2, 0], plain[2, 0], **CLOSE)
    assert (found[2, 1] - plain[2, 1]).abs().max() > 0.01

"""Likelihoods that are not numbers are errors, and say which answers of the network they are of."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

import diffusion
from diffusion import noise, schedule
from diffusion.errors import InputError
from diffusion.exact import Enumerated
from diffusion.likelihood.importance import averaged

from .bed import LINE, PLANE, model, tokens

TABLE = torch.tensor([[0.3, 0.1, 0.0], [0.2, 0.4, 0.0], [0.0, 0.0, 0.0]])
OWN = {
    "absorbing": lambda: tokens(Enumerated(TABLE), noise.Absorbing(3)),
    "uniform": lambda: tokens(Enumerated(TABLE + 0.1), noise.Uniform(3)),
    "gaussian": lambda: model(LINE, noise.Gaussian("velocity"), schedule.Flow(1000)),
}


def broken(one: diffusion.Model, late: float, rows: slice) -> None:
    """The network answers NaN for some items below a time."""
    net: Any = one.net
    exact = net.predict

    def predict(z: Tensor, y: Any, t: Tensor) -> Tensor:
        hat = exact(z, y, t).clone()
        hat[:, rows] = torch.where(t[0] < late, torch.nan, hat[:, rows])
        return hat

    net.predict = predict


@pytest.mark.parametrize("method", ["bound", "importance"])
@pytest.mark.parametrize("own", OWN, ids=str)
def test_a_network_that_answers_nan(own: str, method: str) -> None:
    one = OWN[own]()
    assert not one.nll(steps=4, method=method).isnan().any()
    broken(one, 0.6, slice(1, 3))
    w = one.data.w[:4]
    said = (
        rf"nll\(method='{method}'\): 2 of 4 estimates are NaN, first number 1: the network's "
        r"output is NaN for 2 of them from time 0\.5 on\. Are the weights finite\? Look at net\(z"
    )
    with pytest.raises(InputError, match=said):
        one.nll(w, steps=4, method=method)
    broken(one, 2.0, slice(None))
    with pytest.raises(InputError, match=r"12 of 12 estimates are NaN.*from time 1 on"):
        one.nll(w, steps=4, method=method, draws=3)


def test_a_modality_that_answers_nan() -> None:
    class Both(diffusion.base.Net):
        def forward(self, x: Any, y: Any, t: Any) -> Any:
            word = torch.nn.functional.one_hot(x["word"], 3).float()
            return {"at": x["at"][None], "word": (word / 0 * 0)[None]}

    one = diffusion.Model(
        diffusion.data.Joint(parts={"at": diffusion.data.Identity(torch.randn(4, 2)),
                                    "word": diffusion.data.Identity(torch.arange(4)[:, None] % 3)}),
        schedule.Cosine(12), noise.Joint({"at": noise.Gaussian(), "word": noise.Uniform(3)}),
        Both(),
    )  # fmt: skip
    for method in ("bound", "importance"):
        with pytest.raises(InputError, match=r"1 of 1 estimates are NaN.*from time 12 on"):
            one.nll(method=method)


def test_a_field_without_a_slope() -> None:
    """The root of z² is a number, and its slope at 0 is not."""
    one = model(PLANE, noise.Gaussian("velocity"), schedule.Flow(1000))
    net: Any = one.net
    net.predict = lambda z, y, t: (z * 0).square().sum(1, keepdim=True).sqrt()[None] + z[None]
    with pytest.raises(InputError, match=r"method='ode'.*NaN.*network's output is a number"):
        one.nll(method="ode", steps=3)


def test_what_can_not_be_is_infinite_not_an_error() -> None:
    """Items that the model rules out: a logit of -inf is no NaN."""
    one = tokens(Enumerated(TABLE), noise.Uniform(3))
    impossible = torch.tensor([[0, 2]])
    for method in ("bound", "importance"):
        assert one.nll(impossible, steps=4, method=method).item() == math.inf
    value, error = averaged(torch.tensor([[math.inf, 1.0], [math.inf, math.inf]]).double())
    assert value[0] == error[0] == math.inf
    assert value[1] == pytest.approx(1 + math.log(2))
    assert error[1].isfinite()

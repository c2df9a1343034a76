"""A batch calls the network when it is asked to, and not otherwise."""

import pytest
import torch

import diffusion
from diffusion import data, loss, net, noise, schedule, time
from diffusion.errors import InputError
from diffusion.exact import oracle
from diffusion.train.loop import step

from .bed import BED, batch, process


class Counted(net.MLP):
    """An MLP that counts its calls."""

    calls = 0

    def forward(self, x, y, t):
        self.calls += 1
        return super().forward(x, y, t)


def model(one: loss.Lambda | loss.Simple) -> diffusion.Model:
    return diffusion.Model(
        data.Identity(torch.randn(8, 2), batch=8), schedule.Karras(20), noise.Gaussian("F"),
        Counted(2), one, time.LogNormal(),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("one", "calls"),
    [
        (loss.Simple(), 1),
        (loss.Simple() + 2 * loss.Simple(), 1),
        (loss.Lambda(lambda b: b.predict(b.z, b.t).mean()), 1),
        (loss.Lambda(lambda b: (b.hat - b.predict(b.z, b.t)).mean()), 2),
    ],
    ids=["simple", "two terms", "predict alone", "both"],
)
def test_a_step_calls_the_network_as_often_as_the_loss_asks(one, calls):
    made = model(one)
    made.net.calls = 0  # building it made a dry run
    step(made, torch.arange(8))
    assert made.net.calls == calls


def test_predict_is_hat_at_the_same_state_and_time():
    """And the network is shown what the noise shows it: c_in·z, for this schedule."""
    made = model(loss.Simple())
    one = made.batch(made.data.w)
    torch.testing.assert_close(one.predict(one.z, one.t), one.hat)
    shown = made.net(made.process.inputs(one.z, one.t), one.y, one.t)
    torch.testing.assert_close(one.hat, shown)
    assert not torch.equal(made.process.inputs(one.z, one.t), one.z)


def test_it_takes_other_times_and_conditions():
    one = batch(process(), oracle(BED, process()))
    later = (one.t + 1) / 2
    at = oracle(BED, one.noise)(one.z, one.y, later)
    torch.testing.assert_close(one.predict(one.z, later, torch.ones_like(one.y)).shape, at.shape)
    torch.testing.assert_close(one.predict(one.z, later), at)
    assert not torch.allclose(one.predict(one.z, later, torch.ones_like(one.y)), at)


def test_a_batch_without_a_network_says_so():
    one = batch(process(), None)
    with pytest.raises(InputError, match=r"Batch.predict: this batch has no network"):
        one.predict(one.z, one.t)
    with pytest.raises(InputError, match=r"no network"):
        _ = one.hat
    one.hat = torch.zeros(1, *one.z.shape)
    assert one.hat.shape[1:] == one.z.shape

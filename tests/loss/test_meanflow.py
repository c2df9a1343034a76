"""The mean flow: its identity, the network that knows two times, and the sampler that uses both."""

import copy
import math

import pytest
import torch
from torch import nn

import diffusion
from diffusion import data, guidance, loss, net, noise, sampler, schedule, time, train
from diffusion.errors import InputError, MismatchError
from diffusion.exact import flow_map
from diffusion.loss import MeanFlow
from diffusion.noise.clock import along

from .bed import BED, SINGLE, batch, process

MEAN, STD = 0.5, 0.4  # of SINGLE
PATHS = [
    ("schedule", schedule.Flow(1000)), ("schedule", schedule.Flow(1000, 3.0)),
    ("flow", schedule.Sigmoid(1000)), ("vp", schedule.Flow(1000)),
]  # fmt: skip


def average(of):
    """The average velocity for SINGLE, whose flow map is linear; it can be differentiated."""

    def at(u):
        scales = along(of.clock.path, *of.clock.inner.scales(u))
        signal, sigma = (v.reshape(-1, 1) for v in scales)
        return signal, (signal**2 * STD**2 + sigma**2).sqrt()

    def carried(z, t, s):
        (signal, spread), (signal_s, spread_s) = at(t), at(s)
        return signal_s * MEAN + spread_s / spread * (z - signal * MEAN)

    def predict(z, y, t):
        start, end = t.unbind(1)
        return ((z - carried(z, start, end)) / (start - end).reshape(-1, 1))[None]

    return predict


def mean_batch(of, predict):
    """A batch in which every sample's velocity is the mean velocity at its state."""
    t = torch.linspace(0.05, 0.95, 256, dtype=torch.float64)
    one = batch(of, predict, 256, t, SINGLE)
    signal, sigma = (v.reshape(-1, 1) for v in of.clock(t))
    one.x = SINGLE.denoise(one.z, *of.clock(t))
    one.epsilon = (one.z - signal * one.x) / sigma
    return one


@pytest.mark.parametrize(("path", "plan"), PATHS, ids=repr)
def test_the_average_velocity_satisfies_the_identity(path, plan):
    """u = v - (t - s)·du/dt to rounding, the derivatives of the schedule being exact to 1e-9."""
    of = process("velocity", plan, path=path)
    exact = average(of)
    assert float(MeanFlow(0.0, 0.0).compute(mean_batch(of, exact))) < 1e-16

    def wrong(z, y, t):
        return exact(z, y, t) * 1.01

    assert float(MeanFlow(0.0, 0.0).compute(mean_batch(of, wrong))) > 1e-5


def test_data_alone_leave_the_average_velocity_where_it_is():
    """With single samples' velocities the gradient vanishes on average: 200,000 leave 1 %."""
    of = process()
    exact = average(of)

    def pull(theta):
        at = torch.tensor(theta, dtype=torch.float64, requires_grad=True)

        def moved(z, y, t):
            return exact(z, y, t) + (at * torch.exp(-(z**2)))[None]

        torch.manual_seed(0)
        MeanFlow(0.0, 0.0).compute(batch(of, moved, 200_000, mixture=SINGLE)).backward()
        return float(at.grad)

    assert pull(0.5) > 0
    assert abs(pull(0.0)) < 0.03 * pull(0.5)


def test_without_spans_it_is_flow_matching():
    of = process()
    one = batch(of, lambda z, y, t: torch.sin(3 * z + t[:, :1] if t.dim() == 2 else z)[None])
    one.hat = one.predict(one.z, torch.stack([one.t, one.t], 1))
    torch.testing.assert_close(MeanFlow(1.0, 0.0).compute(one), loss.Simple().compute(one))
    weighted = MeanFlow(1.0, 1.0, 1e-3).each(one)
    plain = MeanFlow(1.0, 0.0).each(one)
    torch.testing.assert_close(weighted, plain / (plain + 1e-3))


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("plan", [schedule.Flow(1000), schedule.Flow(1000, 2.0)], ids=repr)
def test_jumps_with_the_exact_network_land_on_the_flow_map(count, plan):
    of = noise.Gaussian("velocity").bind(plan)
    z = torch.linspace(-2, 2, 101, dtype=torch.float64)[:, None]
    times = [0.98 * (1 - i / count) for i in range(count)] + [0.0]
    *_, last = sampler.Jump()(of, flow_map(BED, of), z, None, times, None)
    torch.testing.assert_close(last, BED.flow(z, of.clock(0.98)), rtol=1e-9, atol=1e-9)
    indices = [round(1000 * t) for t in times]
    *_, last = sampler.Jump()(of, flow_map(BED, of), z, None, indices, None)
    torch.testing.assert_close(last, BED.flow(z, of.clock(0.98)), rtol=1e-9, atol=1e-9)


def test_consistency_sampling_with_the_exact_network_draws_from_the_data():
    """The empirical distribution of 4,000 draws is within 1.63/sqrt(n) with probability 0.99."""
    of = noise.Gaussian("v").bind(schedule.Cosine(1000))
    source = torch.Generator().manual_seed(0)
    z = torch.randn(4000, 1, generator=source, dtype=torch.float64)
    for times in ([1.0, 0.0], [1.0, 0.6, 0.3, 0.0]):
        *_, x = sampler.Consistency()(of, flow_map(BED, of), z, None, times, source)
        ranks = torch.arange(1, 4001) / 4000
        cdf = BED._line(1.0, 0.0).tail(x.sort(0).values.flatten(), torch.ones(4000)).exp()
        assert float((cdf - ranks).abs().max()) < 1.63 / 4000**0.5


def nets():
    return [
        (net.MLP(3, hidden=8), (3,)), (net.UNet((1, 8, 8), labels=2, hidden=8), (1, 8, 8)),
        (net.Transformer(1, width=16, heads=2, depth=1, patch=4), (1, 8, 8)),
    ]  # fmt: skip


@pytest.mark.parametrize("index", range(3), ids=["MLP", "UNet", "Transformer"])
def test_a_span_starts_as_its_net_and_learns(index):
    torch.manual_seed(0)
    inner, shape = nets()[index]
    for zero in (inner.exit, inner.modulation):
        nn.init.normal_(zero.weight, std=0.2)
    before = copy.deepcopy(inner)
    span = net.Span(inner, 1.0)
    z, y = torch.randn(4, *shape), torch.zeros(4).long()
    t = torch.tensor([0.9, 0.5, 0.2, 0.7])
    two = torch.stack([t, t / 3], 1)
    torch.testing.assert_close(span(z, y, two), before(z, y, t))
    torch.testing.assert_close(span(z, y, t), before(z, y, t))
    made = diffusion.Model(
        data.Identity(z, batch=4), schedule.Flow(100), noise.Gaussian("velocity"), span,
        MeanFlow(0.25), time.Continuous(), sampler=sampler.Jump(),
        optimizer=train.AdamW(1e-2, warmup=0),
    )  # fmt: skip
    assert all(map(math.isfinite, made.train(3)))
    assert not torch.allclose(span(z, y, two), span(z, y, t), rtol=1e-6, atol=1e-7)
    assert made.sample(batch=2, steps=1, seed=0).isfinite().all()
    assert inner.state_dict().keys() == before.state_dict().keys()


def model(**modules) -> diffusion.Model:
    own: dict = {
        "data": data.Identity(torch.randn(16, 1), batch=8), "schedule": schedule.Flow(100),
        "noise": noise.Gaussian("velocity"), "net": net.Span(net.MLP(1, hidden=8)),
        "loss": MeanFlow(), "time": time.Continuous(), "sampler": sampler.Jump(),
    }  # fmt: skip
    return diffusion.Model(**{**own, **modules})


def test_a_model_of_two_times_is_saved_and_sampled_by_other_samplers(tmp_path):
    made = model()
    [*made.train(1)]
    made.save(tmp_path / "m")
    back = diffusion.Model.load(tmp_path / "m")
    assert back.diff(made) == {}
    assert torch.equal(back.sample(batch=3, steps=2, seed=0), made.sample(batch=3, steps=2, seed=0))
    assert made.sample(batch=3, steps=4, seed=0, sampler=sampler.DDIM()).isfinite().all()


def test_what_does_not_fit_is_refused():
    cases = [
        ({"net": net.MLP(1)}, r"needs a net that knows two times: net.Span\(MLP"),
        ({"noise": noise.Gaussian("v"), "sampler": sampler.DDIM()}, r'use Gaussian\("velocity"\)'),
        ({"time": time.Discrete()}, "use a continuous time, not Discrete"),
        ({"schedule": schedule.Karras(100)}, "states grow to 80"),
        ({"noise": noise.Gaussian("v"), "loss": loss.Simple()}, "Jump steps by an average"),
    ]  # fmt: skip
    for modules, message in cases:
        with pytest.raises(MismatchError, match=message):
            model(**modules)
    with pytest.raises(InputError, match=r"Span.net: expected a network that embeds.*got Span"):
        net.Span(net.Span(net.MLP(1)))
    with pytest.raises(InputError, match=r"MeanFlow.same: expected a share"):
        MeanFlow(same=1.5)


@pytest.mark.parametrize("one", [sampler.Jump(), sampler.Consistency()], ids=repr)
def test_known_positions_are_kept_and_guidance_applies(one):
    torch.manual_seed(0)
    made = model(
        data=data.Identity(torch.randn(16, 2), torch.arange(16) % 3 + 1, batch=8), sampler=one,
        net=net.Span(net.MLP(2, labels=3, hidden=8)), guidance=guidance.ClassifierFree(0.1, 2.0),
        optimizer=train.AdamW(1e-2, warmup=0),
    )  # fmt: skip
    assert all(map(math.isfinite, made.train(10)))
    known, mask = torch.full((2, 2), 0.7), torch.tensor([True, False]).expand(2, 2)
    w = made.sample([1, 2], steps=3, seed=0, known=known, mask=mask)
    assert torch.equal(w[:, 0], known[:, 0])
    guided, plain = (
        made.sample([1, 2], steps=3, seed=0, guidance=guidance.ClassifierFree(0.1, strength))
        for strength in (2.0, 0.0)
    )
    assert not torch.allclose(guided, plain)
    alone = made.sample([1], steps=3, seed=0)
    torch.testing.assert_close(alone, guided[:1])

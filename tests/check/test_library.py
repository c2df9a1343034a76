"""Every module of the library passes its own exam, and so do the tutorial's."""

import pytest
import torch
from torch import nn

from diffusion import (
    data,
    distil,
    distribution,
    grid,
    guidance,
    loss,
    net,
    noise,
    sampler,
    schedule,
    time,
    train,
)
from diffusion import weight as weights
from diffusion.check import check
from diffusion.check.world import gaussian
from diffusion.folder.registry import library
from diffusion.parameter import ROWS

from .. import tutorial


class Autoencoder(nn.Module):
    """An invertible one."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 6)

    def encode(self, x):
        return self.layer(x)

    def decode(self, x):
        return torch.linalg.solve(self.layer.weight, (x - self.layer.bias).T).T


class Halves(nn.Module):
    """Any torch module can follow a net."""

    def forward(self, hat):
        return hat / 2


class Judge(nn.Module):
    """A classifier of vectors of four into three classes."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, z, t):
        return self.layer(z) * (1 + t[:, None])


WORLD = gaussian()


def teacher(z, y, t):
    """A perfect one, for the world that losses are examined in."""
    return WORLD.oracle(z, y, t)


torch.manual_seed(0)
MU, SIGMA = torch.randn(4, 3), torch.rand(4, 3) + 0.4
LOGITS = torch.randn(4, 3, 5)
SCHEDULES = [
    schedule.Constant(60, 0.9), schedule.Linear(100), schedule.Cosine(50), schedule.Sqrt(50),
    schedule.Sigmoid(50), schedule.Flow(), schedule.Flow(50, 3.0), schedule.Karras(50),
    schedule.LogLinear(50), schedule.Geometric(50), schedule.ZeroTerminal(schedule.Cosine(50)),
    schedule.Table(3, torch.tensor([1.0, 0.9, 0.8, 0.5])),
    schedule.Scaled(schedule.Cosine(50), 0.3), schedule.Spectral(50, torch.tensor([0.01, 4.0])),
]  # fmt: skip
DISTRIBUTIONS = [
    distribution.Normal(MU, SIGMA), distribution.Normal(MU, 0.5),
    distribution.Categorical(LOGITS), distribution.Categorical(LOGITS, True),
    distribution.Point(MU), distribution.Point(torch.arange(3)),
    distribution.Joint({"a": distribution.Normal(MU, SIGMA)}),
]  # fmt: skip
NOISES = [
    *(noise.Gaussian(parameter) for parameter in ROWS),
    *(noise.Gaussian("v", path=path) for path in ("vp", "ve", "flow")),
    noise.Gaussian("x", "range"), noise.Gaussian("epsilon", "learned"), noise.Gaussian(eta=0.0),
    noise.Gaussian(eta=0.5), noise.Uniform(5), noise.Uniform(4, parameter="p"),
    noise.Absorbing(5), noise.Absorbing(5, 0), noise.Mixed(torch.tensor([0.1, 0.2, 0.7])),
    noise.Structured.gaussian(4),
    noise.Joint({"a": noise.Gaussian(), "b": noise.Uniform(4)}),
]  # fmt: skip
DATA = [
    data.Identity(), data.Identity(MU), data.OneHot(k=5), data.Embedding(k=5, d=8), data.Images(),
    data.Images(torch.randint(0, 17, (9, 8, 8)), levels=17),
    data.Latent(torch.randn(10, 6), autoencoder=Autoencoder()),
    data.Joint(parts={"a": data.Identity(), "b": data.OneHot(k=4)}),
]  # fmt: skip
NETS = [
    net.MLP(4, labels=3), net.MLP(4, condition=6),
    net.UNet((1, 16, 32), labels=3, hidden=32),
    net.UNet((3, 16), parameters=2, hidden=32, dimensions=1),
    net.Transformer(7, labels=3, depth=2, width=32, heads=2),
    net.Transformer(3, depth=2, width=32, heads=2, patch=2),
    net.Transformer(7, depth=1, width=32, heads=2) | nn.Softmax(-1),
    net.MLP(4) | Halves(), net.Span(net.MLP(4, labels=3)),
    net.Span(net.UNet((1, 8, 8), hidden=16), 1.0),
    net.UNet((1, 8), labels=2, hidden=16, beside=1),
    net.Retimed(net.MLP(4, labels=3), schedule.Flow(), noise.Gaussian("v"), time.Continuous()),
]  # fmt: skip
LOSSES = [
    loss.Simple(), loss.Simple("x", 1), loss.Simple("v", weight=weights.MinSNR()), loss.VLB(),
    loss.Simple("epsilon") + 0.001 * loss.VLB(), loss.Simple("x") + loss.Rounding(),
    loss.Consistency(), loss.Consistency(cells=(4, 4), huber=1.0, variable="flow"),
    loss.Consistency(teacher), loss.MeanFlow(), loss.MeanFlow(0.0, 0.0),
    distil.Progressive(teacher, 2), distil.Match(teacher, net.MLP(4), 1),
    loss.CrossEntropy(), loss.CrossEntropy(weights.SNR()), loss.Rounding(),
    loss.Lambda(lambda batch: (batch.x - batch.hat[0]).abs().mean()),
    loss.Joint({"a": loss.Simple(), "b": loss.CrossEntropy()}),
]  # fmt: skip
TIMES = [
    time.Discrete(), time.Continuous(), time.Stratified(), time.LogNormal(), time.LogitNormal(),
    time.Importance(), time.Importance(10),
    time.Joint({"a": time.Discrete(), "b": time.Discrete()}),
]  # fmt: skip
OTHERS = [
    sampler.Ancestral(), sampler.DDIM(), sampler.DDIM(0.5), sampler.Adams(),
    sampler.Adams("F", "angle", 3), sampler.Euler(), sampler.LMS(), sampler.DEIS(),
    sampler.DPMSolverPP(), sampler.DPMSolverPP(eta=1.0), sampler.RES(), sampler.FlowAdams(),
    sampler.SDE(), sampler.SDE(brownian=True), sampler.RungeKutta(), sampler.Heun(target="x"),
    sampler.DPMSolverPP3M(), sampler.DPMSolverPP2MSDE(), sampler.DPMSolverPP3MSDE(),
    sampler.Midpoint(), sampler.DPMSolverPP2S(), sampler.RES2S(), sampler.RES3S(), sampler.RK4(),
    sampler.Adaptive(), sampler.UniPC(), sampler.Jump(),
    sampler.Tuned((sampler.Adams(),), ((5.0, 1.0, 0.2),), (0.1,)), sampler.Consistency(),
    sampler.TauLeap(), sampler.Trapezoidal(), sampler.Trapezoidal(0.3), sampler.Confident(),
    sampler.Confident(0.0, "entropy"), sampler.EntropyBound(), sampler.EntropyBound(0.0),
    sampler.Remask(), sampler.Remask(0.2, "rescale"), sampler.On(sampler.UniPC(), grid.Karras(7)),
    grid.Uniform(7), grid.Uniform(7, "flow", 1.5), grid.Karras(7), grid.Spacing(7, "trailing"),
    grid.Points.align("sd", 7),
    net.Projection(5, 8), net.Encoder((1, 8, 8)), net.Encoder((4, 8), dimensions=1, pool=1),
    train.AdamW(), train.AdamW(steps=100), train.Profile(), train.Profile((0.1,), 1, 4),
    weights.SNR(), weights.MinSNR(), weights.P2(), weights.Sigmoid(), weights.EDM(),
]  # fmt: skip
CENTRE = guidance.ClassifierFree()
HALF = torch.tensor([True, False, True, False])
GUIDANCES = [
    CENTRE, CENTRE | guidance.ClassifierFree(0.2, 0.5), guidance.Auto(net.MLP(4, labels=3)),
    guidance.Each({"y": 0.5}), guidance.Regions(torch.ones(1, 1)),
    guidance.Interval(CENTRE, 0.2, 0.8), guidance.Interval(CENTRE, 0.0, 0.03),
    guidance.Rescale(CENTRE), guidance.Rescale(guidance.Auto(net.MLP(4, labels=3)), 1.0),
    guidance.PlusPlus(), guidance.Project(2.0), guidance.Project(2.0, 0.5, 0.3, 0.2),
    guidance.Classifier(Judge()), guidance.Compose((1.5,)), guidance.Threshold(),
    guidance.Threshold("static", limit=0.5), guidance.PlusPlus() | guidance.Threshold(),
    guidance.Observe(guidance.Mask(HALF), torch.ones(2)),
    guidance.Observe(guidance.Mask(HALF), torch.ones(6, 2)[:1], method="pigdm"),
    guidance.Observe(guidance.Mask(HALF), torch.ones(2), 0.1, "dps"),
    guidance.Mask(HALF), guidance.Pool(2), guidance.Blur(torch.ones(3, 3) / 9, "reflect"),
    guidance.Temperature(), guidance.Nucleus(), guidance.Temperature(0.5) | guidance.Nucleus(0.5),
]  # fmt: skip
LIBRARY = [*SCHEDULES, *DISTRIBUTIONS, *NOISES, *DATA, *NETS, *LOSSES, *TIMES, *GUIDANCES, *OTHERS]
TUTORIAL = [
    tutorial.Embedding(count=5, dimension=8), tutorial.Linear(60, 0.9999, 0.9),
    tutorial.Normal(MU, SIGMA), tutorial.Gaussian(), tutorial.Simple(), tutorial.VLB(),
    tutorial.Simple() + 0.001 * tutorial.VLB(), tutorial.Perceptron(4),
    tutorial.DataclassEmbedding(count=5, dimension=8), tutorial.DataclassLinear(60, 0.9999, 0.9),
    tutorial.DataclassNormal(MU, SIGMA), tutorial.DataclassGaussian(), tutorial.DataclassSimple(),
    tutorial.DataclassVLB(),
]  # fmt: skip


@pytest.mark.parametrize("module", LIBRARY, ids=lambda module: repr(module)[:60])
def test_library_modules_pass(module):
    report = check(module)
    assert report.ok, str(report)
    assert sum(result.passed is True for result in report) >= 5


@pytest.mark.parametrize("module", TUTORIAL, ids=lambda module: repr(module)[:60])
def test_tutorial_modules_pass(module):
    report = check(module)
    assert report.ok, str(report)


def test_a_network_passes_with_the_conditions_that_it_is_given():
    network = net.Conditioned(net.UNet((1, 8), labels=3, hidden=16), {"text": net.Projection(5, 8)})
    y = {"y": torch.tensor([1, 2, 3]), "text": torch.randn(3, 5)}
    report = check(network, x=torch.randn(3, 1, 8, 8), y=y, t=torch.rand(3))
    assert report.ok, str(report)


def test_every_class_of_the_catalogue_was_examined():
    """But those of checkpoints and blocks, which have exams of their own."""
    composed = {"Chain", "Component", "Conditioned", "Product", "Sampled", "Sum", "Weight"}
    seen = {type(module).__name__ for module in LIBRARY} | composed
    own = {name: cls for name, cls in library().items() if not name.startswith(("hub.", "block."))}
    assert not {name for name, cls in own.items() if cls.__name__ not in seen}

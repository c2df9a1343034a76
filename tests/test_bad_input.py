"""Bad input is a clear error: which module, what was expected, what came, what to do."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import diffusion
from diffusion import data, guidance, loss, net, noise, sampler, schedule, train
from diffusion import time as times
from diffusion.errors import DiffusionError

from .test_contracts import Labelled, model


def case(words: str, build: object) -> object:
    return pytest.param(build, words, id=words[:60])


X, Y = torch.randn(8, 2), torch.randint(1, 4, (8,))
NAN = torch.cat([X, torch.full((1, 2), torch.nan)])


class Rising(schedule.Constant):
    def compute(self) -> torch.Tensor:
        return torch.tensor([1.0, 0.9, 1.05, 0.9])


class Neither(diffusion.base.Schedule):
    pass


CASES = [
    # spelling and ranges of arguments
    case(r"Gaussian\.parameter: expected one of x, epsilon.*Did you mean 'epsilon'",
         lambda: noise.Gaussian("epsilom")),
    case(r"Gaussian.*unexpected keyword argument 'paramter'.*Did you mean 'parameter'",
         lambda: noise.Gaussian(paramter="x")),
    case(r"Gaussian\.variance: expected one of fixed, range, learned", lambda: noise.Gaussian(variance="lerned")),
    case(r"Gaussian\.eta: expected a number in \[0, 1\]; got 2", lambda: noise.Gaussian(eta=2.0)),
    case(r"Simple\.parameter: expected one of", lambda: loss.Simple("epsilonn")),
    case(r"Uniform\.k: expected at least 2", lambda: noise.Uniform(1)),
    case(r"Absorbing\.m: expected an id in", lambda: noise.Absorbing(4, m=4)),
    case(r"Mixed\.pi: expected a sum of 1", lambda: noise.Mixed(torch.ones(3))),
    case(r"Structured\.matrix: expected rows that sum to 1", lambda: noise.Structured(torch.ones(3, 3))),
    case(r"ClassifierFree\.dropout: expected 0 to 1; got 3", lambda: guidance.ClassifierFree(3.0, 1.0)),
    case(r"DDIM\.eta", lambda: sampler.DDIM(1.5)),
    case(r"AdamW\.rate: expected a positive number", lambda: train.AdamW(rate=0.0)),
    case(r"losses add to losses, not to numbers", lambda: 3 + loss.Simple()),
    case(r"can't be divided by zero", lambda: loss.Simple() / 0),
    # schedules
    case(r"Rising is not monotone: alpha-bar rises from .* at t = 2", lambda: model(schedule=Rising(3))),
    case(r"Neither: a schedule implements `compute\(\)`.*or `scales\(u\)`", lambda: model(schedule=Neither(3))),
    case(r"Constant\.value", lambda: model(schedule=schedule.Constant(5, 1.5))),
    case(r"Linear\.steps: expected an integer >= 1, got 0", lambda: model(schedule=schedule.Linear(0))),
    case(r"Karras\.low, Karras\.high: expected 0 < low < high", lambda: model(schedule=schedule.Karras(5, 3.0, 1.0))),
    case(r"alpha-bar is nan at t = 1", lambda: model(schedule=schedule.Table(2, torch.tensor([1.0, torch.nan, 0.5])))),
    case(r"expected alpha for t = 0\.\.5, shape \[6\]; got \[3\]", lambda: model(schedule=schedule.Table(5, torch.ones(3)))),
    case(r"parameter='epsilon'.*signal is 0 at t = T.*'v'",
         lambda: model(schedule=schedule.ZeroTerminal(schedule.Linear(9)))),
    case(r"path='ve' can't follow.*Use path='vp'",
         lambda: model(schedule=schedule.Flow(9), noise=noise.Gaussian("x", path="ve"), loss=loss.Simple())),
    # data
    case(r"Identity\.w is empty", lambda: model(data=data.Identity(X[:0]), guidance=None)),
    case(r"Identity\.w: 1 of 9 items hold NaN or infinity, the first is item 8",
         lambda: model(data=data.Identity(NAN), guidance=None)),
    case(r"8 items w but 5 conditions y", lambda: model(data=data.Identity(X, Y[:5]))),
    case(r"labels must be 0 \(null\) to 3 .*span 1 to 9.*Class ids start at 1",
         lambda: model(data=data.Identity(X, torch.tensor([1, 2, 3, 1, 1, 2, 2, 9])))),
    case(r"Identity\.batch: expected at least 1", lambda: model(data=data.Identity(X, Y, batch=0))),
    case(r"no folder '/no/such/place'", lambda: data.Images("/no/such/place")),
    case(r"Images\.w: expected \[n, h, w\]", lambda: data.Images(torch.zeros(2, 3))),
    case(r"Latent\.autoencoder: expected an nn\.Module", lambda: data.Latent(X, autoencoder=3)),
    case(r"shape of a sample is unknown", lambda: model(data=data.Identity(None), guidance=None)),
    # modules in the wrong place
    case(r"Model\.schedule: expected a Schedule, got Linear \(a class: call it\)",
         lambda: model(schedule=schedule.Linear)),
    case(r"Model\.net: expected a Net, got Linear\(", lambda: model(net=torch.nn.Linear(2, 2))),
    case(r"Model\.ema: expected a decay in \(0, 1\)", lambda: model(ema=2.0)),
    case(r"draws continuous times.*Use time=Discrete\(\)",
         lambda: model(noise=_tutorial(), time=times.Continuous())),
    case(r"bins", lambda: [*model(time=times.Importance(bins=500)).train(1)]),
    case(r"Importance.*number for each sample.*Lambda",
         lambda: model(time=times.Importance(bins=5), loss=loss.Lambda(lambda b: b.hat.mean()))),
    # sampling
    case(r"class ids must be 0 \(null\) to 3; got 7", lambda: model().sample(y=[7])),
    case(r"no class 'cat'; the model has no class names", lambda: model().sample(y=["cat"])),
    case(r"batch=3, but y has 2 conditions", lambda: model().sample(y=[1, 2], batch=3)),
    case(r"a number of at least 1", lambda: model().sample(batch=2, steps=0)),
    case(r"200 is more than the schedule's 100 steps", lambda: model().sample(batch=2, steps=200)),
    case(r"times must fall strictly", lambda: model().sample(batch=2, steps=[10, 50, 0])),
    case(r"no option 'sead'.*Did you mean 'seed'", lambda: model().sample(batch=2, sead=1)),
    case(r"needs noise\.Joint", lambda: model().sample(given={"a": X})),
    case(r"known needs mask", lambda: model().sample(known=X)),
    case(r"mask says where known= items are kept; there are none",
         lambda: model().sample(batch=2, mask=torch.ones(2) > 0)),
    case(r"sample\.known: expected states of shape \(2, 2\), got \(2, 5\)",
         lambda: model().sample(batch=2, known=torch.zeros(2, 5), mask=torch.ones(2) > 0)),
    case(r"given=\{name: items\}", lambda: model().sample(known={"a": X}, mask=torch.ones(2) > 0)),
    case(r"seed: expected a whole number.*got 1\.5", lambda: model().sample(batch=2, seed=1.5)),
    case(r"seed: expected a whole number.*got 'a'", lambda: model().sample(batch=2, seed="a")),
    case(r"seed: 3 seeds for 2 samples", lambda: model().sample(batch=2, seed=[1, 2, 3])),
    case(r"guidance and net.*needs conditions",
         lambda: model(guidance=None, net=net.MLP(2), data=data.Identity(X)).sample(
             batch=2, guidance=guidance.ClassifierFree())),
    case(r"mask: expected booleans", lambda: model().sample(known=X, mask=torch.ones(8, 2))),
    case(r"nll\.unit: expected 'bits/dim' or 'nats'", lambda: model().nll(X, Y, unit="bit")),
    case(r"no module is called 'shedule'.*Did you mean 'schedule'", lambda: model().replace(shedule=3)),
    case(r"no argument 'etta'.*Did you mean 'eta'", lambda: noise.Gaussian().vary(etta=0.1)),
]  # fmt: skip


def _tutorial() -> diffusion.base.Noise:
    from .tutorial import Gaussian

    return Gaussian()


@pytest.mark.parametrize(("build", "words"), CASES)
def test_bad_input_is_explained(build: object, words: str) -> None:
    with pytest.raises((DiffusionError, TypeError), match=words):
        build()  # type: ignore[operator]


def test_nan_from_a_data_set_is_found_in_training(tmp_path: Path) -> None:
    mapped = np.memmap(tmp_path / "x.bin", dtype=np.float32, mode="w+", shape=(9, 2))
    mapped[:] = NAN.numpy()
    one = model(data=data.Identity(mapped, torch.ones(9).long(), batch=3))
    with pytest.raises(DiffusionError, match=r"Identity\.w.*NaN.*item 8"):
        [*one.train(1)]


def test_a_broken_picture_is_named(tmp_path: Path) -> None:
    for i in range(3):
        Image.new("L", (8, 8), i).save(tmp_path / f"{i}.png")
    (tmp_path / "1.png").write_bytes(b"\x89PNG broken")
    pictures = data.Images(str(tmp_path), batch=3)
    with pytest.raises(DiffusionError, match=r"1\.png: not a readable picture.*Remove or replace"):
        [pictures.w[i] for i in range(3)]


def test_a_place_that_cannot_be_written_is_named() -> None:
    with pytest.raises(DiffusionError, match=r"/dev/null/x: could not be written.*bytes needed"):
        model(net=Labelled()).save("/dev/null/x")

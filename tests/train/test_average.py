"""The moving average of the weights is the sum it is documented to be."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import diffusion
from diffusion import data, loss, noise, schedule, train
from diffusion.folder import tensors
from diffusion.net import MLP
from diffusion.train import checkpoint
from diffusion.train.average import Average


def weights(decay: float, steps: int) -> tuple[Average, list[torch.Tensor]]:
    """An average after some steps of a random walk, and the walk."""
    torch.manual_seed(0)
    parts, walk = nn.Linear(3, 2, dtype=torch.float64), []
    average = Average(parts, decay)
    for step in range(steps):
        with torch.no_grad():
            parts.weight += torch.randn(2, 3, dtype=torch.float64)
        walk.append(parts.weight.detach().clone())
        average.update(parts, step)
    return average, walk


def test_every_step_is_taken_in_where_the_horizon_is_short() -> None:
    average, walk = weights(0.9, 50)
    expected = walk[0]
    for n, now in enumerate(walk):
        decay = min(0.9, (1 + n) / (10 + n)) if n else 0.0
        expected = decay * expected + (1 - decay) * now
    torch.testing.assert_close(average.module.weight, expected)


@pytest.mark.parametrize(("decay", "every"), [(0.9, 1), (0.99, 1), (0.995, 2), (0.999, 10)])
def test_steps_are_a_hundredth_of_the_horizon_apart(decay: float, every: int) -> None:
    assert weights(decay, 0)[0].every == every


def test_a_long_horizon_decays_as_fast_in_strides() -> None:
    """Weights that stop moving are forgotten at the same rate, in strides or step by step."""
    average, walk = weights(0.999, 20_000)
    before, last = average.module.weight.clone(), walk[-1]
    still = nn.Linear(3, 2, dtype=torch.float64)
    still.weight.data = last
    for step in range(20_000, 21_000):
        average.update(still, step)
    torch.testing.assert_close(average.module.weight - last, 0.999**1000 * (before - last))


def test_an_average_in_strides_is_near_the_one_of_every_step() -> None:
    """Their difference is a hundredth of what separates either from the last weights."""
    average, walk = weights(0.999, 20_000)
    decays = torch.tensor([min(0.999, (1 + n) / (10 + n)) for n in range(len(walk))]).double()
    later = torch.cat([decays[1:].flip(0).cumprod(0).flip(0), torch.ones(1)])
    full = torch.einsum("n,nij->ij", later * (1 - decays), torch.stack(walk))
    distance = (full - walk[-1]).norm()
    assert (average.module.weight - full).norm() < 0.02 * distance


def test_sampling_uses_the_weights_themselves_until_there_is_an_average() -> None:
    model = diffusion.Model(
        data=data.Identity(torch.randn(8, 2), batch=8), schedule=schedule.Flow(10),
        noise=noise.Gaussian("velocity"), net=MLP(2), loss=loss.Simple(), ema=0.999,
    )  # fmt: skip
    plain = model.replace(ema=None)
    [*model.train(9)]
    assert diffusion.sampling.weights(model)[0] is model.net
    assert torch.equal(model.sample(batch=3, seed=0), plain.sample(batch=3, seed=0))
    [*model.train(1)]
    assert diffusion.sampling.weights(model)[0] is not model.net


@pytest.mark.parametrize("ema", [0.9, train.Profile((0.05, 0.1), every=1)])
def test_frozen_weights_are_shared_in_memory_and_left_out_of_files(
    tmp_path: Path, ema: Any
) -> None:
    torch.manual_seed(0)
    model = diffusion.Model(
        data=data.Identity(torch.randn(16, 2), batch=8), schedule=schedule.Flow(10),
        noise=noise.Gaussian("velocity"), net=MLP(2), loss=loss.Simple(),
    )  # fmt: skip
    frozen = next(name for name, p in model.parts.named_parameters() if p.dim() == 2)
    model.parts.get_parameter(frozen).requires_grad_(False)
    model = model.replace(ema=ema)
    for _ in model.train(2, folder=tmp_path / "run"):
        pass
    kept = model.average.module.get_parameter(frozen)
    assert kept is model.parts.get_parameter(frozen)
    model.save(tmp_path / "model")
    names = tensors.header(tmp_path / "model" / "average.safetensors")
    assert f"module.{frozen}" not in names
    assert any(name.startswith("module.") for name in names)
    same = diffusion.Model.load(tmp_path / "model")
    assert torch.equal(same.sample(batch=4, seed=1), model.sample(batch=4, seed=1))
    again = model.replace(ema=ema)
    assert checkpoint.resume(again, tmp_path / "run")
    assert torch.equal(again.sample(batch=4, seed=1), model.sample(batch=4, seed=1))


def trained_model(**options: Any) -> diffusion.Model[Any]:
    torch.manual_seed(0)
    model = diffusion.Model(
        data.Identity(torch.randn(16, 2), batch=8), schedule.Flow(10), noise.Gaussian("velocity"),
        MLP(2), loss.Simple(), **options,
    )  # fmt: skip
    [*model.train(2)]
    return model


@pytest.mark.parametrize("ema", [0.9, train.Profile((0.05, 0.1), every=1)])
def test_freezing_after_training_leaves_weights_and_averages_as_they_are(
    tmp_path: Path, ema: Any
) -> None:
    model = trained_model(ema=ema)
    before = {k: v.clone() for k, v in model.net.state_dict().items()}
    samples = model.sample(batch=4, seed=1)
    model.net.requires_grad_(False)
    model.save(tmp_path / "model")
    loaded = diffusion.Model.load(tmp_path / "model")
    for other in (loaded, model.replace(seed=1)):
        assert torch.equal(other.sample(batch=4, seed=1), samples)
        assert all(torch.equal(v, before[k]) for k, v in other.net.state_dict().items())


def test_another_autoencoder_is_not_written_over() -> None:
    class Scaled(nn.Module):
        def __init__(self, by: float) -> None:
            super().__init__()
            self.by = nn.Parameter(torch.tensor(by))

        def encode(self, x: torch.Tensor) -> torch.Tensor:
            return x * self.by

        def decode(self, x: torch.Tensor) -> torch.Tensor:
            return x / self.by

    first, second = Scaled(2.0), Scaled(5.0)
    latents = data.Latent(torch.randn(16, 2), None, 8, autoencoder=first, scale=1.0)
    model = trained_model(ema=0.9).replace(data=latents)
    [*model.train(2)]
    other = model.replace(data=data.Latent(autoencoder=second, scale=1.0))
    assert (float(first.by), float(second.by)) == (2.0, 5.0)
    ratio = model.sample(batch=4, seed=1) / other.sample(batch=4, seed=1)
    torch.testing.assert_close(ratio, torch.full_like(ratio, 2.5))

"""A LoRA that is trained, while all else stays, and its file."""

import copy

import pytest
import torch

import diffusion
from diffusion import data, hub, loss, noise, sampler, schedule, train
from diffusion.errors import InputError, MismatchError
from diffusion.hub.lora import apply, read, refuse, save, trainable
from diffusion.hub.lora.names import inner, layers

from ..test_load import gap, last
from . import files

TARGETS = ("to_q", "to_v", "conv1")


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    table = schedule.Linear(100, 0.9999, 0.98)
    network = hub.net.UNet2DModel(
        sample_size=8, in_channels=1, out_channels=1, block_out_channels=(8, 16),
        layers_per_block=1, norm_num_groups=4, down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
    )  # fmt: skip
    pictures = torch.randint(0, 256, (32, 1, 8, 8), dtype=torch.uint8)
    return diffusion.Model(
        data.Images(pictures, batch=16), table, noise.Gaussian("epsilon"),
        hub.Denoiser(network, table), loss.Simple(), sampler=sampler.DDIM(),
        optimizer=train.AdamW(1e-2), ema=0.5,
    )  # fmt: skip


def z():
    return torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(1))


def test_only_the_factors_learn_and_the_file_is_the_same_model(model, tmp_path):
    bits = files.state(model.net)
    before = last(model, z())
    made = trainable(model, 3, TARGETS, alpha=6, seed=1)
    assert torch.equal(last(made, z()), before)  # B is zero
    assert {tuple(p.shape)[:1] for p in made.trainable()} <= {(3,), (8,), (16,), (32,)}
    losses = list(made.train(2))
    assert all(x == x for x in losses)
    assert files.gap(model.net, bits) == 0
    shared = {k: v for k, v in made.net.state_dict().items() if ".lora." not in k}
    assert shared.keys() == bits.keys()
    assert all(torch.equal(v, bits[k]) for k, v in shared.items())
    after = last(made, z())
    assert gap(after, before) > 1e-3
    again = apply(model, save(made, tmp_path / "folder"))
    assert (tmp_path / "folder" / "pytorch_lora_weights.safetensors").is_file()
    assert gap(last(again, z()), after) < 1e-5
    refuse(again.net, "save")
    with pytest.raises(MismatchError, match="has a LoRA beside it"):
        refuse(made.net, "save")


def test_a_seed_says_where_it_starts(model):
    one, two, other = (trainable(model, seed=seed).net.state_dict() for seed in (1, 1, 2))
    downs = [key for key in one if key.endswith("down")]
    assert downs
    assert all(torch.equal(one[key], two[key]) for key in downs)
    assert not any(torch.equal(one[key], other[key]) for key in downs)
    for key in downs:
        bound = one[key][0].numel() ** -0.5
        assert 0.5 * bound < one[key].abs().max() <= bound


def test_training_goes_on_from_a_checkpoint(model, tmp_path):
    def run(folder, *epochs):
        made = trainable(model, 2, TARGETS)
        for count in epochs:
            [*made.train(count, folder=tmp_path / folder)]
        return made.net.state_dict()

    whole, parts = run("a", 2), run("b", 1, 2)
    assert all(torch.equal(v, parts[k]) for k, v in whole.items())


def test_factors_of_half_weights_are_float32(model, tmp_path):
    """They may learn what bfloat16 can't hold, and the network stays in its precision."""
    half = model.replace(ema=None, net=copy.deepcopy(model.net).to(torch.bfloat16))
    made = trainable(half, 2, ("to_q", "conv1"))
    assert all(p.dtype == torch.float32 for p in made.trainable())
    x = torch.randn(2, 1, 8, 8, dtype=torch.bfloat16)
    said = made.net(x, None, torch.tensor([3, 9]))
    assert said.dtype == torch.bfloat16
    said.float().square().mean().backward()
    assert any(p.grad.abs().sum() > 0 for p in made.trainable())
    names = [one for one in layers(inner(model.net)) if one.endswith(("to_q", "conv1"))]
    assert [*read(save(made, tmp_path)).parts["denoiser"]] == sorted(names)


def test_what_is_refused(model, tmp_path):
    with pytest.raises(InputError, match="no layer of UNet2DModel ends in 'to_x'; there are"):
        trainable(model, targets=("to_q", "to_x"))
    with pytest.raises(InputError, match="a whole number > 0; got 0"):
        trainable(model, 0)
    with pytest.raises(InputError, match="the model trains no LoRA"):
        save(model, tmp_path)

"""Tiles and slices: the numbers of the whole, in less memory."""

import math
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from diffusion.errors import InputError
from diffusion.hub.autoencoder.causal import FrameAttention
from diffusion.hub.autoencoder.kl import AutoencoderKL
from diffusion.hub.autoencoder.sliced import Sliced
from diffusion.hub.autoencoder.tiled import Axis, Tiled
from diffusion.hub.autoencoder.tiny import AutoencoderTiny
from diffusion.hub.autoencoder.wan import AutoencoderKLWan

from .cases.autoencoder import LEVELS, TINY

LOCAL: dict[str, Any] = {**TINY, "num_encoder_blocks": (0, 1, 1), "num_decoder_blocks": (1, 1, 0)}
REACH = 7
"""Latents that it looks beyond a latent: 1 + 1 + 6 + 2 + 12 + 4 = 26 pixels in the encoder,
1 + 3 + (1 + 3)/2 + (1 + 1)/4 latents in the decoder. No norm sees further."""


class Remembered(nn.Module):
    """A group norm that scales and shifts every pixel as in the last picture it saw whole."""

    def __init__(self, norm: nn.GroupNorm) -> None:
        super().__init__()
        self.norm, self.whole = norm, True
        self.found: tuple[Tensor, Tensor] = (torch.zeros(()), torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        groups = x.unflatten(1, (self.norm.num_groups, -1))  # [b, groups, c/groups, h, w]
        if self.whole:
            axes = tuple(range(2, groups.dim()))
            variance, mean = torch.var_mean(groups, axes, correction=0, keepdim=True)
            self.found = mean, (variance + self.norm.eps).rsqrt()
        y = ((groups - self.found[0]) * self.found[1]).flatten(1, 2)
        sides = [1] * (x.dim() - 2)
        return y * self.norm.weight.view(-1, *sides) + self.norm.bias.view(-1, *sides)


def convolutional() -> AutoencoderKL:
    """Without attention: 1 + 4 + 4 + (1 + 4 + 1)/2 = 12 latents around each, but for its norms."""
    torch.manual_seed(0)
    return AutoencoderKL(**LEVELS, mid_block_add_attention=False).eval()


@pytest.mark.parametrize(("tile", "overlap"), [(64, 16), (7, 3), (5, 0), (4, 3), (9, 1)])
def test_tiles_cover_a_side_and_weigh_one(tile, overlap):
    for length in range(1, 4 * tile):
        axis = Axis(length, tile, overlap)
        spans = axis.spans()
        assert spans[0].start == 0
        assert spans[-1].stop == length
        assert len({span.stop - span.start for span in spans}) == 1
        assert spans[0].stop <= tile
        assert len(spans) == max(math.ceil((length - overlap) / (tile - overlap)), 1)
        assert all(a.stop - b.start >= overlap for a, b in pairwise(spans))
        weights = axis.weights(2, torch.device("cpu"), torch.float64)
        torch.testing.assert_close(weights.sum(0), torch.ones(2 * length, dtype=torch.float64))
        for weight, span in zip(weights, spans, strict=True):
            outside = torch.ones(2 * length, dtype=torch.bool)
            outside[2 * span.start : 2 * span.stop] = False
            assert not weight[outside].any()


def test_local_networks_are_exact_in_tiles():
    torch.manual_seed(0)
    tiny = AutoencoderTiny(**LOCAL).double().eval()
    tiled = Tiled(tiny, tile=4 * REACH + 4, overlap=4 * REACH)
    x = torch.randn(2, 3, 200, 144, dtype=torch.float64)
    with torch.no_grad():
        z = tiny.encode(x)
        torch.testing.assert_close(tiled.encode(x), z, rtol=0, atol=1e-12)
        torch.testing.assert_close(tiled.decode(z), tiny.decode(z), rtol=0, atol=1e-12)
        narrow = Tiled(tiny, tile=4 * REACH + 4, overlap=4).decode(z)
    assert (narrow - tiny.decode(z)).abs().max() > 1e-6


def test_group_norms_are_all_that_tiles_of_a_convolutional_autoencoder_change():
    kl = convolutional().double()
    for module in [*kl.modules()]:
        for name, norm in module.named_children():
            if isinstance(norm, nn.GroupNorm):
                setattr(module, name, Remembered(norm))
    tiled = Tiled(kl, tile=60, overlap=56)
    x = torch.randn(1, 3, 136, 128, dtype=torch.float64)
    with torch.no_grad():
        mean, log_variance = kl.moments(x)
        whole = kl.decode(mean)
        for module in kl.modules():
            if isinstance(module, Remembered):
                module.whole = False
        torch.testing.assert_close(tiled.moments(x), (mean, log_variance), rtol=0, atol=1e-11)
        torch.testing.assert_close(tiled.decode(mean), whole, rtol=0, atol=1e-11)


def largest(network: nn.Module, decode: Any, z: Tensor) -> int:
    """The most numbers that a layer of `network` returns while `decode` runs."""
    found: list[int] = []
    hooks = [
        module.register_forward_hook(lambda _module, _inputs, out: found.append(out.numel()))
        for module in network.modules()
    ]
    with torch.no_grad():
        decode(z)
    for hook in hooks:
        hook.remove()
    return max(found)


def test_the_largest_activation_shrinks_with_the_tile():
    kl, z = AutoencoderKL(**LEVELS).eval(), torch.randn(1, 4, 64, 64)
    whole = largest(kl, kl.decode, z)
    assert largest(kl, Tiled(kl, tile=16, overlap=4).decode, z) <= whole * (16 / 64) ** 2


def test_activations_do_not_grow_with_the_length_of_a_video():
    wan = AutoencoderKLWan(base_dim=4, z_dim=2, num_res_blocks=1).eval()
    z, x = torch.randn(1, 2, 5, 4, 4), torch.randn(1, 3, 17, 32, 32)
    short = largest(wan.decoder, wan.decode, z[:, :, :2])
    assert largest(wan.decoder, wan.decode, z) == short
    short = largest(wan.encoder, wan.encode, x[:, :, :5])
    assert largest(wan.encoder, wan.encode, x) == short


def test_tiles_are_used_as_soon_as_a_picture_is_larger():
    kl, calls = AutoencoderKL(**LEVELS), []
    kl.decoder.register_forward_hook(lambda _module, inputs, _output: calls.append(inputs[0].shape))
    tiled = Tiled(kl, tile=8, overlap=2)
    with torch.no_grad():
        tiled.decode(torch.zeros(1, 4, 8, 8))
        assert len(calls) == 1
        tiled.decode(torch.zeros(1, 4, 8, 9))
    assert [tuple(shape[2:]) for shape in calls[1:]] == [(8, 6), (8, 6)]


def test_tiles_of_videos():
    torch.manual_seed(0)
    wan = AutoencoderKLWan(base_dim=4, z_dim=2, num_res_blocks=1).eval()
    for module in wan.modules():
        if isinstance(module, FrameAttention):
            nn.init.zeros_(module.proj.weight)  # attention sees all of a tile; the rest is local
    z = torch.randn(1, 2, 2, 3, 64)
    with torch.no_grad():
        tiled = Tiled(wan, tile=60, overlap=56)
        torch.testing.assert_close(tiled.decode(z), wan.decode(z), rtol=0, atol=1e-5)
        video = torch.randn(1, 3, 5, 16, 80)
        assert Tiled(wan, 8, 2).encode(video).shape == wan.encode(video).shape


def test_slices_and_tiles_draw_once_for_the_whole_batch():
    torch.manual_seed(0)
    kl = AutoencoderKL(**LEVELS).double().eval()
    x = torch.randn(3, 3, 16, 24, dtype=torch.float64)
    drawn = []
    for one in (kl, Sliced(kl), Sliced(Tiled(kl, 100, 4), size=2)):
        drawn.append(one.encode(x, sample=True, generator=torch.Generator().manual_seed(1)))
    for other in drawn[1:]:
        torch.testing.assert_close(other, drawn[0], rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", [1, 2, 5])
def test_slices_are_exact(size):
    """But for the last bits: convolutions are summed in another order for another batch."""
    kl = AutoencoderKL(**LEVELS).double().eval()
    x = torch.randn(3, 3, 16, 24, dtype=torch.float64)
    with torch.no_grad():
        sliced, z = Sliced(kl, size), kl.encode(x)
        torch.testing.assert_close(sliced.encode(x), z, rtol=0, atol=1e-12)
        torch.testing.assert_close(sliced.decode(z), kl.decode(z), rtol=0, atol=1e-12)
        torch.testing.assert_close(sliced(x), kl(x), rtol=0, atol=1e-12)


def test_what_does_not_fit():
    kl = AutoencoderKL(**LEVELS)
    with pytest.raises(InputError, match=r"Tiled.overlap: expected 0 to 7, below the tile; got 8"):
        Tiled(kl, 8, 8)
    with pytest.raises(InputError, match=r"Sliced.size: expected an integer of at least 1; got 0"):
        Sliced(kl, 0)
    with pytest.raises(InputError, match=r"multiples of 2 pixels.* Crop or pad it"):
        Tiled(kl).encode(torch.zeros(1, 3, 33, 32))
    triple = AutoencoderTiny(**TINY, upsampling_scaling_factor=3)
    with pytest.raises(InputError, match=r"tiles of 32×32 from AutoencoderTiny; got \(72, 72\)"):
        Tiled(triple).decode(torch.zeros(1, 4, 8, 8))
    with pytest.raises(InputError, match=r"Tiled.moments: expected a variational autoencoder"):
        Tiled(AutoencoderTiny(**TINY)).moments(torch.zeros(1, 3, 32, 32))

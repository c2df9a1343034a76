"""Autoencoders of pictures and videos beside those of Diffusers, and what else they promise."""

from typing import Any

import pytest
import torch

from diffusion.errors import FileError, InputError
from diffusion.hub.autoencoder.kl import AutoencoderKL
from diffusion.hub.autoencoder.tiny import AutoencoderTiny
from diffusion.hub.autoencoder.vq import VQModel
from diffusion.hub.autoencoder.wan import AutoencoderKLWan

from .cases import autoencoder, autoencoder_wan
from .parity import FP32, gaps, pair, shapes

REAL = {**autoencoder.REAL, **autoencoder_wan.REAL}
COUNTS = {"stable-diffusion-v1-5": 83_653_863, "FLUX.1-dev": 83_819_683}
"""Parameters, as published."""
VIDEO: dict[str, Any] = {"base_dim": 4, "z_dim": 2, "num_res_blocks": 1}


@pytest.mark.parametrize("case", autoencoder.CASES, ids=str)
def test_the_same_output(case):
    found = gaps(case)
    assert found.fp32 <= FP32
    assert found.ours_bf16 <= 1.5 * found.theirs_bf16 + 1e-3


@pytest.mark.parametrize("case", autoencoder.EXACT, ids=str)
def test_the_same_output_where_diffusers_fails_in_bfloat16(case):
    assert gaps(case, half=False).fp32 <= FP32


@pytest.mark.parametrize("case", autoencoder_wan.CASES, ids=str)
def test_videos_in_pieces_give_the_very_numbers_of_diffusers(case):
    found = gaps(case, half="odd" in case.name or "5" in case.name)
    assert found.fp32 <= 1e-6
    assert found.ours_bf16 <= 1.5 * found.theirs_bf16 + 1e-3


@pytest.mark.parametrize("name", REAL)
def test_the_keys_and_shapes_of_real_networks(name):
    shapes(*REAL[name])


@pytest.mark.parametrize("name", COUNTS)
def test_the_size_of_real_networks(name):
    cls, config = REAL[name]
    with torch.device("meta"):
        network = cls.build(config)
    assert sum(parameter.numel() for parameter in network.parameters()) == COUNTS[name]


@pytest.mark.parametrize("case", [autoencoder.KL[1], autoencoder_wan.CASES[0]], ids=str)
def test_draws_are_those_of_diffusers(case):
    ours, theirs = pair(case)
    x = case.inputs()["x"]
    with torch.no_grad():
        known = theirs.encode(x).latent_dist.sample(torch.Generator().manual_seed(3))
        drawn = ours.encode(x, sample=True, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(drawn, known, rtol=0, atol=FP32 * float(known.abs().max()))


def test_draws_have_the_law_that_the_moments_say():
    torch.manual_seed(0)
    kl = AutoencoderKL(block_out_channels=(4,), norm_num_groups=2, latent_channels=2)
    x = torch.randn(1, 3, 4, 4).expand(4000, -1, -1, -1)
    with torch.no_grad():
        mean, log_variance = (found[0] for found in kl.moments(x[:1]))
        z = kl.encode(x, sample=True, generator=torch.Generator().manual_seed(1))
    deviation = (0.5 * log_variance).exp()
    assert ((z.mean(0) - mean).abs() < 5 * deviation / 4000**0.5).all()
    torch.testing.assert_close(z.std(0), deviation, rtol=0.07, atol=0)


def test_a_video_can_be_cut_anywhere_into_latent_frames():
    """Frames do not depend on later ones: the start of a video has the start of its code."""
    torch.manual_seed(0)
    wan = AutoencoderKLWan(**VIDEO).eval()
    x, z = torch.randn(1, 3, 9, 16, 16), torch.randn(1, 2, 3, 2, 2)
    with torch.no_grad():
        code, video = wan.encode(x), wan.decode(z)
        assert code.shape == (1, 2, 3, 2, 2)
        assert video.shape == (1, 3, 9, 16, 16)
        for latents, frames in ((1, 1), (2, 5)):
            start = wan.encode(x[:, :, :frames]), wan.decode(z[:, :, :latents])
            torch.testing.assert_close(start[0], code[:, :, :latents], rtol=0, atol=1e-6)
            torch.testing.assert_close(start[1], video[:, :, :frames], rtol=0, atol=1e-6)


@pytest.mark.parametrize("case", autoencoder_wan.CASES[2:6:3], ids=str)
def test_most_pixels_of_the_video_cases_are_not_clipped(case):
    """Clipping could hide a difference."""
    ours, _ = pair(case)
    with torch.no_grad():
        assert (ours.decode(case.inputs()["z"]).abs() < 1).float().mean() > 0.7


@pytest.mark.parametrize(
    ("made", "size"),
    [
        (lambda: AutoencoderKL(**autoencoder.LEVELS), (3, 16, 16)),
        (lambda: AutoencoderTiny(**autoencoder.TINY), (3, 16, 16)),
        (lambda: VQModel.build(autoencoder.BOOK), (3, 16, 16)),
        (lambda: AutoencoderKLWan(**VIDEO), (3, 5, 8, 8)),
    ],
    ids=["kl", "tiny", "vq", "wan"],
)
def test_reconstructions_train_every_weight(made, size):
    torch.manual_seed(0)
    network = made()
    x = torch.randn(2, *size)
    loss = network(x).square().mean()
    if isinstance(network, VQModel):
        loss = loss + network.commitment(network.encode(x))
    loss.backward()
    unused = [k for k, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert not unused


def test_pictures_and_videos_compile_to_one_graph():
    torch.manual_seed(0)
    kl = AutoencoderKL(**autoencoder.LEVELS)
    wan = AutoencoderKLWan(**VIDEO, dim_mult=(1, 2), temperal_downsample=(True,))
    for decode, size in ((kl.decode, (4, 8, 8)), (wan.decode, (2, 2, 4, 4))):
        z = torch.randn(1, *size)
        with torch.no_grad():
            compiled = torch.compile(decode, backend="eager", fullgraph=True)
            torch.testing.assert_close(compiled(z), decode(z))


def test_a_codebook_finds_its_own_vectors():
    torch.manual_seed(0)
    network = VQModel(vq_embed_dim=4, num_vq_embeddings=7)
    index = torch.randint(7, (2, 3, 5))
    vectors = network.quantize.vectors(index)
    assert torch.equal(network.quantize.nearest(vectors), index)
    assert torch.equal(network.decode(index), network.decode(vectors, quantize=False))
    torch.testing.assert_close(network.decode(index), network.decode(vectors))
    assert network.commitment(vectors) == 0


def test_bytes_keep_latents_within_half_a_step():
    tiny = AutoencoderTiny(**autoencoder.TINY)
    z = torch.linspace(-3, 3, 4 * 64).view(1, 4, 8, 8)
    assert tiny.store(z).dtype == torch.uint8
    assert (tiny.restore(tiny.store(z)) - z).abs().max() <= 0.5 * 6 / 255 + 1e-6


def test_settings_that_diffusers_writes_but_does_not_read():
    tiny = {"_class_name": "AutoencoderTiny", "block_out_channels": [64] * 4, "act_fn": "relu"}
    assert AutoencoderTiny.build(tiny).config()["block_out_channels"] == (64,) * 4
    AutoencoderKLWan.build({**VIDEO, "attn_scales": [], "clip_output": False})


@pytest.mark.parametrize(
    ("cls", "config", "message"),
    [
        (AutoencoderKL, {"latent_chanels": 4}, "Did you mean 'latent_channels'"),
        (AutoencoderKL, {"block_out_channels": 8}, "block_out_channels.*got 8"),
        (AutoencoderKL, {"down_block_types": ["DownBlock2D"]}, "DownBlock2D.*Did you mean"),
        (AutoencoderKL, {"up_block_types": []}, "up_block_types: expected 1 blocks"),
        (AutoencoderKL, {"block_out_channels": [40]}, "norm_num_groups = 32 divides"),
        (AutoencoderKL, {"act_fn": "tanh"}, "activation: expected one of"),
        (VQModel, {"norm_type": "spatial"}, "norm_type = 'group' only; got 'spatial'"),
        (AutoencoderTiny, {"num_encoder_blocks": [1, 2]}, "each of the 2 stages"),
        (AutoencoderTiny, {"decoder_block_out_channels": [64, 64, 32, 64]}, "all equal"),
        (AutoencoderTiny, {"upsample_fn": "nearst"}, "Did you mean 'nearest'"),
        (AutoencoderKLWan, {"attn_scales": [0.5]}, r"attn_scales = \(\) only"),
        (AutoencoderKLWan, {"temperal_downsample": [True]}, "temperal_downsample: expected 3"),
        (AutoencoderKLWan, {"temporal_downsample": [True]}, "Did you mean 'temperal_downsample'"),
        (AutoencoderKLWan, {"is_residual": True, "dim_mult": [1, 3, 4, 8]}, "dim_mult: expected"),
    ],
)
def test_settings_that_are_wrong(cls, config, message):
    with pytest.raises((FileError, InputError), match=message):
        cls.build(config)


@pytest.mark.parametrize(
    ("method", "shape", "message"),
    [
        ("encode", (2, 4, 16, 16), r"AutoencoderKL.encode: expected floating x \[b, 3, "),
        ("encode", (3, 16, 16), r"got float32 \[3, 16, 16\]"),
        ("encode", (1, 3, 16, 1), "at least 2 pixels a side"),
        ("decode", (2, 3, 8, 8), r"AutoencoderKL.decode: expected floating z \[b, 4, "),
    ],
)
def test_pictures_that_do_not_fit(method, shape, message):
    kl = AutoencoderKL(**autoencoder.LEVELS)
    with pytest.raises(InputError, match=message):
        getattr(kl, method)(torch.zeros(shape))
    with pytest.raises(InputError, match=r"got uint8"):
        kl.encode(torch.zeros(1, 3, 8, 8, dtype=torch.uint8))


def test_inputs_of_others_that_do_not_fit():
    with pytest.raises(InputError, match=r"VQModel.decode: .* or indices \[b, height, width\]"):
        VQModel().decode(torch.zeros(1, 4, 8, 8))
    with pytest.raises(InputError, match=r"AutoencoderTiny.encode: expected floating x \[b, 3"):
        AutoencoderTiny().encode(torch.zeros(1, 1, 8, 8))
    with pytest.raises(InputError, match="expected a variational autoencoder"):
        AutoencoderTiny().moments(torch.zeros(1, 3, 8, 8))


@pytest.mark.parametrize(
    ("config", "shape", "message"),
    [
        ({}, (1, 3, 4, 8, 8), r"1 \+ 4·k frames"),
        ({}, (1, 3, 8, 8), r"x \[b, 3, 1 \+ 4·k frames, height, width\]"),
        ({}, (1, 3, 5, 8, 4), "at least 8 pixels a side"),
        ({"patch_size": 2, "in_channels": 12}, (1, 3, 1, 16, 17), "multiples of 2"),
        ({"is_residual": True}, (1, 3, 1, 16, 12), "multiples of 8"),
    ],
)
def test_videos_that_do_not_fit(config, shape, message):
    wan = AutoencoderKLWan(**VIDEO, **config)
    with pytest.raises(InputError, match=message):
        wan.encode(torch.zeros(shape))
    with pytest.raises(InputError, match=r"AutoencoderKLWan.decode: .*z \[b, 2, frames"):
        wan.decode(torch.zeros(1, 2, 0, 4, 4))

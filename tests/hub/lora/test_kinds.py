"""DoRA, kernels between the factors, and layers that are several here, in closed form."""

import pytest
import torch
from torch import nn

from diffusion.hub.lora import read
from diffusion.hub.lora.update import Update, fold

from ..parity import outputs
from . import files, nets

CLOSE = 2e-6
ATTENTION = [f"blocks.{i}.attn{j}.to_{a}" for i in (0, 1) for j in (1, 2) for a in "qkv"]


@pytest.fixture
def wan():
    return nets.build("wan")


@pytest.mark.parametrize("by_output", [True, False])
def test_dora(by_output, wan, tmp_path):
    """m·(W + s·B·A)/|...|, by output as peft has it, by input as LyCORIS may; its strength is of
    the whole change."""
    bits, case = files.state(wan), nets.CASES["wan"]
    of = files.factors(wan, ["blocks.0.ffn.net.2", "patch_embedding"])
    extra, want = {}, dict(bits)
    for path, (down, up) in of.items():
        weight = bits[f"{path}.weight"].double()
        change = (up.double() @ down.double().flatten(1)).reshape(weight.shape) * 4 / 3
        axis = 0 if by_output else 1
        rest = [a for a in range(weight.dim()) if a != axis]
        m = torch.rand(weight.shape[axis]) + 0.5
        shape = [weight.shape[a] if a == axis else 1 for a in range(weight.dim())]
        whole = weight + change
        dora = m.double().reshape(shape) * whole / whole.square().sum(rest, keepdim=True).sqrt()
        want[f"{path}.weight"] = weight + 0.6 * (dora - weight)
        name = files.kohya(path)[0].removesuffix("lora_down.weight")
        extra[f"{name}dora_scale"] = m.reshape(shape)
    path = files.write(tmp_path / "x.safetensors", of, files.kohya, 4, **extra)
    attached = read(path).attach(wan, 0.6)
    (beside,) = outputs(case, wan, torch.float32)
    attached.merge()
    assert files.gap(wan, want) < CLOSE
    (inside,) = outputs(case, wan, torch.float32)
    assert (inside - beside).abs().max() < 2e-5 * inside.abs().max()


def test_dora_is_of_the_weight_as_it_was(wan, tmp_path):
    """Whatever else was folded in meanwhile."""
    plain = files.write(tmp_path / "y.safetensors", files.factors(wan, ATTENTION, 2), files.peft)
    of = files.factors(wan, ATTENTION)
    sizes = {f"{path}.lora_magnitude_vector": torch.full((32,), 2.0) for path in ATTENTION}
    dora = read(files.write(tmp_path / "x.safetensors", of, files.peft, **sizes))
    read(plain).attach(wan).merge()
    attached = dora.attach(wan)
    (beside,) = outputs(nets.CASES["wan"], wan, torch.float32)
    attached.merge()
    (inside,) = outputs(nets.CASES["wan"], wan, torch.float32)
    assert (inside - beside).abs().max() < 2e-5 * inside.abs().max()


def test_a_kernel_between_the_factors(tmp_path):
    """LoCon by Tucker: up(mid(down(x))), three convolutions, is one."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(5, 7, 3, padding=1, bias=False))
    down, mid, up = torch.randn(2, 5, 1, 1), torch.randn(2, 2, 3, 3), torch.randn(7, 2, 1, 1)
    tensors = {"lora_unet_0.lora_mid.weight": mid}
    path = files.write(tmp_path / "x.safetensors", {"0": (down, up[:, :, 0, 0])}, files.kohya, 1,
                       **tensors)  # fmt: skip
    x = torch.randn(1, 5, 6, 6)
    three = nn.functional.conv2d(nn.functional.conv2d(x, down), mid, padding=1)
    want = network(x) + nn.functional.conv2d(three, up) / 2
    torch.testing.assert_close(read(path).attach(network).merge() and network(x), want)


FUSED = {
    "flux": (
        {"single_blocks_1_linear1": "single_transformer_blocks.1.attn.to_q single_transformer_"
         "blocks.1.attn.to_k single_transformer_blocks.1.attn.to_v single_transformer_blocks.1."
         "proj_mlp",
         "double_blocks_0_txt_attn_qkv": "transformer_blocks.0.attn.add_q_proj transformer_blocks."
         "0.attn.add_k_proj transformer_blocks.0.attn.add_v_proj"},
        {"final_layer_adaLN_modulation_1": "norm_out.linear"},
    ),
    "sd3": (
        {"joint_blocks_1_x_block_attn2_qkv": "transformer_blocks.1.attn2.to_q transformer_blocks.1."
         "attn2.to_k transformer_blocks.1.attn2.to_v"},
        {"joint_blocks_2_context_block_adaLN_modulation_1": "transformer_blocks.2.norm1_context."
         "linear"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FUSED)
def test_layers_that_are_several_here(name, tmp_path):
    """Fused projections by rows; the last modulation says shift, then scale, and ours the other."""
    network = nets.build(name)
    fused, swapped = FUSED[name]
    bits, generator = files.state(network), torch.Generator().manual_seed(0)
    of, own = {}, {}
    for theirs, ours in (fused | swapped).items():
        weights = [bits[f"{path}.weight"] for path in ours.split()]
        down = torch.randn(3, weights[0].shape[1], generator=generator)
        up = torch.randn(sum(map(len, weights)), 3, generator=generator)
        of[theirs] = down, up
        turned = up.roll(len(up) // 2, 0) if theirs in swapped else up
        cut = turned.split([*map(len, weights)])
        own |= {path: (down, rows) for path, rows in zip(ours.split(), cut, strict=True)}
    lora = read(files.write(tmp_path / "x.safetensors", of, files.kohya, 6))
    lora.attach(network).merge()
    assert files.gap(network, files.folded(bits, own, 2.0)) < CLOSE * 10


def test_a_row_of_zeros_is_no_division_by_zero():
    update = Update("a", torch.zeros(1, 3), torch.zeros(2, 1), 1.0, torch.ones(2, 1))
    assert fold(torch.zeros(2, 3), [(update, 1.0)]).isfinite().all()

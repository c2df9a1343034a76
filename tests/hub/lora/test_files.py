"""Alphas from metadata; files that are damaged, of another method, or of another network."""

import json

import pytest
import torch
from safetensors.torch import save_file

from diffusion.errors import FileError, InputError
from diffusion.hub.lora import read
from diffusion.hub.lora.names import layers

from ..text import tiny
from . import files, nets

PATHS = ["transformer_blocks.0.attn.to_q", "transformer_blocks.1.attn.to_q"]


@pytest.fixture(scope="module")
def sd3():
    return nets.build("sd3")


@pytest.fixture
def of(sd3):
    return files.factors(sd3, PATHS)


def diffusers(**said):
    return {"lora_adapter_metadata": json.dumps({f"transformer.{k}": v for k, v in said.items()})}


@pytest.mark.parametrize(
    ("said", "scales"),
    [
        ({"r": 3, "lora_alpha": 6}, [2, 2]),
        ({"lora_alpha": 6, "use_rslora": True}, [6 / 3**0.5] * 2),
        ({"lora_alpha": 6, "alpha_pattern": {"transformer_blocks.1.attn.to_q": 1.5}}, [2, 0.5]),
        ({"lora_alpha": 6, "alpha_pattern": {"^transformer_blocks\\.0\\.attn\\.to_q": 3}}, [1, 2]),
        ({"lora_alpha": 6, "alpha_pattern": {"to_q": 3}}, [1, 1]),
        ({"lora_alpha": 6, "alpha_pattern": {"^to_q": 3, "o_q": 3}}, [2, 2]),
        ({"r": 3}, [1, 1]),
    ],
)
def test_alphas_of_metadata(said, scales, of, tmp_path):
    name = lambda path: files.peft(path, "transformer.")  # noqa: E731
    lora = read(files.write(tmp_path / "x.safetensors", of, name, metadata=diffusers(**said)))
    assert [one.scale for one in lora.parts["denoiser"].values()] == pytest.approx(scales)
    config = tmp_path / "adapter_config.json"
    config.write_text(json.dumps({"peft_type": "LORA", **said}))
    raw = lambda path: files.peft(path, "base_model.model.")  # noqa: E731
    files.write(tmp_path / "adapter_model.safetensors", of, raw)
    again = read(tmp_path)
    assert [one.scale for one in again.parts["denoiser"].values()] == pytest.approx(scales)


def test_a_tensor_says_alpha_first(of, tmp_path):
    path = files.write(tmp_path / "x.safetensors", of, files.peft, 9, diffusers(lora_alpha=6))
    assert {one.scale for one in read(path).parts["denoiser"].values()} == {3}
    shown = f"Lora({str(path)!r}, denoiser: 2 layers of rank 3)"
    assert repr(read(path)) == shown


def test_zeros_of_other_methods_change_nothing(sd3, of, tmp_path):
    zeros = {"transformer_blocks.0.norm.diff": torch.zeros(3), "lora_unet_x.alpha": torch.ones(())}
    lora = read(files.write(tmp_path / "x.safetensors", of, files.peft, **zeros))
    assert len(lora.parts["denoiser"]) == 2


A, B = (f"{PATHS[0]}.lora_{one}.weight" for one in "AB")
GOOD = {A: torch.ones(3, 16), B: torch.ones(16, 3)}
BAD = {
    "LoHa": GOOD | {"lora_unet_x.hada_w1_a": torch.ones(2, 2)},
    "LoKr": {"lora_unet_x.lokr_w1": torch.ones(2, 2)},
    "a difference of a whole tensor": GOOD | {"diffusion_model.norm.diff_b": torch.ones(2)},
    "a bias": GOOD | {A.replace("A.weight", "B.bias"): torch.ones(16)},
    r"mid_block.weight is not supported \(unknown\)": {"mid_block.weight": torch.ones(2)},
    "has down and no up": {A: GOOD[A]},
    "has up and no down": {B: GOOD[B]},
    r"do not fit each other: down \[3, 16\], up \[16, 2\]": GOOD | {B: torch.ones(16, 2)},
    r"down \[3\]": GOOD | {A: torch.ones(3)},
    r"up \[16, 3, 2, 2\]": GOOD | {B: torch.ones(16, 3, 2, 2)},
    r"mid \[3, 2, 3, 3\]": GOOD | {A.replace("_A", "_mid"): torch.ones(3, 2, 3, 3)},
    "holds NaN": GOOD | {B: torch.full((16, 3), float("nan"))},
    r"alpha has shape \[2\]": GOOD | {A.replace("lora_A.weight", "alpha"): torch.ones(2)},
    "the second 'down'": GOOD | {A.replace("_A", "_down"): torch.ones(3, 16)},
    "no layers of a LoRA; it holds none": {},
}


@pytest.mark.parametrize("said", BAD)
def test_bad_tensors(said, tmp_path):
    save_file(BAD[said], tmp_path / "x.safetensors")
    with pytest.raises(FileError, match=said):
        read(tmp_path)


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({"lora_adapter_metadata": "[1"}, "not a map in JSON"),
        ({"lora_adapter_metadata": "[1]"}, "not a map in JSON"),
        (diffusers(lora_alpha="much"), "expected numbers"),
        (diffusers(lora_alpha=float("inf")), "expected numbers"),
        (diffusers(alpha_pattern=["a"]), "expected numbers"),
        (diffusers(alpha_pattern={"(a+)+$": 1}), "expected a layer's name"),
    ],
)
def test_bad_metadata(metadata, said, of, tmp_path):
    path = files.write(tmp_path / "x.safetensors", of, files.peft, metadata=metadata)
    with pytest.raises(FileError, match=said):
        read(path)


def test_bad_places(of, tmp_path):
    with pytest.raises(FileError, match="no such folder"):
        read(tmp_path / "nowhere")
    with pytest.raises(FileError, match=r"or one \.safetensors file; there are: none"):
        read(tmp_path)
    (tmp_path / "x.bin").write_bytes(b"\x80")
    with pytest.raises(FileError, match="can execute code"):
        read(tmp_path / "x.bin")
    path = files.write(tmp_path / "x.safetensors", of, files.peft)
    (tmp_path / "y.safetensors").write_bytes(path.read_bytes()[:-1])
    with pytest.raises(FileError, match=r"there are: x\.safetensors, y\.safetensors. Name the"):
        read(tmp_path)
    with pytest.raises(FileError, match="truncated"):
        read(tmp_path / "y.safetensors")
    path.rename(tmp_path / "adapter_model.safetensors")
    (tmp_path / "adapter_config.json").write_text('{"peft_type": "IA3"}')
    with pytest.raises(FileError, match="only LORA"):
        read(tmp_path)


def untouched(network, bits):
    assert files.gap(network, bits) == 0
    assert not any(hasattr(one, "lora") or one._forward_hooks for one in network.modules())


@pytest.mark.parametrize(
    ("other", "naming", "said"),
    [
        ("flux", files.peft, "FluxTransformer2DModel"),
        ("wan", files.peft, "WanTransformer3DModel"),
        ("sd1", files.kohya, "UNet2DConditionModel"),
        ("pixart", files.peft, "PixArtTransformer2DModel"),
    ],
)
def test_a_lora_of_another_network(other, naming, said, sd3, tmp_path):
    its = nets.build(other)
    bits = files.state(sd3)
    paths = [path for path in layers(its) if "single" in path or path not in layers(sd3)]
    lora = read(files.write(tmp_path / "x.safetensors", files.factors(its, paths), naming))
    with pytest.raises(FileError, match=f"none of its .*SD3Transf.* It has .*for {said}"):
        lora.attach(sd3)
    with pytest.raises(FileError, match="none of its"):
        lora.attach(sd3, partial=True)
    untouched(sd3, bits)


def test_a_lora_of_another_size_of_stable_diffusion(tmp_path):
    network = nets.build("sd1")
    name = "lora_unet_input_blocks_99_1_transformer_blocks_0_attn2_to_k"
    of = {name: (torch.ones(1, 2048), torch.ones(640, 1))}
    lora = read(files.write(tmp_path / "x.safetensors", of, lambda one: files.kohya(one, "")))
    with pytest.raises(FileError, match="made for UNet2DConditionModel of Stable Diffusion XL"):
        lora.attach(network)


def test_a_lora_that_matches_in_part(sd3, of, tmp_path):
    bits = files.state(sd3)
    some = of | {"transformer_blocks.9.attn.to_q": (torch.ones(1, 16), torch.ones(16, 1))}
    lora = read(files.write(tmp_path / "x.safetensors", some, files.peft))
    with pytest.raises(FileError, match=r"2 of its 3 .* has transformer_blocks\.9\.attn.*partial="):
        lora.attach(sd3)
    untouched(sd3, bits)
    with lora.attach(sd3, partial=True) as attached:
        attached.merge()
        assert files.gap(sd3, files.folded(bits, of, 1.0)) < 2e-6
    untouched(sd3, bits)


@pytest.mark.parametrize(
    ("layer", "down", "up", "said"),
    [
        (PATHS[0], (3, 17), (16, 3), r"factors \[3, 17\] and \[16, 3\].*weight \[16, 16\]"),
        (PATHS[0], (3, 16), (15, 3), r"\[15, 3\], which do not fit"),
        ("joint_blocks.0.x_block.attn.qkv", (3, 16), (47, 3), "47 outputs; .* of 48 outputs"),
    ],
)
def test_wrong_shapes(layer, down, up, said, sd3, of, tmp_path):
    bits = files.state(sd3)
    bad = {PATHS[1]: of[PATHS[1]], layer: (torch.ones(down), torch.ones(up))}
    lora = read(files.write(tmp_path / "x.safetensors", bad, files.peft))
    with pytest.raises(FileError, match=said):
        lora.attach(sd3)
    untouched(sd3, bits)


def test_wrong_magnitudes(sd3, of, tmp_path):
    scale = {f"{PATHS[0]}.dora_scale": torch.ones(1, 15)}
    lora = read(files.write(tmp_path / "x.safetensors", of, files.peft, **scale))
    with pytest.raises(FileError, match=r"magnitudes \[1, 15\], which do not fit"):
        lora.attach(sd3)
    name = "joint_blocks.0.x_block.attn.qkv"
    fused = {name: (torch.ones(1, 16), torch.ones(48, 1))}
    scale = {f"{name}.dora_scale": torch.ones(1, 16)}
    lora = read(files.write(tmp_path / "y.safetensors", fused, files.peft, **scale))
    with pytest.raises(FileError, match="a DoRA by input; it is several layers here"):
        lora.attach(sd3)


def test_two_names_of_one_layer(sd3, of, tmp_path):
    twice = of | {"joint_blocks.0.x_block.attn.qkv": (torch.ones(1, 16), torch.ones(48, 1))}
    lora = read(files.write(tmp_path / "x.safetensors", twice, files.peft))
    with pytest.raises(FileError, match=r"are both the layer transformer_blocks\.0\.attn\.to_q"):
        lora.attach(sd3)


def test_parts_and_strengths(sd3, of, tmp_path):
    lora = read(files.write(tmp_path / "x.safetensors", of, files.peft))
    with pytest.raises(FileError, match="nothing for 'text_encoder'; it has updates for denoiser"):
        lora.attach(tiny.clip(8), part="text_encoder")
    with pytest.raises(InputError, match="a finite number; got 'much'"):
        lora.attach(sd3, "much")
    with pytest.raises(FileError, match="seems made for SD3Transformer2DModel"):
        lora.attach(tiny.clip(8))

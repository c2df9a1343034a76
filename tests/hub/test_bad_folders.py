"""Folders that are damaged, incomplete, hostile or from the future are explained."""

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import diffusion
from diffusion import hub
from diffusion.errors import DiffusionError, FileError, InputError

from .pipelines import CASES as PIPELINES
from .pipelines import ddim, ldm
from .text import tiny

WEIGHTS = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pipeline")
    tiny.pipeline("DDIMPipeline", **ddim()).save_pretrained(folder)
    return folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "p"))


def config(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def tensors(folder: Path, change: Callable[[dict], None]) -> None:
    held = {k: v.clone() for k, v in load_file(folder / WEIGHTS).items()}
    change(held)
    save_file(held, folder / WEIGHTS)


def rename(held: dict) -> None:
    for name in [k for k in held if k.startswith("mid_block")]:
        held[f"extra.{name}"] = held.pop(name)


def truncate(folder: Path) -> None:
    data = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(data[: len(data) // 2])


def huge(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes(struct.pack("<Q", 1 << 40) + b"{}")


def outside(folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    index = {"weight_map": {"conv_in.weight": "../../secret.safetensors"}}
    (folder / "unet/diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps(index))


def shard(folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    index = {"weight_map": {"conv_in.weight": "a-00001-of-00002.safetensors"}}
    (folder / "unet/diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps(index))


def pickled(folder: Path) -> None:
    (folder / WEIGHTS).rename(folder / "unet/diffusion_pytorch_model.bin")


def nan(held: dict) -> None:
    held["conv_in.weight"][0] = torch.nan


CASES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no-component": (
        lambda f: shutil.rmtree(f / "unet"),
        "lists unet, and the folder .* not there",
    ),
    "no-index": (lambda f: (f / "model_index.json").unlink(), r"no model_index\.json"),
    "no-config": (lambda f: (f / "unet/config.json").unlink(), r"config\.json: no such file"),
    "no-weights": (lambda f: (f / WEIGHTS).unlink(), "unet: no weights"),
    "no-scheduler": (
        lambda f: (f / "scheduler/scheduler_config.json").unlink(),
        r"scheduler_config\.json: no such file",
    ),
    "class": (
        lambda f: config(f / "unet/config.json", _class_name="UNet2DModle"),
        "no network here is called 'UNet2DModle'.*Did you mean 'UNet2DModel'.*Denoiser",
    ),
    "scheduler-class": (
        lambda f: config(f / "scheduler/scheduler_config.json", _class_name="VQDiffusionScheduler"),
        "not supported: VQDiffusionScheduler; nearest",
    ),
    "future-setting": (
        lambda f: config(f / "unet/config.json", warp=3, _diffusers_version="9.0"),
        r"UNet2DModel has no setting 'warp' \(the file was written by Diffusers 9\.0\)",
    ),
    "future-scheduler": (
        lambda f: config(f / "scheduler/scheduler_config.json", beta_shedule="linear"),
        "no setting 'beta_shedule'.*Did you mean 'beta_schedule'",
    ),
    "setting-type": (
        lambda f: config(f / "unet/config.json", layers_per_block="two"),
        r"layers_per_block.*got 'two'",
    ),
    "component": (
        lambda f: config(f / "model_index.json", prior=["diffusers", "PriorTransformer"]),
        "what its component 'prior' does is not known",
    ),
    "not-json": (lambda f: (f / "unet/config.json").write_text("{"), "not valid JSON"),
    "missing-and-extra": (
        lambda f: tensors(f, rename),
        r"not those of UNet2DModel.*Missing: mid_block\.\w+\.\* \(\d+\).*Not expected: extra\.mid",
    ),
    "shape": (
        lambda f: tensors(f, lambda h: h.update({"conv_in.weight": torch.zeros(3, 3)})),
        r"conv_in\.weight has shape \[3, 3\]; UNet2DModel with this config needs \[16, 3, 3, 3\]",
    ),
    "truncated": (truncate, "truncated"),
    "hostile-header": (huge, "truncated or not a safetensors file"),
    "outside": (outside, r"'\.\./\.\./secret\.safetensors'.*Nothing was read"),
    "missing-shard": (shard, "1 of 1 shards are missing: a-00001"),
    "pickle": (pickled, r"\.bin, a format that can execute code"),
    "nan": (lambda f: tensors(f, nan), r"conv_in\.weight holds NaN"),
}


@pytest.mark.parametrize("name", [*CASES])
def test_a_bad_folder_is_explained(name: str, folder: Path) -> None:
    spoil, words = CASES[name]
    spoil(folder)
    with pytest.raises(DiffusionError, match=words):
        diffusion.load(folder).sample(batch=1, steps=1)


def test_a_variant_that_is_not_there(folder: Path) -> None:
    with pytest.raises(FileError, match=r"no variant 'fp16'; there are: none \(variant=None\)"):
        diffusion.load(folder, variant="fp16")
    (folder / WEIGHTS).rename(folder / "unet/diffusion_pytorch_model.fp16.safetensors")
    with pytest.raises(FileError, match=r"no weight file without a variant; there are: 'fp16'"):
        diffusion.load(folder)
    assert diffusion.load(folder, variant="fp16").sample(batch=1, steps=1).shape == (1, 3, 8, 8)


def test_options_that_do_not_fit(folder: Path) -> None:
    for options, words in (
        ({"revision": "main"}, "is a folder, which has no revision"),
        ({"sampeler": None}, "no module is called 'sampeler'.*Did you mean 'sampler'"),
    ):
        with pytest.raises(InputError, match=words):
            diffusion.load(folder, **options)
    with pytest.raises(FileError, match=r"no such folder, and not the name of a repository"):
        diffusion.load(folder / "nothing" / "there")


def test_half_precision_is_raised_on_a_cpu(folder: Path) -> None:
    tensors(folder, lambda h: h.update({k: v.half() for k, v in h.items()}))
    assert next(hub.component(folder / "unet").parameters()).dtype == torch.float32
    kept = hub.component(folder / "unet", dtype=torch.bfloat16)
    assert {p.dtype for p in kept.parameters()} == {torch.bfloat16}
    model = diffusion.load(folder, dtype=torch.bfloat16)
    assert model.sample(batch=1, steps=2, seed=0).dtype == torch.uint8


def test_old_names_of_attention_are_read(folder: Path) -> None:
    """Before Diffusers 0.12: query, key, value, proj_attn."""
    want = diffusion.load(folder).sample(batch=1, steps=2, seed=0)
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}

    def renamed(held: dict) -> None:
        for name in [*held]:
            for new, was in old.items():
                if f"attentions.0.{new}." in name:
                    held[name.replace(new, was)] = held.pop(name)

    tensors(folder, renamed)
    assert any("proj_attn" in name for name in load_file(folder / WEIGHTS))
    assert torch.equal(diffusion.load(folder).sample(batch=1, steps=2, seed=0), want)


def test_one_network_is_a_model_with_the_scheduler_beside_it(folder: Path) -> None:
    one = diffusion.load(folder / "unet")
    assert one.diff(diffusion.load(folder)) == {}
    file = diffusion.load(folder / WEIGHTS)
    assert file.diff(one) == {}
    shutil.rmtree(folder / "scheduler")
    assert type(diffusion.load(folder / "unet").schedule).__name__ == "Betas"
    (folder / "unet/config.json").unlink()
    with pytest.raises(FileError, match=r"weights alone do not say"):
        diffusion.load(folder / WEIGHTS)


def test_a_damaged_autoencoder_is_found_where_it_is_used(tmp_path: Path) -> None:
    tiny.pipeline("LDMPipeline", **ldm()).save_pretrained(tmp_path)
    path = tmp_path / "vqvae/diffusion_pytorch_model.safetensors"
    held = {k: v.clone() for k, v in load_file(path).items()}
    held["decoder.conv_out.bias"][0] = torch.inf
    save_file(held, path)
    model = diffusion.load(tmp_path)
    *_, z = model.stream(batch=1, steps=1)
    with pytest.raises(FileError, match=r"VQModel: decoder\.conv_out\.bias holds NaN"):
        model.data.decode(z)


def test_a_network_of_prompts_alone_says_what_it_needs(tmp_path: Path) -> None:
    PIPELINES["sd"].make().save_pretrained(tmp_path)
    with pytest.raises(InputError, match=r"UNet2DConditionModel needs the condition 'encoder_hid"):
        diffusion.load(tmp_path / "unet")


@pytest.mark.parametrize("format", ["own", "diffusers"])
def test_a_network_with_a_lora_beside_it_is_not_written(tmp_path: Path, format: str) -> None:
    tiny.pipeline("DDIMPipeline", **ddim()).save_pretrained(tmp_path / "p")
    model = hub.lora.trainable(diffusion.load(tmp_path / "p"), rank=2)
    with pytest.raises(DiffusionError, match=r"has a LoRA beside it"):
        model.save(tmp_path / "out", format=format)
    assert not (tmp_path / "out").exists()

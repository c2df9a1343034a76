"""Folders of pipelines: what is read from them, and what is refused."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from diffusion.errors import FileError, InputError
from diffusion.hub.text import PixArt, Prompts, StableDiffusion, read

from . import tiny

INDEX = {
    "_class_name": "StableDiffusionPipeline",
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    torch.manual_seed(0)
    StableDiffusion(tiny.clip(8), tiny.clip_tokenizer()).save(folder)
    return folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """A folder of Stable Diffusion that a test may damage."""
    for path in whole.rglob("*.*"):
        copy = tmp_path / path.relative_to(whole)
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(path.read_bytes())
    return tmp_path


def opened(folder: Path, index: Any = INDEX, **options: Any) -> Any:
    prompts = read(folder, index, **options)
    assert isinstance(prompts, Prompts)
    return prompts


def weights(folder: Path) -> Path:
    return folder / "text_encoder" / "model.safetensors"


def rewritten(folder: Path, change: Callable[[dict[str, Any]], Any], name: str = "") -> None:
    tensors = load_file(weights(folder))
    change(tensors)
    save_file(tensors, weights(folder).with_name(name or "model.safetensors"), {"format": "pt"})


def configured(folder: Path, **settings: Any) -> None:
    path = folder / "text_encoder" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))


def test_pipelines_without_text_have_no_prompts(folder: Path) -> None:
    assert (
        read(folder, {"_class_name": "DDPMPipeline", "unet": ["diffusers", "UNet2DModel"]}) is None
    )
    assert read(folder, INDEX | {"text_encoder": [None, None]}) is None


def test_its_name_shows_what_it_is_made_of(whole: Path) -> None:
    shown = "StableDiffusion(text_encoder=CLIPTextModel, tokenizer=CLIPTokenizer)"
    assert repr(opened(whole)) == shown
    assert repr(PixArt(tiny.t5(8), tiny.t5_tokenizer(), 9)).endswith("T5Tokenizer, length=9)")


def test_encoders_are_frozen_and_stay_in_evaluation_mode(folder: Path) -> None:
    prompts = opened(folder)
    prompts.train()
    assert not any(module.training for module in prompts.modules())
    assert not any(parameter.requires_grad for parameter in prompts.parameters())
    assert not prompts("a cat")["encoder_hidden_states"].requires_grad
    prompts.requires_grad_(True)  # whoever wants to train them can
    prompts("a cat")["encoder_hidden_states"].sum().backward()
    assert any(parameter.grad is not None for parameter in prompts.parameters())


def test_half_precision_becomes_single_on_a_cpu(folder: Path) -> None:
    exact = opened(folder)("a cat")["encoder_hidden_states"]
    halve = lambda tensors: tensors.update({k: v.half() for k, v in tensors.items()})  # noqa: E731
    rewritten(folder, halve, "model.fp16.safetensors")
    found = opened(folder, variant="fp16")
    assert {p.dtype for p in found.parameters()} == {torch.float32}
    half = found("a cat")["encoder_hidden_states"]
    assert 0 < (half - exact).abs().max() < 0.01 * exact.abs().max()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_a_precision_that_is_asked_for(folder: Path, dtype: torch.dtype) -> None:
    prompts = opened(folder, dtype=dtype)
    assert {p.dtype for p in prompts.parameters()} == {dtype}
    assert prompts("a cat")["encoder_hidden_states"].dtype == dtype


def test_a_precision_is_that_of_the_file_not_of_its_config(folder: Path) -> None:
    configured(folder, dtype="float16")
    rewritten(folder, lambda t: t.update({k: v.bfloat16() for k, v in t.items()}))
    assert {p.dtype for p in opened(folder).parameters()} == {torch.bfloat16}


def test_vocabulary_and_merges_of_older_folders(folder: Path) -> None:
    expected = opened(folder)(tiny.PROMPTS[:2])["encoder_hidden_states"]
    plain = json.loads((folder / "tokenizer" / "tokenizer.json").read_text())["model"]
    (folder / "tokenizer" / "tokenizer.json").unlink()
    (folder / "tokenizer" / "vocab.json").write_text(json.dumps(plain["vocab"]))
    merges = "\n".join(" ".join(pair) for pair in plain["merges"])
    (folder / "tokenizer" / "merges.txt").write_text(f"#version: 0.2\n{merges}\n")
    assert torch.equal(opened(folder)(tiny.PROMPTS[:2])["encoder_hidden_states"], expected)


def test_a_sentencepiece_model_alone(tmp_path: Path) -> None:
    torch.manual_seed(0)
    entries = PixArt(tiny.t5(8), tiny.t5_tokenizer()).save(tmp_path)
    for path in (tmp_path / "tokenizer").iterdir():
        path.unlink()
    (tmp_path / "tokenizer" / "spiece.model").write_bytes(tiny.sentencepiece())
    prompts = opened(tmp_path, {"_class_name": "PixArtAlphaPipeline"} | entries)
    ids = prompts.tokenizer("a cat of the sea")["input_ids"]
    assert prompts.tokenizer.decode(ids) == "a cat of the sea</s>"
    assert prompts(["a cat"])["encoder_attention_mask"].sum() < 120


def test_code_named_by_a_config_is_never_fetched_or_run(folder: Path) -> None:
    (folder / "text_encoder" / "evil.py").write_text("raise SystemExit('run')")
    (folder / "tokenizer" / "evil.py").write_text("raise SystemExit('run')")
    configured(
        folder, auto_map={"AutoModel": "evil.Evil"}, attn_implementation="evil/kernel",
        _attn_implementation="evil/kernel",
    )  # fmt: skip
    path = folder / "tokenizer" / "tokenizer_config.json"
    plain = json.loads(path.read_text())
    path.write_text(json.dumps(plain | {"auto_map": {"AutoTokenizer": ["evil.Evil", None]}}))
    assert opened(folder).text_encoder.config._attn_implementation == "sdpa"
    same = opened(folder, INDEX | {"tokenizer": ["transformers", "AutoTokenizer"]})
    assert same.tokenizer("a cat")["input_ids"] == opened(folder).tokenizer("a cat")["input_ids"]


def cut(path: str) -> Callable[[Path], None]:
    """Halve a file."""

    def change(folder: Path) -> None:
        whole = (folder / path).read_bytes()
        (folder / path).write_bytes(whole[: len(whole) // 2])

    return change


def gone(path: str) -> Callable[[Path], None]:
    return lambda folder: (folder / path).unlink()


def pickled(folder: Path) -> None:
    weights(folder).rename(weights(folder).with_name("pytorch_model.bin"))


def absent(folder: Path) -> None:
    (folder / "tokenizer").rename(folder / "elsewhere")


FINAL = "text_model.final_layer_norm.weight"
DAMAGED = [
    (gone("text_encoder/config.json"), r"text_encoder/config\.json: no such file"),
    (gone("text_encoder/model.safetensors"), r"text_encoder: no weights"),
    (pickled, r"text_encoder: .*can execute code.*Convert it to safetensors"),
    (cut("text_encoder/model.safetensors"), r"text_encoder/model\.safetensors: .*truncated"),
    (cut("text_encoder/config.json"), r"config\.json: not valid JSON"),
    (gone("tokenizer/tokenizer.json"), r"tokenizer: no vocabulary.*vocab\.json and merges\.txt"),
    (cut("tokenizer/tokenizer.json"), r"tokenizer: transformers can't read a CLIPTokenizer"),
    (absent, r"tokenizer: no vocabulary"),
    (lambda f: rewritten(f, lambda t: t.pop(FINAL)), r"CLIPTextModel .*1 missing: .*final_layer"),
    (lambda f: rewritten(f, lambda t: t.update(x=torch.ones(2))), r"1 unexpected: x\."),
    (lambda f: rewritten(f, lambda t: t.update({FINAL: torch.ones(3)})), r"1 mismatched: .*final"),
    (lambda f: configured(f, quantization_config={"quant_method": "x"}), r"quantized.* plain"),
    (lambda f: configured(f, hidden_act="evil"), r"can't read a CLIPTextModel"),
]  # fmt: skip


@pytest.mark.parametrize(("damage", "words"), DAMAGED, ids=[words for _, words in DAMAGED])
def test_a_damaged_folder_is_an_error_that_names_the_component(
    folder: Path, damage: Callable[[Path], None], words: str
) -> None:
    damage(folder)
    with pytest.raises(FileError, match=words):
        read(folder, INDEX)


LISTED = [
    ({"_class_name": "StableDifusionPipeline"}, r"Did you mean 'StableDiffusionPipeline'"),
    ({"_class_name": ["my_pipeline", "Mine"]}, r"not known here.*write a recipe"),
    ({"text_encoder": ["my_code", "Mine"]}, r"text_encoder is .*Code in folders is never run"),
    ({"text_encoder": "CLIPTextModel"}, r"expected a class of transformers"),
    ({"text_encoder": ["transformers", "CLIPTextModl"]}, r"Did you mean 'CLIPTextModel'"),
    ({"text_encoder": ["transformers", "GPT2Model"]}, r"no 'GPT2Model' is loaded here"),
    ({"tokenizer": ["transformers", "MyTokenizer"]}, r"no 'MyTokenizer' is loaded here"),
    ({"tokenizer": [None, None]}, r"StableDiffusion needs the component tokenizer"),
    ({"text_encoder_2": ["transformers", "T5EncoderModel"]}, r"has no component text_encoder_2"),
    ({"text_encoder": ["transformers", "BertModel"]}, r"text_encoder: .*BertModel"),
    ({"_prompts": {"recipe": "Flx"}}, r"'Flx'.*Did you mean 'Flux'"),
    ({"_prompts": {"recipe": "PixArt", "lenth": 5}}, r"no setting 'lenth'.*Did you mean 'length'"),
    ({"_prompts": {"recipe": "PixArt", "length": "x"}}, r"length: .*got 'x'"),
    ({"_prompts": {"recipe": "PixArt", "length": -3}}, r"PixArt\.length.*got -3"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "words"), LISTED, ids=[words for _, words in LISTED])
def test_a_wrong_index_is_an_error(whole: Path, change: dict[str, Any], words: str) -> None:
    with pytest.raises((FileError, InputError), match=words):
        read(whole, INDEX | change)


def test_a_variant_that_is_not_there_is_an_error(whole: Path) -> None:
    with pytest.raises(FileError, match=r"no variant 'fp16'"):
        read(whole, INDEX, variant="fp16")


def test_without_transformers_the_extra_is_named(
    whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(InputError, match=r'pip install "diffusion-modules\[hub\]"'):
        read(whole, INDEX)

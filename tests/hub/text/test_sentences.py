"""Conditions from encoders of sentences."""

import copy
import json
from pathlib import Path

import pytest
import torch

from diffusion.component import same
from diffusion.errors import FileError, InputError
from diffusion.hub.text import Sentences, read

from . import tiny

TEXTS = ["a cat", "", "dogs and cats and dogs and cats", "Ünï 猫"]


def sentences(mean: bool = False, length: int = 12) -> Sentences:
    torch.manual_seed(0)
    return Sentences(tiny.bert(8), tiny.bert_tokenizer(), length, mean)


@pytest.mark.filterwarnings("ignore:a prompt of")
def test_mean_is_that_over_the_tokens_of_the_text() -> None:
    states = sentences()(TEXTS)
    found = sentences(mean=True)(TEXTS)["encoder_hidden_states"]
    assert found.shape == (4, 1, 8)
    for i, row in enumerate(states["encoder_hidden_states"]):
        count = int(states["encoder_attention_mask"][i].sum())
        torch.testing.assert_close(found[i, 0], row[:count].mean(0))


def test_padding_changes_nothing() -> None:
    short, long = sentences(mean=True, length=6), sentences(mean=True, length=14)
    torch.testing.assert_close(
        short("a cat")["encoder_hidden_states"], long("a cat")["encoder_hidden_states"]
    )


def test_no_prompt_is_the_empty_text() -> None:
    prompts = sentences()
    null = prompts.null()
    assert null["encoder_attention_mask"].sum() == 2
    assert torch.equal(null["encoder_hidden_states"], prompts([""])["encoder_hidden_states"])


@pytest.mark.parametrize("mean", [True, False])
def test_saved_and_read_again(tmp_path: Path, mean: bool) -> None:
    prompts = sentences(mean)
    entries = json.loads(json.dumps(prompts.save(tmp_path)))
    assert entries["text_encoder"] == ["transformers", "BertModel"]
    same = read(tmp_path, {"_class_name": "StableDiffusionPipeline", **entries})
    assert isinstance(same, Sentences)
    assert same.settings() == prompts.settings()
    for name, tensor in prompts(TEXTS[:2]).items():
        assert torch.equal(same(TEXTS[:2])[name], tensor)


def test_a_folder_of_transformers(tmp_path: Path) -> None:
    prompts = sentences()
    prompts.text_encoder.save_pretrained(tmp_path)
    prompts.tokenizer.save_pretrained(tmp_path)
    same = Sentences.read(tmp_path, length=12)
    for name, tensor in prompts(TEXTS[:2]).items():
        assert torch.equal(same(TEXTS[:2])[name], tensor)
    (tmp_path / "config.json").write_text(json.dumps({"architectures": ["MyModel"]}))
    with pytest.raises(FileError, match=r"no 'MyModel' is loaded here"):
        Sentences.read(tmp_path, length=12)


def test_a_deep_copy_has_equal_arguments_and_encoders_of_its_own() -> None:
    prompts = sentences()
    other = copy.deepcopy(prompts)
    assert same(other, prompts)
    assert other.text_encoder is not prompts.text_encoder
    assert torch.equal(other(TEXTS[:2])["encoder_hidden_states"],
                       prompts(TEXTS[:2])["encoder_hidden_states"])  # fmt: skip


def test_a_label_is_the_direction_of_the_mean_at_unit_variance() -> None:
    mean = sentences(mean=True)(TEXTS[:2])["encoder_hidden_states"][:, 0]
    torch.manual_seed(0)
    prompts = Sentences(tiny.bert(8), tiny.bert_tokenizer(), 12, label=True)
    found = prompts(TEXTS[:2])
    assert found["encoder_hidden_states"].shape == (2, 12, 8)
    torch.testing.assert_close(found["class_labels"].square().mean(1), torch.ones(2))
    torch.testing.assert_close(
        found["class_labels"] / mean, 8**0.5 / mean.norm(dim=1, keepdim=True).expand_as(mean)
    )


@pytest.mark.parametrize("version", [2, 3])
def test_qwen_reads_as_transformers_and_without_its_head(tmp_path: Path, version: int) -> None:
    encoder, tokenizer = tiny.qwen(8, version, headed=True), tiny.qwen_tokenizer()
    encoder.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    prompts = Sentences.read(tmp_path, length=12)
    found = prompts(["a cat", "dogs", ""])["encoder_hidden_states"]
    given = tokenizer(["a cat", "dogs"], padding="max_length", max_length=12, return_tensors="pt")
    theirs = encoder(**given, output_hidden_states=True).hidden_states[-1]
    torch.testing.assert_close(found[:2], theirs, rtol=0, atol=0)
    assert found.isfinite().all()
    prompts.save(tmp_path / "again")
    pipeline = {"text_encoder": ["transformers", f"Qwen{version}Model"],
                "tokenizer": ["transformers", "Qwen2Tokenizer"],
                "_prompts": {"recipe": "Sentences", "length": 12}}  # fmt: skip
    same = read(tmp_path / "again", {"_class_name": "Any", **pipeline})
    assert torch.equal(same(["a cat"])["encoder_hidden_states"], found[:1])


def test_more_tokens_than_the_encoder_reads_is_an_error() -> None:
    with pytest.raises(InputError, match=r"Sentences\.length: expected at most the 16"):
        sentences(length=17)

"""What prompts become, and what is wrong with some."""

from pathlib import Path
from typing import Any

import pytest
import torch

from diffusion.errors import InputError
from diffusion.hub.text import PixArt, StableDiffusion, StableDiffusionXL, Wan

from . import tiny


def test_bad_prompts_are_errors() -> None:
    prompts: Any = StableDiffusion(tiny.clip(8), tiny.clip_tokenizer())
    for wrong in ([], [3], ["a", None], [["a"]]):
        with pytest.raises(InputError, match=r"StableDiffusion: expected texts"):
            prompts(wrong)


def test_bad_parts_are_errors() -> None:
    encoder, tokenizer = tiny.clip(8), tiny.clip_tokenizer()
    with pytest.raises(InputError, match=r"StableDiffusion\.text_encoder: .*got NoneType"):
        StableDiffusion(None, tokenizer)
    with pytest.raises(InputError, match=r"StableDiffusion\.text_encoder: .*got CLIPTokenizer"):
        StableDiffusion(tokenizer, encoder)
    with pytest.raises(
        InputError, match=r"XL\.text_encoder: expected it and tokenizer, or neither"
    ):
        StableDiffusionXL(encoder, None, encoder, tokenizer)
    with pytest.raises(InputError, match=r"PixArt\.length: expected a number of tokens; got 0"):
        PixArt(tiny.t5(8), tiny.t5_tokenizer(), 0)
    tokenizer.model_max_length = int(1e30)
    unlimited = StableDiffusion(encoder, tokenizer)
    with pytest.raises(InputError, match=r"CLIPTokenizer\.model_max_length: .*77 for CLIP"):
        unlimited("a cat")


def test_encoders_that_can_not_be_read_again_are_not_saved(tmp_path: Path) -> None:
    prompts = StableDiffusion(tiny.gpt(8), tiny.clip_tokenizer())
    with pytest.raises(InputError, match=r"an encoder that can be read: .*got GPT2Model"):
        prompts.save(tmp_path)


def test_lost_words_are_named() -> None:
    torch.manual_seed(0)
    prompts = StableDiffusion(tiny.clip(8), tiny.clip_tokenizer())
    kept = "the cat of the cat of the cat of the cat of the cat"
    assert len(kept.split()) == tiny.CLIP_TOKENS - 2
    with pytest.warns(UserWarning, match=r"17 tokens .* 16 .* lost: 'the'"):
        cut = prompts(f"{kept} the")
    close = prompts(kept)["encoder_hidden_states"]
    assert torch.equal(cut["encoder_hidden_states"], close)


def test_lost_words_of_t5_are_named() -> None:
    torch.manual_seed(0)
    prompts = PixArt(tiny.t5(8), tiny.t5_tokenizer(), length=4)
    with pytest.warns(UserWarning, match=r"6 tokens .* 4 .* lost: 'a the'"):
        prompts("A cat of a the")


def test_wan_is_zero_after_the_prompt_and_reads_clean_text() -> None:
    torch.manual_seed(0)
    prompts = Wan(tiny.t5(8, True), tiny.t5_tokenizer(), length=6)
    states = prompts("  the &amp;amp;\n\t cat ")["encoder_hidden_states"]
    assert torch.equal(states, prompts("the & cat")["encoder_hidden_states"])
    assert (states[0].abs().sum(-1) > 0).tolist() == [True, True, True, True, True, False]

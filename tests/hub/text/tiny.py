"""Text encoders and tokenizers of a few thousand parameters, and pipelines of Diffusers of them."""

import inspect
import io
import json
import tempfile
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from sentencepiece import SentencePieceTrainer
from tokenizers.pre_tokenizers import ByteLevel

CLIP_TOKENS, T5_TOKENS = 16, 20
LONG = (
    "a very long story of cats and dogs in the garden of a house by the sea, and of their friends"
)
WORDS = ["a", "cat", "dog", "of", "the", "and", "in", "▁a", "▁cat", "▁the", "▁of", "猫"]
PROMPTS = [
    "a cat in the garden",
    "",
    LONG,
    "Ünïcødé, 猫  and \n &amp;amp; 🐈 İ “dog’s”",
    "  A Cat ",
]


def clip_tokenizer() -> Any:
    """Byte-level pairs, from `vocab.json` and `merges.txt` as older folders have them."""
    letters = sorted(ByteLevel.alphabet())
    merges = ["c a", "ca t</w>", "t h", "th e</w>", "o f</w>"]
    pieces = [*letters, *(f"{one}</w>" for one in letters), *(m.replace(" ", "") for m in merges)]
    vocab = {piece: i for i, piece in enumerate([*pieces, "<|startoftext|>", "<|endoftext|>"])}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "vocab.json").write_text(json.dumps(vocab))
        (Path(folder) / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]))
        return transformers.CLIPTokenizer.from_pretrained(folder, model_max_length=CLIP_TOKENS)


def t5_tokenizer() -> Any:
    """Pieces of one language model, with an end and no start."""
    letters = [chr(i) for i in range(33, 127)]
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    pieces += [(one, -3.0) for one in letters] + [(w, -1.5) for w in WORDS if w not in letters]
    return transformers.T5Tokenizer(vocab=pieces, extra_ids=0, model_max_length=512)


def sentencepiece() -> bytes:
    """The file of a tokenizer of T5's kind, trained on a line."""
    model = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter([LONG] * 9), model_writer=model, vocab_size=40, pad_id=0, eos_id=1,
        unk_id=2, bos_id=-1, hard_vocab_limit=False, minloglevel=2,
    )  # fmt: skip
    return model.getvalue()


def bert_tokenizer() -> Any:
    letters = [chr(i) for i in range(97, 123)]
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{x}" for x in letters)]
    return transformers.BertTokenizer(
        vocab={word: i for i, word in enumerate(words)}, model_max_length=CLIP_TOKENS
    )


def clip(width: int, projected: bool = False) -> Any:
    """CLIP, with or without a projection."""
    size = len(clip_tokenizer())
    config = transformers.CLIPTextConfig(
        vocab_size=size, hidden_size=width, intermediate_size=32, num_hidden_layers=3,
        num_attention_heads=2, max_position_embeddings=CLIP_TOKENS, projection_dim=width + 4,
        bos_token_id=size - 2, eos_token_id=size - 1, pad_token_id=size - 1,
    )  # fmt: skip
    name = "CLIPTextModelWithProjection" if projected else "CLIPTextModel"
    return _spread(getattr(transformers, name)(config))


def t5(width: int, multilingual: bool = False) -> Any:
    """T5, or UMT5 with positions in each layer."""
    name = "UMT5" if multilingual else "T5"
    config = getattr(transformers, f"{name}Config")(
        vocab_size=len(t5_tokenizer()), d_model=width, d_kv=8, d_ff=32, num_layers=2, num_heads=2,
        feed_forward_proj="gated-gelu",
    )  # fmt: skip
    return _spread(getattr(transformers, f"{name}EncoderModel")(config))


def bert(width: int, **options: Any) -> Any:
    """The family of MiniLM."""
    config = transformers.BertConfig(
        vocab_size=len(bert_tokenizer()), hidden_size=width, intermediate_size=32,
        num_hidden_layers=2, num_attention_heads=2, max_position_embeddings=24, **options,
    )  # fmt: skip
    return _spread(transformers.BertModel(config))


def qwen_tokenizer() -> Any:
    """Byte-level pairs without a first token: no text is no token at all."""
    letters = sorted(ByteLevel.alphabet())
    pieces = [*letters, "ca", "cat", "<|endoftext|>"]
    return transformers.Qwen2Tokenizer(
        vocab={piece: i for i, piece in enumerate(pieces)}, merges=[("c", "a"), ("ca", "t")],
        model_max_length=CLIP_TOKENS,
    )  # fmt: skip


def qwen(width: int, version: int = 3, headed: bool = False) -> Any:
    """A language model that is read as an encoder."""
    name = f"Qwen{version}"
    config = getattr(transformers, f"{name}Config")(
        vocab_size=len(qwen_tokenizer()), hidden_size=width, intermediate_size=32, head_dim=4,
        num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
        tie_word_embeddings=False,
    )  # fmt: skip
    return _spread(getattr(transformers, f"{name}{'ForCausalLM' if headed else 'Model'}")(config))


def gpt(width: int) -> Any:
    """A network that is no text encoder of a pipeline."""
    config = transformers.GPT2Config(n_embd=width, n_layer=1, n_head=1, vocab_size=9, n_positions=8)
    return transformers.GPT2Model(config)


def _spread(encoder: Any) -> Any:
    """Move every parameter away from its initial value: many are zeros or ones."""
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    return encoder.eval()


def pipeline(name: str, **parts: Any) -> Any:
    """A pipeline of Diffusers with these components, and no others."""
    cls = getattr(diffusers, name)
    names = [one for one in inspect.signature(cls).parameters if one in _COMPONENTS]
    return cls(**dict.fromkeys(names) | parts)


_COMPONENTS = (
    "vae", "unet", "transformer", "scheduler", "text_encoder", "tokenizer", "text_encoder_2",
    "tokenizer_2", "text_encoder_3", "tokenizer_3", "safety_checker", "feature_extractor", "vqvae",
)  # fmt: skip

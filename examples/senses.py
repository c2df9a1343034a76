"""Digits from what is said, shown or heard: three kinds of conditions, of which any may be missing.

    python examples/senses.py            # trains, measures, writes out/senses/
    python examples/senses.py --quick    # the same in seconds, on 320 digits
    python examples/senses.py --folder DIR    # stop with Ctrl-C; the same command continues

A model of MNIST is trained with texts (read by MiniLM) and pictures (of the upper half of a digit)
as conditions. Sound comes later: an encoder of spoken digits learns to say what that of texts says,
and is put beside it; the model is not touched. A pipeline joins them by one `Conditions` block.
"""

import argparse
import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import torch
from rich.progress import track
from torch import Tensor
from torch.nn.functional import normalize

from common import fast
from diffusion import (
    Model,
    data,
    guidance,
    hub,
    loss,
    net,
    noise,
    picture,
    sampler,
    schedule,
    time,
    train,
)
from diffusion.block import Block, Conditions, Decode, Denoise, Pipeline
from diffusion.metric import Judge
from diffusion.sampling import weights
from sources import Digits, digits, minilm, spoken
from sources.heard import BANDS, spectrum, varied
from sources.spoken import SPEAKERS, samples

OUT = Path("out/senses")
WIDTH, STRENGTH = 64, 0.5
PHRASES = ("{}", "a {}", "the digit {}", "the number {}", "a handwritten {}", "draw a {}")
HELD = ("please write the figure {}", "{} in ink")
INPUTS = {"text": "text", "image": "image", "audio": "sound"}
"""Inputs of the pipeline, by the conditions that are made of them."""
SENSES = tuple(INPUTS)


class Words(Block):
    """Texts as vectors: the mean of the states of MiniLM, of unit variance."""

    folder: str

    def __post_init__(self) -> None:
        self._read = hub.text.Sentences.read(Path(self.folder), 16)

    def __call__(self, text: str | Sequence[str]) -> Annotated[Tensor, "words: n d"]:
        """A row for each text."""
        with torch.no_grad():
            said = self._read([text] if isinstance(text, str) else list(text))
        mask = said["encoder_attention_mask"].unsqueeze(-1)
        mean = (said["encoder_hidden_states"] * mask).sum(1) / mask.sum(1)
        return normalize(mean, dim=1) * mean.shape[1] ** 0.5


class Upper(Block):
    """The upper half of digits, in [0, 1]."""

    def __call__(
        self, image: Annotated[Tensor, "n one 28 28"]
    ) -> Annotated[Tensor, "upper: n one 14 28"]:
        """`image`: bytes. What is below is not looked at."""
        return image[:, :, :14].float() / 255


class Listen(Block):
    """Sounds as the powers of their frequencies over time, on a logarithmic scale."""

    def __call__(
        self, sound: str | Path | Sequence[str | Path]
    ) -> Annotated[Tensor, "heard: n f t"]:
        """`sound`: a WAV file of 8 kHz, or several."""
        files = [sound] if isinstance(sound, (str, Path)) else list(sound)
        return torch.stack([spectrum(samples(Path(file))) for file in files])


def first(drawn: Digits, words: Words, epochs: int, quick: bool = False) -> Model:
    """A U-Net, by flow matching, all but the finest layers of which attend to texts and to upper
    halves; each is dropped for a third of the items."""
    network = net.UNet((1, 8, 16) if quick else (1, 24, 48, 64), hidden=16 if quick else 128)
    encoders = {
        "text": net.Projection(384, WIDTH, tokens=2),
        "image": net.Encoder((1, 16, 32, WIDTH)),
    }
    names = [phrase.format(name) for name in drawn.names for phrase in PHRASES]
    said = words(names).reshape(len(drawn.names), len(PHRASES), -1)
    which = torch.arange(len(drawn.labels)) % len(PHRASES)
    y = {"text": said[drawn.labels - 1, which], "image": Upper()(drawn.images)}
    batch = 32
    return Model(
        data=data.Images(drawn.images, y, batch, shuffle=True, names=drawn.names),
        schedule=schedule.Flow(),
        noise=noise.Gaussian("velocity"),
        net=net.Conditioned(network, encoders, least=16 if quick else 48),
        loss=loss.Simple(),
        time=time.LogitNormal(),
        guidance=guidance.Each(dict.fromkeys(y, STRENGTH), dropout=0.35),
        sampler=sampler.Adams(),
        optimizer=train.AdamW(2e-3, steps=epochs * (len(drawn.images) // batch + 1)),
        ema=0.9 if quick else 0.995,
        clip=1.0,
    )


def later(model: Model, drawn: Digits, words: Words, steps: int, quick: bool = False) -> Model:
    """The same model, of which nothing is trained, with an encoder of sounds beside its others.

    It learns to say of a spoken digit what the encoder of texts says of its name.
    """
    network: Any = weights(model)[0].requires_grad_(False)
    said = words([phrase.format(name) for name in drawn.names for phrase in PHRASES])
    goal = network.encoders["text"](said).unflatten(0, (len(drawn.names), -1)).mean(1)
    heard = recordings(2 if quick else 40)
    ear = net.Encoder((BANDS, 64, 96, WIDTH), dimensions=1, pool=2)
    optimizer = torch.optim.Adam(ear.parameters(), 2e-3)
    draws = torch.Generator().manual_seed(0)
    for _ in track(range(steps), "sounds"):
        digit = torch.randint(10, (64,), generator=draws)
        which = torch.randint(heard.shape[1], (64,), generator=draws)
        gap = (ear(heard[digit, which]) - goal[digit].view(64, -1, WIDTH)).square().mean()
        optimizer.zero_grad()
        gap.backward()
        optimizer.step()
    ear.requires_grad_(False)
    strengths = dict.fromkeys(SENSES, STRENGTH)
    return model.replace(
        net=network.with_encoders({"audio": ear}), ema=None, guidance=guidance.Each(strengths)
    )


def recordings(each: int) -> Tensor:
    """Spectra `[10, n, 32, 64]` of the digits, every recording spoken in `each` ways."""
    draws = torch.Generator().manual_seed(0)
    files = [spoken(language) for language in SPEAKERS]
    every = [
        spectrum(varied(samples(of[digit]), draws))
        for digit in range(10) for of in files for _ in range(each)
    ]  # fmt: skip
    return torch.stack(every).unflatten(0, (10, -1))


def pipeline(model: Model, words: Words, steps: int) -> Pipeline:
    """From any of the three to digits."""
    return Pipeline(
        conditions=Conditions(text=words, image=Upper(), audio=Listen()),
        denoise=Denoise(model, steps=steps),
        decode=Decode(model).rename(image="drawn"),
    )


def subsets() -> list[tuple[str, ...]]:
    """Which senses are given: none, one, two, all."""
    return [some for n in range(4) for some in itertools.combinations(SENSES, n)]


def asked(drawn: Digits, rows: Tensor) -> dict[str, Any]:
    """What is said, shown and heard of test digits: phrases that are new, pictures, recordings."""
    files = [spoken(language) for language in SPEAKERS]
    digit = (drawn.test_labels[rows] - 1).tolist()
    return {
        "text": [HELD[i % 2].format(drawn.names[d]) for i, d in enumerate(digit)],
        "image": drawn.test_images[rows],
        "audio": [files[i % len(files)][d] for i, d in enumerate(digit)],
    }


def evaluate(pipe: Pipeline, drawn: Digits, each: int, quick: bool) -> dict[str, Any]:
    """For every subset of the senses: digits read right, and how far halves are from the real."""
    judge = Judge.fit(drawn.images, drawn.labels, 10, epochs=3, progress=True)
    rows = torch.arange(len(drawn.test_labels)).reshape(10, -1)[:, :each].T.flatten()
    given, real = asked(drawn, rows), drawn.test_images[rows]
    found = {"real": measured(judge, real, real, drawn.test_labels[rows])}
    for some in subsets():
        w = pipe(**{INPUTS[name]: given[name] for name in some}, batch=len(rows), seed=0)
        found[" + ".join(some) or "none"] = measured(judge, w, real, drawn.test_labels[rows])
    return found


def measured(judge: Judge, w: Tensor, real: Tensor, y: Tensor) -> dict[str, float]:
    """The share of digits that a judge reads right, and errors of both halves, in [0, 1]."""
    gap = ((w.float() - real.float()) / 255).square()
    return {
        "read": judge.accuracy(w, y),
        "upper": float(gap[:, :, :14].mean().sqrt()),
        "lower": float(gap[:, :, 14:].mean().sqrt()),
    }


def show(pipe: Pipeline, drawn: Digits, path: Path) -> None:
    """A row for each of some test digits, a column for each subset, all from the same noise."""
    count = len(drawn.test_labels) // 10
    rows = torch.tensor([count * digit + digit % count for digit in (2, 3, 4, 5, 7, 9)])
    given = asked(drawn, rows)
    halves = drawn.test_images[rows].clone()
    halves[:, :, 14:] = 127
    columns = {"shown": halves}
    for some in subsets():
        w = pipe(**{INPUTS[name]: given[name] for name in some}, batch=len(rows), seed=1)
        columns["all three" if len(some) == 3 else ", ".join(some) or "nothing"] = w
    labels = [f'"{text}"' for text in given["text"]]
    shown = torch.stack([*columns.values()], 1).flatten(0, 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.grid(shown, len(columns), labels, 3, headings=list(columns)).save(path)


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="tiny networks on 320 digits")
    parser.add_argument("--folder", help="checkpoints, default runs/senses")
    options = parser.parse_args(argv)
    quick = options.quick
    folder = options.folder or ("runs/senses-quick" if quick else "runs/senses")
    drawn, words = digits(quick), Words(str(minilm()))
    epochs = 2 if quick else 5

    torch.manual_seed(0)
    model = first(drawn, words, epochs, quick)
    with fast():
        for average in model.train(epochs, folder=f"{folder}/first", every=60, progress=True):
            print(f"mean loss {average:.4f}")
    torch.manual_seed(1)
    model = later(model, drawn, words, 20 if quick else 1500, quick)
    pipe = pipeline(model, words, 2 if quick else 8)
    pipe.save(OUT / "pipeline.yaml", weights=True)
    result = evaluate(pipe, drawn, 2 if quick else 20, quick)
    show(pipe, drawn, OUT / "samples.png")
    (OUT / "result.json").write_text(json.dumps(result, indent=2))
    print(json.dumps(result, indent=2))
    return result


if __name__ == "__main__":
    main()

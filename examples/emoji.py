"""Text to image on a small scale: emoji from captions read by MiniLM, in the format of Diffusers.

    python examples/emoji.py                  # trains, samples, measures, writes out/emoji/
    python examples/emoji.py --quick          # the same in seconds, on 64 emoji
    python examples/emoji.py --folder DIR     # stop with Ctrl-C; the same command continues

With Diffusers installed, it also opens the saved folder there, and compares what both draw. It all
takes 39 CPU-minutes.
"""

import argparse
import importlib.util
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, normalize

import diffusion
from diffusion import Model, data, guidance, hub, loss, noise, picture, sampler, schedule, train
from diffusion.metric import Judge
from sources import Emoji, emoji, minilm

OUT = Path("out/emoji")
TOKENS, AMONG, STRENGTH = 20, 20, 2.0
FREE = (
    "red apple", "purple flower", "blue bird", "slice of cake", "crying cat", "smiling sun",
    "angry man", "woman pilot", "face with sunglasses", "red heart",
)  # fmt: skip


def build(drawn: Emoji, epochs: int, quick: bool = False) -> Model:
    """A U-Net of Diffusers' kind that learns v, given captions."""
    prompts = hub.text.Sentences.read(minilm(), TOKENS, label=True)
    steps, batch = schedule.Cosine(1000), 16
    widths = (8, 8, 16, 16) if quick else (16, 32, 64, 96)
    network = hub.net.UNet2DConditionModel(
        sample_size=32, in_channels=3, out_channels=3, cross_attention_dim=384,
        block_out_channels=widths, layers_per_block=1, norm_num_groups=8, attention_head_dim=4,
        down_block_types=(*["DownBlock2D"] * 3, "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", *["UpBlock2D"] * 3),
        class_embed_type="projection", projection_class_embeddings_input_dim=384,
    )  # fmt: skip
    return Model(
        data=data.Images(
            drawn.images, described(prompts, drawn.captions), batch, shuffle=True, text=prompts
        ),
        schedule=steps,
        noise=noise.Gaussian("v"),
        net=hub.Denoiser(network, steps, null=prompts.null()),
        loss=loss.Simple(),
        guidance=guidance.ClassifierFree(dropout=0.1, strength=STRENGTH),
        sampler=sampler.DDIM(),
        optimizer=train.AdamW(2e-3, steps=epochs * len(drawn.images) // batch),
        ema=0.9 if quick else 0.995,
        clip=1.0,
    )


def described(prompts: Any, captions: Sequence[str]) -> dict[str, Tensor]:
    """The conditions of many captions, read once for the whole training."""
    say = data.Images(text=prompts).describe
    with torch.no_grad():
        parts = [say(captions[i : i + 64]) for i in range(0, len(captions), 64)]
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def load(folder: str | Path) -> Model:
    """The model of a folder that was saved in the format of Diffusers."""
    found = diffusion.load(folder, guidance=guidance.ClassifierFree(strength=STRENGTH))
    return found.replace(data=data.Images(text=found.data.text))


@torch.no_grad()
def compare(folder: str | Path, captions: Sequence[str], steps: int = 10) -> float:
    """The largest difference between what Diffusers draws with a folder and what we draw.

    Both start from the same noise; pixels are on [-1, 1]. Diffusers has no pipeline for text and
    pixels, so the folder's parts are opened one by one, and the loop is written out.
    """
    import diffusers
    import transformers

    folder = Path(folder)
    unet = diffusers.UNet2DConditionModel.from_pretrained(folder / "unet", low_cpu_mem_usage=False)
    ddim = diffusers.DDIMScheduler.from_pretrained(folder / "scheduler")
    encoder = transformers.AutoModel.from_pretrained(folder / "text_encoder")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder / "tokenizer")

    texts = [*captions, *[""] * len(captions)]
    read = tokenizer(texts, padding="max_length", max_length=TOKENS, return_tensors="pt")
    states = encoder(**read).last_hidden_state
    mask = read["attention_mask"].unsqueeze(-1)
    labels = normalize((states * mask).sum(1), dim=1) * 384**0.5
    z = torch.randn(len(captions), 3, 32, 32, generator=torch.Generator().manual_seed(0))
    ddim.set_timesteps(steps)
    x = z
    for t in ddim.timesteps:
        both = torch.cat([x, x])
        hat = unet(both, t, states, labels, encoder_attention_mask=read["attention_mask"]).sample
        given, free = hat.chunk(2)
        x = ddim.step(free + (1 + STRENGTH) * (given - free), t, x).prev_sample

    *_, ours = load(folder).stream(list(captions), steps=steps, z=z)
    return float((x - ours).abs().max())


class Reader:
    """Captions read off pictures: a ridge regression from pictures to sentences.

    A picture is told by the features of a judge of their kinds, and by its 8×8 thumbnail; a
    caption by the mean state of its tokens. It is fitted on the training pictures.
    """

    def __init__(self, judge: Judge, images: Tensor, sentences: Tensor, ridge: float = 0.03):
        self.judge, self.middle = judge, sentences.mean(0)
        self.scales = [part.std() for part in self._parts(images)]
        seen = self._seen(images)
        self.mean = seen.mean(0)
        centred = seen - self.mean
        gram = centred.T @ centred + ridge * len(seen) * torch.eye(seen.shape[1])
        self.weight = torch.linalg.solve(gram, centred.T @ (sentences - self.middle))

    def similar(self, images: Tensor, sentences: Tensor) -> Tensor:
        """Cosines `[n, m]` of n pictures and m captions."""
        found = (self._seen(images) - self.mean) @ self.weight
        return normalize(found, dim=1) @ normalize(sentences - self.middle, dim=1).T

    def _seen(self, images: Tensor) -> Tensor:
        parts = zip(self._parts(images), self.scales, strict=True)
        return torch.cat([part / scale for part, scale in parts], dim=1)

    def _parts(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return self.judge.features(images), avg_pool2d(images.float(), 4).flatten(1)


def chosen(similar: Tensor, own: Tensor, among: int = AMONG) -> float:
    """How often its own column is a row's largest among it and `among` - 1 random others.

    Exact: with k of m - 1 others above it, they are all missed by comb(m-1-k, n)/comb(m-1, n).
    """
    above = (similar > similar.gather(1, own[:, None])).sum(1).tolist()
    others = similar.shape[1] - 1
    missed = [math.comb(others - k, among - 1) / math.comb(others, among - 1) for k in above]
    return sum(missed) / len(missed)


def draw(model: Model, captions: Sequence[str], each: int, steps: int) -> Tensor:
    """Samples `[each, n, 3, 32, 32]` of n captions."""
    y = described(model.data.text, captions)
    samples = [model.sample(y, steps=steps, seed=i, progress=True) for i in range(each)]
    return torch.stack(samples)


def evaluate(model: Model, drawn: Emoji, quick: bool) -> tuple[dict[str, Any], list[Any]]:
    """How well captions, pictures and kinds are told apart, and pictures for each caption."""
    steps, each = (4, 2) if quick else (20, 4)
    judge = Judge.fit(drawn.images, drawn.kinds, len(drawn.names), epochs=2 if quick else 20)
    sentences, own = mean(model.data.y), len(drawn.test_captions)
    reader = Reader(judge, drawn.images, sentences)
    some = torch.arange(own) * (len(drawn.captions) // own)
    seen = tuple(drawn.captions[i] for i in some.tolist())
    parts = {
        "training": (seen, drawn.images[some], drawn.kinds[some]),
        "held out": (drawn.test_captions, drawn.test_images, drawn.test_kinds),
    }
    found, shown = {}, []
    for part, (captions, real, kinds) in parts.items():
        said = mean(described(model.data.text, captions))
        nearest = (normalize(said, dim=1) @ normalize(sentences, dim=1).T).argmax(1)
        rows = {
            "real": real[None],
            "nearest caption": drawn.images[nearest][None],
            "samples": draw(model, captions, each, steps),
        }
        for name, w in rows.items():
            asked, flat = torch.arange(own).repeat(len(w)), w.flatten(0, 1)
            near = -torch.cdist(flat.flatten(1).float(), real.flatten(1).float())
            found[f"{part}: {name}"] = {
                "caption": chosen(reader.similar(flat, said), asked),
                "picture": chosen(near, asked),
                "kind": judge.accuracy(flat, kinds[asked]),
            }
        shown.append((captions, torch.cat([*rows.values()])))
    return found, shown


def mean(said: dict[str, Tensor]) -> Tensor:
    """The mean state of each text's tokens, `[n, width]`."""
    mask = said["encoder_attention_mask"].unsqueeze(-1)
    return (said["encoder_hidden_states"] * mask).sum(1) / mask.sum(1)


def table(captions: Sequence[str], w: Tensor, first: Sequence[str] = ()) -> Any:
    """A grid of `[columns, n, 3, 32, 32]`, a row for each caption."""
    headings = [*first, "samples", *[""] * (len(w) - len(first) - 1)]
    return picture.grid(w.transpose(0, 1).flatten(0, 1), len(w), captions, headings=headings)


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tiny network on 64 emoji")
    parser.add_argument("--folder", help="checkpoints, default runs/emoji")
    options = parser.parse_args(argv)
    quick = options.quick
    drawn, epochs = emoji(quick), 6 if quick else 75
    folder = options.folder or ("runs/emoji-quick" if quick else "runs/emoji")

    torch.manual_seed(0)
    model = build(drawn, epochs, quick)
    for average in model.train(epochs, folder=folder, every=60, progress=True):
        print(f"mean loss {average:.4f}")
    model.save(OUT / "model", format="diffusers")

    result, shown = evaluate(model, drawn, quick)
    for name, (captions, w) in zip(("training", "held_out"), shown, strict=True):
        tenth = slice(0, None, len(captions) // 10)
        table(captions[tenth], w[:, tenth], ("real", "nearest")).save(OUT / f"{name}.png")
    table(FREE, draw(model, FREE, *(2, 4) if quick else (6, 20))).save(OUT / "free.png")
    result["loss"] = [epoch["loss"] for epoch in model.run.history]
    if importlib.util.find_spec("diffusers"):
        result["difference"] = compare(OUT / "model", FREE[:4])
    (OUT / "result.json").write_text(json.dumps(result, indent=2))
    print(json.dumps(result, indent=2))
    return result


if __name__ == "__main__":
    main()

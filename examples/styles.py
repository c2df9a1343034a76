"""Three styles swapped: clothes that look like a reference, by a denoiser that is left as it is.

    python examples/styles.py            # trains the style module, measures, writes out/styles/
    python examples/styles.py --quick    # the same in seconds

Stop with Ctrl-C; the same command continues.

The denoiser is the class-conditional model of Fashion-MNIST of `clothes.py`, frozen. Beside it an
encoder of swatches (small squares cut out of a reference) and cross-attention to its tokens are
trained (Ye et al. 2023, IP-Adapter). A class says what is drawn, a reference of any class how.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import torch
from torch import Tensor

from clothes import base, judge, trained
from diffusion import Model, data, guidance, net, picture, train
from diffusion.block import Block, Classes, ClassToImage, Conditions, Pipeline
from diffusion.metric import Judge
from diffusion.sampling import weights
from sources import Fashion, fashion

OUT = Path("out/styles")
SIDE, COUNT = 8, 6
"""Of the squares of a swatch, and how many there are."""
SHOWN = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Shirt", "Bag")


class Swatch(Block):
    """Squares that are cut out where a picture has most ink, side by side: no shape is left."""

    seed: int = 0

    def __call__(
        self, style: Annotated[Tensor, "n one H W"]
    ) -> Annotated[Tensor, "swatch: n one h w"]:
        """`style`: reference pictures, bytes. Squares are drawn at random among the fuller half."""
        squares = style.float().unfold(2, SIDE, 2).unfold(3, SIDE, 2).flatten(2, 3)[:, 0]
        ink = (squares > 10).float().mean((2, 3))
        draws = torch.Generator().manual_seed(self.seed)
        chance = torch.rand(ink.shape, generator=draws) + (ink >= ink.median(1, True).values)
        best = chance.topk(COUNT).indices[..., None, None].expand(-1, -1, SIDE, SIDE)
        return squares.gather(1, best).transpose(1, 2).flatten(2).unsqueeze(1) / 127.5 - 1


def styled(model: Model, clothes: Fashion, passes: float, quick: bool = False) -> Model:
    """The model, frozen, that attends to swatches; each item is trained with its own."""
    count = int(passes * len(clothes.images))
    images, labels = clothes.images[:count], clothes.labels[:count]
    network: Any = weights(model)[0].requires_grad_(False)
    widths = (1, 8, 16) if quick else (1, 32, 64, 64)
    encoders = {"style": net.Encoder(widths, pool=2)}
    return Model(
        data=data.Images(images, {"y": labels, "style": Swatch()(images)}, 32, shuffle=True,
                         names=clothes.names),
        schedule=model.schedule,
        noise=model.noise,
        net=net.Conditioned(network, encoders),
        loss=model.loss,
        time=model.time,
        guidance=guidance.Each({"style": 0.0}, dropout=0.1),
        sampler=model.sampler,
        optimizer=train.AdamW(2e-3, steps=count // 32 + 1),
        ema=0.9 if quick else 0.99,
        clip=1.0,
    )  # fmt: skip


def pipeline(model: Model, steps: int, strength: float = 1.0) -> Pipeline:
    """`ClassToImage` with a further condition: the reference of a style, which may be missing."""
    told = Conditions(y=Classes(model), style=Swatch(seed=1))
    plain = ClassToImage(
        model, steps, guidance=guidance.Each({"y": 0.25, "style": strength}), output="tensor"
    )
    return plain.replace(classes=told)


def looks(w: Tensor) -> Tensor:
    """How pictures look, `[n, 4]`: of the pixels that are no background the mean, the deviation,
    and the mean steps to the right and down."""
    w = w.float() / 255
    inside = (w > 0.04).float()
    total = inside.flatten(1).sum(1).clamp_min(1)
    mean = w.mul(inside).flatten(1).sum(1) / total
    spread = ((w - mean.view(-1, 1, 1, 1)) * inside).square().flatten(1).sum(1) / total
    parts = [mean, spread.sqrt()]
    for axis in (3, 2):
        size = w.shape[axis] - 1
        both = inside.narrow(axis, 0, size) * inside.narrow(axis, 1, size)
        step = w.diff(dim=axis).abs() * both
        parts.append(step.flatten(1).sum(1) / both.flatten(1).sum(1).clamp_min(1))
    return torch.stack(parts, 1)


def references(clothes: Fashion) -> tuple[Tensor, tuple[str, ...]]:
    """Three test pictures of upper wear: the darkest plain one, the most striped, the brightest."""
    upper = torch.isin(clothes.test_labels, torch.tensor([1, 3, 5, 7]))
    wear = clothes.test_images[upper]
    mean, spread, _, down = looks(wear).unbind(1)
    plain = spread < spread.median()
    chosen = [
        (mean + (~plain) * 9).argmin(), down.argmax(), (mean - (~plain) * 9).argmax(),
    ]  # fmt: skip
    return wear[torch.stack(chosen)], ("dark", "striped", "bright")


def evaluate(
    pipe: Pipeline, clothes: Fashion, count: int, reader: Judge
) -> dict[str, dict[str, float]]:
    """Pictures in the styles of many references of other classes, and without: read right, and
    how far they look as their reference does."""
    draws = torch.Generator().manual_seed(0)
    rows = torch.randperm(len(clothes.test_images), generator=draws)[:count]
    given, own = clothes.test_images[rows], clothes.test_labels[rows]
    y = (own + torch.randint(1, 10, own.shape, generator=draws) - 1) % 10 + 1
    found = {}
    for name, style in {"with style": given, "without": None}.items():
        w = pipe(label=y.tolist(), style=style, seed=0)
        found[name] = {"read": reader.accuracy(w, y), **alike(looks(w), looks(given))}
    return found


def alike(a: Tensor, b: Tensor, among: int = 20) -> dict[str, float]:
    """Correlations of looks over all pairs, and how often one's own reference is the nearest of
    `among`; chance is 1 in as many."""
    scale = b.std(0).clamp_min(1e-6)
    a, b = (a - b.mean(0)) / scale, (b - b.mean(0)) / scale
    found = {}
    for i, name in enumerate(("brightness", "contrast", "steps right", "steps down")):
        pair = torch.stack([a[:, i], b[:, i]])
        found[name] = float(torch.corrcoef(pair)[0, 1].nan_to_num())
    nearest = torch.cdist(a.unflatten(0, (-1, among)), b.unflatten(0, (-1, among))).argmin(2)
    return {**found, "own reference": float((nearest == torch.arange(among)).float().mean())}


def show(pipe: Pipeline, clothes: Fashion, path: Path) -> None:
    """A row for each reference, which comes first, and one without; a column for each class."""
    given, names = references(clothes)
    none = torch.full_like(given[:1], 255)
    rows = []
    for style in (None, *given.split(1)):
        w = pipe(label=list(SHOWN), style=style, seed=[0] * len(SHOWN))
        rows.append(torch.cat([none if style is None else style, w]))
    labels = ["no reference", *names]
    path.parent.mkdir(parents=True, exist_ok=True)
    shown = torch.cat(rows)
    picture.grid(shown, len(SHOWN) + 1, labels, 3, headings=["reference", *SHOWN]).save(path)


def untouched(model: Model, plain: Model) -> float:
    """The largest difference, without a reference, from what the denoiser draws alone."""
    y = [1, 4, 9]
    told = {"y": torch.tensor(y)}
    guide = guidance.ClassifierFree(strength=0.25)
    ours = model.sample(told, steps=3, seed=0, guidance=guide)
    alone = plain.sample(y, steps=3, seed=0, guidance=guide)
    return float((ours.float() - alone.float()).abs().max())


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="tiny networks on 640 pictures")
    quick = parser.parse_args(argv).quick
    plain, clothes = base(quick), fashion(quick)

    torch.manual_seed(0)
    share, name = (0.5, "styles-quick") if quick else (1.0, "styles")
    model = trained(styled(plain, clothes, share, quick), name, 1)
    pipe = pipeline(model, 2 if quick else 20)
    pipe.save(OUT / "pipeline.yaml", weights=True)
    result: dict[str, Any] = evaluate(pipe, clothes, 20 if quick else 200, judge(quick))
    result["without a reference, from the denoiser alone"] = untouched(model, plain)
    show(pipe, clothes, OUT / "samples.png")
    (OUT / "result.json").write_text(json.dumps(result, indent=2))
    print(json.dumps(result, indent=2))
    return result


if __name__ == "__main__":
    main()

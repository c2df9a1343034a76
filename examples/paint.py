"""Inpainting and outpainting by a block inside `Denoise`, for a model of any world.

    python examples/paint.py            # measures, writes out/paint/
    python examples/paint.py --quick    # the same in seconds, with tiny networks

`Hold` puts known places back after every step, noised to the step's time (Lugmayr et al. 2022,
RePaint, equation 8). `Inpaint` and `Outpaint` are pipelines around it. Here it completes clothes
with the model of examples/clothes.py, a flow that was trained for no such thing, and handwritten
digits whose pixels are tokens, which are masked one by one.
"""

import argparse
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import clothes
from common import fast
from diffusion import Model, data, guidance, loss, net, noise, sampler, schedule, time
from diffusion import train as training
from diffusion.block import Decode, Denoise, Hold, Inpaint, Outpaint, Output, Pipeline, Preview
from diffusion.data.source import Source, open_source
from diffusion.guidance.operator import Mask
from diffusion.metric import Judge
from sources import fashion
from sources.images import NAMES

OUT = Path("out/paint")
SIDE, GREY = 28, 96
"""Of the pictures, and what stands for a missing pixel in the figures."""
MASKED = 17
"""The token of a masked pixel, beside the 17 levels of the digits."""


def holes(quick: bool = False) -> dict[str, Tensor]:
    """Places to paint, True, as `[28, 28]`; `quick` is the first two."""
    left, middle, lines, edge = torch.zeros(4, SIDE, SIDE, dtype=torch.bool)
    left[:, : SIDE // 2] = True
    middle[7:21, 7:21] = True
    lines[torch.randperm(SIDE, generator=torch.Generator().manual_seed(1))[:19]] = True
    edge[6:22, 6:22] = True
    whole = {"left half": left, "16 x 16": ~edge, "middle": middle, "lines": lines}
    return dict([*whole.items()][:2]) if quick else whole


def by_hand(model: Model[Any], steps: int, frames: list[Tensor]) -> Pipeline:
    """What `Inpaint` is: `Hold` between the steps of `Denoise`, here beside a preview."""

    def show(step: int, pictures: list[Any]) -> None:
        frames.append(torch.stack([torch.from_numpy(np.array(one))[None] for one in pictures]))

    between = {"hold": Hold(model), "show": Preview(model, show, every=max(1, steps // 5))}
    return Pipeline(
        denoise=Denoise(model, steps, each=between),
        decode=Decode(model),
        output=Output("tensor", model),
    )


class Completing:
    """The ways to fill a hole in pictures of clothes `[n, 1, 28, 28]`, of classes `y` `[n]`.

    Each takes where to paint, `[28, 28]`, and a seed, and returns whole pictures.
    """

    def __init__(self, model: Model[Any], w: Tensor, y: Tensor, steps: int) -> None:
        self.model, self.steps = model, steps
        pixels = [w[y == label].flatten(1).double() for label in range(1, 11)]
        self.moments = [(one.mean(0), one.T.cov()) for one in pixels]
        still = partial(self.hold, walk=sampler.DDIM())
        self.ways = {
            "class mean": self.mean, "Gaussian": self.gaussian, "Hold": self.hold,
            "Hold, DDIM": still, "known=": self.options, "Observe": self.observe,
        }  # fmt: skip

    def mean(self, w: Tensor, y: Tensor, hole: Tensor, seed: int) -> Tensor:
        """The mean of the class."""
        means = torch.stack([mean for mean, _ in self.moments])[y - 1]
        return torch.where(hole, means.view_as(w).round().byte(), w)

    def gaussian(self, w: Tensor, y: Tensor, hole: Tensor, seed: int) -> Tensor:
        """A draw from the Gaussian of the class, given the known pixels."""
        rng, made = torch.Generator().manual_seed(seed), w.flatten(1).double()
        for label, (mean, cov) in enumerate(self.moments, 1):
            rows = y == label
            made[rows] = clothes.conditional(made[rows], hole.flatten(), mean, cov, rng)
        return made.clamp(0, 255).round().byte().view_as(w)

    def hold(self, w: Tensor, y: Tensor, hole: Tensor, seed: int, walk: Any = None) -> Tensor:
        """The pipelines `Inpaint`, and `Outpaint` where what is known is a crop."""
        settings = {"steps": self.steps, "sampler": walk, "output": "tensor"}
        said = {"label": y.tolist(), "seed": seed}
        rows, columns = ((~hole).any(axis).nonzero()[:, 0] for axis in (1, 0))
        within = (..., slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
        if hole[within].any():
            return Inpaint(self.model, **settings)(image=w, mask_image=hole, **said)
        crop = w[within]
        place = {"top": int(rows[0]), "left": int(columns[0])}
        return Outpaint(self.model, **settings)(image=crop, **place, **said)

    def options(self, w: Tensor, y: Tensor, hole: Tensor, seed: int) -> Tensor:
        """`model.sample(known=, mask=)`: as `Hold`, but with fresh noise after every step."""
        return self.model.sample(y, steps=self.steps, seed=seed, known=w, mask=~hole)

    def observe(self, w: Tensor, y: Tensor, hole: Tensor, seed: int) -> Tensor:
        """Guidance that leads to pictures with the known pixels (`guidance.Observe`)."""
        look = Mask(~hole.unsqueeze(0))
        led = guidance.Observe(look, look(self.model.encode(w)), iterations=3)
        options = {"sampler": sampler.DDIM(), "guidance": led, "seed": seed}
        return self.model.sample(y, steps=self.steps // 2, **options)


def edges(w: Tensor, hole: Tensor) -> float:
    """The mean jump between neighbours of which one was painted, in levels."""
    found = []
    for axis in (-1, -2):
        ends = hole.diff(dim=axis)
        found.append(w.float().diff(dim=axis).abs()[..., ends].flatten())
    return float(torch.cat(found).mean())


def errors(judge: Judge, w: Tensor, real: Tensor, y: Tensor, hole: Tensor) -> dict[str, float]:
    """Of what was painted and of what was known, in levels, and how many a judge reads right."""
    off = w.int() - real.int()
    painted, known = clothes.rms(off[..., hole]), clothes.rms(off[..., ~hole])
    return {"accuracy": judge.accuracy(w, y), "rmse": painted, "known off": known}


def measured(
    trial: clothes.Trial, completing: Completing, places: dict[str, Tensor]
) -> dict[str, Any]:
    """How well every way fills each hole, of pictures of its own, and a verdict on all of them."""
    found: dict[str, Any] = {name: {} for name in places}
    whole = {way: trial.images.clone() for way in completing.ways} | {"real": trial.images}
    for i, (name, hole) in enumerate(places.items()):
        rows = slice(i, None, len(places))
        real, y = trial.images[rows], trial.labels[rows]
        for way, fill in completing.ways.items():
            whole[way][rows] = w = fill(real, y, hole, 0)
            found[name][way] = errors(trial.judge, w, real, y, hole)
            found[name][way]["seam"] = edges(w, hole) / edges(real, hole)
    return found | {"all": {way: trial.judged(w) for way, w in whole.items()}}


def tokens(digits: Source, quick: bool) -> Model[Any]:
    """Digits as 64 tokens, which noise masks one by one: no pixel of a state is ever noisy."""
    epochs, batch = (2, 128) if quick else (30, 64)
    width, depth = (32, 1) if quick else (64, 2)
    torch.manual_seed(0)
    model = Model(
        data.Identity(digits.w.flatten(1).long(), digits.y, batch, True, names=digits.names),
        schedule.LogLinear(),
        noise.Absorbing(MASKED + 1),
        net.Transformer(MASKED + 1, labels=10, width=width, depth=depth, heads=4, length=64),
        loss.CrossEntropy(),
        time.Stratified(),
        optimizer=training.AdamW(2e-3, steps=epochs * -(len(digits.w) // -batch)),
        ema=0.9 if quick else 0.995,
        clip=1.0,
    )
    return clothes.trained(model, "paint-quick/digits" if quick else "paint/digits", epochs)


def completed(model: Model[Any], w: Tensor, y: Tensor, hole: Tensor, steps: int) -> Tensor:
    """Digits with tokens painted by the very block that paints clothes.

    The first state tells the known tokens already: `Hold` comes after each step, so the first step
    would be taken without them.
    """
    x = w.flatten(1).long()
    kept = ~hole.flatten().expand_as(x)
    begin = torch.where(kept, x, MASKED)
    pipe = Denoise(model, steps, each={"hold": Hold(model)})
    return pipe(conditions=y, noise=begin, original=x, kept=kept, seed=0).view_as(w).byte()


def numbers(
    digits: Source, model: Model[Any], quick: bool
) -> tuple[dict[str, Any], list[tuple[str, Tensor]]]:
    """Held-out digits of which the lower half is painted: figures, and a few to show."""
    w, y = digits.w_test, digits.y_test
    assert w is not None
    assert y is not None
    judge = Judge.fit(digits.w, digits.y, classes=10, epochs=2 if quick else None)
    hole = torch.zeros(8, 8, dtype=torch.bool)
    hole[4:] = True
    means = torch.stack([digits.w[digits.y == i].float().mean(0) for i in range(1, 11)])
    made = {
        "real": w,
        "class mean": torch.where(hole, means[y - 1].round().byte(), w),
        "Hold": completed(model, w, y, hole, 4 if quick else 32),
    }
    found = {name: errors(judge, one, w, y, hole) for name, one in made.items()}
    first = [int((y == i).nonzero()[0]) for i in range(1, 11)]
    shown = {"known": torch.where(hole, 6, w), "Hold": made["Hold"], "real": w}
    return found, [(name, (one[first] * 15).byte()) for name, one in shown.items()]


def film(model: Model[Any], w: Tensor, steps: int) -> list[tuple[str, Tensor]]:
    """What is predicted on the way, for a picture of each class."""
    frames, hole = list[Tensor](), holes()["left half"]
    pipe = by_hand(model, steps, frames)
    last = pipe(conditions=torch.arange(1, 11), original=model.encode(w), kept=~hole, seed=0)
    told = [(f"step {(i + 1) * max(1, steps // 5)}", one) for i, one in enumerate(frames)]
    return [("known", w.masked_fill(hole, GREY)), *told, ("result", last)]


def shown(
    model: Completing, w: Tensor, y: Tensor, places: dict[str, Tensor]
) -> list[tuple[str, Tensor]]:
    """Pictures, and for each hole what is known of them and two ways to go on."""
    columns = [("real", w)]
    for name, hole in places.items():
        columns += [(name, w.masked_fill(hole, GREY))]
        columns += [(f"seed {seed}", model.hold(w, y, hole, seed)) for seed in (1, 2)]
    return columns


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="tiny networks, few pictures")
    quick = parser.parse_args(argv).quick
    real, model, digits = fashion(quick), clothes.base(quick), open_source("digits")
    (each, steps), places = (4, 2) if quick else (5, 20), holes(quick)
    # The plain law of a class, by steps that add noise: they mend what does not fit.
    model = model.replace(guidance=None, sampler=sampler.Ancestral())
    trial = clothes.Trial(real, each * len(places), quick)
    completing = Completing(model, real.images, real.labels, steps)

    with fast():
        result = {"clothes": measured(trial, completing, places)}
        first = trial.images[:: each * len(places)], trial.labels[:: each * len(places)]
        clothes.sheet(shown(completing, *first, places), NAMES, OUT / "samples.png")
        clothes.sheet(film(model, first[0], steps), NAMES, OUT / "film.png")
    result["digits"], drawn = numbers(digits, tokens(digits, quick), quick)
    clothes.sheet(drawn, digits.names, OUT / "digits.png")
    (OUT / "result.json").write_text(json.dumps(result, indent=2))
    print(json.dumps(result, indent=2))
    return result


if __name__ == "__main__":
    main()

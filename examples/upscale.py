"""Super-resolution of clothes, 7×7 to 28×28: by a second model, and by guidance alone.

    python examples/upscale.py            # trains, measures, writes out/upscale/
    python examples/upscale.py --quick    # the same in seconds, on 640 pictures

Two stages, each a model of its own (cascaded diffusion, Ho et al. 2021): a small one draws 7×7
pictures of a class, an upscaling model (SR3, Saharia et al. 2021) sees such a picture beside its
own noisy one. `Upscale(upscaler, low=ClassToImage(low))` composes them. The other way needs no
second training: the 28×28 model of examples/clothes.py, led by `Observed(Pool(4))` to the pictures
whose means over 4×4 pixels are those that were given.
"""

import argparse
import json
import time as clock
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

import clothes
from common import fast
from diffusion import Model, data, guidance, loss, net, noise, sampler, schedule, time
from diffusion import train as training
from diffusion.base import Batch, Guidance, Predict
from diffusion.block import Block, ClassToImage, Observed, Upscale
from diffusion.guidance.operator import Pool
from sources import Fashion, fashion
from sources.images import NAMES

OUT = Path("out/upscale")
FACTOR = 4
PICTURES = 20_000
"""How many the upscaling model is trained on, a third of them."""


class Augment(Guidance):
    """Training shows an upscaler small pictures with noise, since those of a first stage err.

    Ho et al. 2021, section 4.2. Each is noised by a share of its own in [0, most]; sampling adds
    none.
    """

    most: float = 0.2

    def corrupt(self, batch: Batch[Any]) -> None:
        count, channels, *sides = batch.y.shape
        level = self.most * torch.rand(count, 1, 1, 1)
        rough = level * torch.randn(count, channels, *(side // FACTOR for side in sides))
        batch.y = batch.y + F.interpolate(rough, size=sides, mode="bicubic")

    def __call__(self, predict: Predict, noise: Any) -> Predict:
        return predict


def shrunk(w: Tensor) -> Tensor:
    """Means over 4×4 pixels, as bytes."""
    return F.avg_pool2d(w.float(), FACTOR).round().byte()


def enlarged(small: Tensor, mode: str = "bicubic") -> Tensor:
    """Small pictures at full size, in [-1, 1]."""
    return F.interpolate(small / 127.5 - 1, scale_factor=FACTOR, mode=mode).clamp(-1, 1)


def stage(items: data.Images, network: net.UNet, guide: Guidance, epochs: int) -> Model[Any]:
    """A flow model, as in examples/fashion.py."""
    steps = epochs * -(len(items) // -items.batch)
    return Model(
        items,
        schedule.Flow(),
        noise.Gaussian("velocity"),
        network,
        loss.Simple(),
        time.LogitNormal(),
        guide,
        sampler.DDIM(),
        training.AdamW(2e-3, steps=steps),
        ema=0.995 if steps > 500 else 0.9,
        clip=1.0,
    )


def stages(real: Fashion, quick: bool) -> tuple[Model[Any], Model[Any]]:
    """The first stage, which draws 7×7 pictures of a class, and the upscaling model."""
    small, part = shrunk(real.images), slice(PICTURES)
    hidden, epochs = (32, (8, 2)) if quick else (128, (1, 1))
    torch.manual_seed(0)
    first = stage(
        data.Images(small, real.labels, batch=64, shuffle=True, names=real.names),
        net.UNet((1, 8, 8) if quick else (1, 32, 64), labels=10, hidden=hidden),
        guidance.ClassifierFree(dropout=0.1, strength=0.25),
        epochs[0],
    )
    second = stage(
        data.Images(real.images[part], enlarged(small[part]), batch=32, shuffle=True),
        net.UNet((1, 8, 8, 16) if quick else (1, 24, 48, 96), hidden=hidden, beside=1),
        Augment(),
        epochs[1],
    )
    name = "upscale-quick" if quick else "upscale"
    low = clothes.trained(first, f"{name}/low", epochs[0])
    return low, clothes.trained(second, f"{name}/high", epochs[1], (Augment,))


def drawn(pipe: Block, rows: int, **given: Any) -> Tensor:
    """Pictures of a pipeline, a hundred at a time; each input has a row for each of them."""
    parts = []
    for i in range(0, rows, 100):
        part = {key: value[i : i + 100] for key, value in given.items()}
        with fast():
            parts.append(pipe(**part, seed=i))
    return torch.cat(parts)


def enlargers(base: Model[Any], high: Model[Any], steps: int, **low: Any) -> dict[str, Block]:
    """The pipelines from small pictures to large ones, or from what makes small ones."""
    pool = Pool(FACTOR)
    led = {"operator": pool, "guidance": Observed(pool, iterations=3)}
    return {
        "upscaler": Upscale(high, steps, output="tensor", **low),
        "Observed": Upscale(base, steps, output="tensor", **led, **low),
    }


def fidelity(w: Tensor, small: Tensor, real: Tensor) -> dict[str, float]:
    """PSNR in dB, the mean over pictures, and how far the means over 4×4 pixels are, in levels."""
    mse = (w.float() - real.float()).square().flatten(1).mean(1).clamp_min(1e-3)
    return {
        "psnr": float(10 * (255**2 / mse).log10().mean()),
        "consistency": clothes.rms(F.avg_pool2d(w.float(), FACTOR) - small),
    }


def timed(pipe: Block, rows: int, **given: Any) -> tuple[Tensor, float]:
    """Pictures of a pipeline, and the milliseconds of the processor for each."""
    begun = clock.process_time()
    made = drawn(pipe, rows, **given)
    return made, 1000 * (clock.process_time() - begun) / rows


def enlarging(test: clothes.Trial, pipes: dict[str, Block]) -> dict[str, Any]:
    """Small test pictures made large in every way."""
    small = shrunk(test.images)
    bytes_ = data.Images().decode
    made = {mode: bytes_(enlarged(small, mode)) for mode in ("nearest", "bicubic")}
    costs = dict.fromkeys(made, 0.0)
    for name, pipe in pipes.items():
        known = {"label": test.labels.tolist()} if "label" in pipe.ports().inputs else {}
        made[name], costs[name] = timed(pipe, len(small), image=small, **known)
    made["real"] = test.images
    return {
        name: test.judged(w) | fidelity(w, small, test.images) | {"cost": costs.get(name, 0.0)}
        for name, w in made.items()
    }


def generating(test: clothes.Trial, pipes: dict[str, Block]) -> dict[str, Any]:
    """Pictures of classes, drawn in two stages and by the large model alone."""
    label, found = test.labels.tolist(), {}
    for name, pipe in pipes.items():
        w, cost = timed(pipe, len(label), label=label)
        found[name] = test.judged(w) | {"cost": cost}
    return found


def show(
    test: clothes.Trial, pipes: dict[str, Block], first: Block, ways: dict[str, Block]
) -> None:
    """A test picture of each class, enlarged in every way; a drawn one, in every way."""
    ids, decode = list(range(1, 11)), data.Images().decode
    real = test.images[:: len(test.images) // 10]
    small = shrunk(real)

    columns = [("7 x 7", decode(enlarged(small, "nearest"))), ("bicubic", decode(enlarged(small)))]
    for name, pipe in pipes.items():
        known = {"label": ids} if "label" in pipe.ports().inputs else {}
        columns += [(name, pipe(image=small, seed=seed, **known)) for seed in (1, 2)]
    clothes.sheet([*columns, ("real", real)], NAMES, OUT / "samples.png")

    columns = []
    for seed in (1, 2):
        begun = decode(enlarged(first(label=ids, seed=seed), "nearest"))
        columns += [("first stage", begun)]
        columns += [(name, pipe(label=ids, seed=seed)) for name, pipe in ways.items()]
    clothes.sheet(columns, NAMES, OUT / "stages.png")


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="tiny networks on 640 pictures")
    quick = parser.parse_args(argv).quick
    real, base = fashion(quick), clothes.base(quick)
    low, high = stages(real, quick)
    each, steps = (8, 2) if quick else (30, 10)
    test = clothes.Trial(real, each, quick)
    first = ClassToImage(low, steps, output="tensor")
    pipes = enlargers(base, high, steps)
    ways = enlargers(base, high, steps, low=first)
    ways["one stage"] = ClassToImage(base, steps, output="tensor")

    result = {"enlarged": enlarging(test, pipes), "drawn": generating(test, ways)}
    with fast():
        show(test, pipes, first, ways)
    (OUT / "result.json").write_text(json.dumps(result, indent=2))
    print(json.dumps(result, indent=2))
    return result


if __name__ == "__main__":
    main()

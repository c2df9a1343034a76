"""Guidance against what it should sample, where that is known exactly.

    python benchmarks/guidance.py [PICTURE.png]

First a labelled mixture under its exact denoiser: what is sampled for class 2 in 40 steps of Adams
(for PlusPlus of DDIM), beside the class itself. Guidance of strength 0, and an exact classifier,
must sample the class; the others move away from it on purpose, and the table says how far. The same
for three tokens of four symbols under masks, whose law after 32 ancestral steps is a finite sum.
Then linear inverse problems, in 100 steps, against their exact posterior. Fréchet distances are
those of mean and covariance; "rows" is the number of states that the network is asked about in each
step.
"""

import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from diffusion import guidance, noise, picture, sampler, schedule
from diffusion.base import Guidance, Predict, Sampler
from diffusion.exact import Enumerated, LinearGaussian, Mixture
from diffusion.metric.frechet import between

BED = Mixture(
    torch.tensor([0.3, 0.4, 0.3]),
    torch.tensor([[1.1, 0.3], [-0.7, 0.7], [0.1, -0.8]]).double(),
    None,
    torch.tensor(
        [[[0.30, 0.12], [0.12, 0.10]], [[0.12, -0.05], [-0.05, 0.25]], [[0.25, 0.0], [0.0, 0.09]]]
    ).double(),
)
STEPS, COUNT = 40, 10_000
FLOW = noise.Gaussian("velocity").bind(schedule.Flow())
FREE = guidance.ClassifierFree


class Posterior(nn.Module):
    """log p(y | z) of the mixture, exactly."""

    def forward(self, z: Tensor, t: Tensor) -> Tensor:
        ids = (torch.full((len(z),), k) for k in (1, 2, 3))
        logs = [BED.log_density(z, 1 - t.double(), t.double(), y) for y in ids]
        return torch.stack(logs, 1) + BED.weights.double().log()


class Blurred(nn.Module):
    """The denoiser of the mixture with wider components: a network that has learned less."""

    def __init__(self, extra: float) -> None:
        super().__init__()
        wide = BED.matrices + extra * torch.eye(2).double()
        self.predict = Mixture(BED.weights, BED.means, None, wide).oracle(FLOW)

    def forward(self, z: Tensor, y: Tensor, t: Tensor) -> Tensor:
        hat: Tensor = self.predict(z, y, t)
        return hat


def walk(
    one: Guidance, predict: Predict, y: int, walker: Sampler, count: int, steps: int, size: int
) -> Tensor:
    """`count` samples in `steps` steps, from noise of exactly zero mean and unit covariance."""
    times = [1 - i / steps for i in range(steps)] + [0.0]
    FLOW.prepare(times)
    draw = torch.Generator().manual_seed(0)
    z = torch.randn(count, size, dtype=torch.float64, generator=draw)
    z = torch.linalg.solve_triangular(torch.linalg.cholesky(torch.cov(z.T)), (z - z.mean(0)).T,
                                      upper=False).T  # fmt: skip
    labels = torch.full((count,), y)
    *_, w = walker(FLOW, one(predict, FLOW), z, labels, times, draw)
    return w


def moments(w: Tensor) -> tuple[Tensor, Tensor]:
    return w.mean(0), torch.cov(w.T)


def counted(predict: Predict) -> tuple[Predict, Callable[[], int]]:
    """The prediction, and how many states it was asked about."""
    asked: list[int] = []

    def asking(z: Any, y: Any, t: Any) -> Any:
        asked.append(len(z))
        return predict(z, y, t)

    return asking, lambda: sum(asked)


def classes() -> None:
    goal = BED.given(2).moments()
    rows: list[tuple[str, Guidance, Predict]] = [
        (repr(one).replace("net=Posterior()", "exact"), one, BED.oracle(FLOW))
        for one in (
            FREE(strength=0.0), guidance.Classifier(Posterior(), 1.0, blind=True),
            FREE(strength=1.0), FREE(strength=4.0), guidance.Interval(FREE(strength=4.0), 0.1, 0.7),
            guidance.Rescale(FREE(strength=4.0), 0.7), guidance.Project(4.0),
            guidance.PlusPlus(1.0), guidance.PlusPlus(0.6), guidance.Compose((2.0,)),
        )
    ]  # fmt: skip
    for strength in (0.0, 0.5, 1.0):
        one = guidance.Auto(Blurred(0.1), strength)
        rows.append((f"a blurred network, Auto(blurred twice, {strength})", one, Blurred(0.05)))
    print("| guidance | mean error | std / std of the class | Fréchet | sure of the class | rows |")
    print("|---|---|---|---|---|---|")
    for name, one, predict in rows:
        asking, total = counted(predict)
        walker = sampler.DDIM() if isinstance(one, guidance.PlusPlus) else sampler.Adams()
        w = walk(one, asking, 2, walker, COUNT, STEPS, 2)
        mean, covariance = moments(w)
        ratio = (covariance.diagonal() / goal[1].diagonal()).sqrt()
        sure = float(BED.responsibilities(w, 1.0, 0.0)[:, 1].mean())
        print(
            f"| {name} | {float((mean - goal[0]).norm()):.3f} | {float(ratio[0]):.2f}, "
            f"{float(ratio[1]):.2f} | {between(mean, covariance, *goal) ** 0.5:.3f} | {sure:.1%} | "
            f"{total() / COUNT / STEPS:.2g} |"
        )


SYMBOLS, LENGTH = 4, 3
MASKED = noise.Absorbing(SYMBOLS + 1).bind(schedule.Flow(100))


class Reader(nn.Module):
    """log p(y | z) of masked sequences, exactly; it does not depend on the time."""

    def __init__(self, laws: list[Enumerated]) -> None:
        super().__init__()
        self.logs = torch.stack([law.noisy(MASKED, 50).log() for law in laws[1:]], -1)

    def forward(self, z: Tensor, t: Tensor) -> Tensor:
        return self.logs[z.unbind(1)]


def tokens() -> None:
    draw = torch.Generator().manual_seed(0)
    inside = torch.randn(3, *(SYMBOLS,) * LENGTH, generator=draw).double().exp()
    given = nn.functional.pad(inside / inside.sum((1, 2, 3), keepdim=True), (0, 1) * LENGTH)
    laws = [Enumerated(one) for one in (given.mean(0), *given)]
    times = [round(100 * (1 - i / 32)) for i in range(32)] + [0]

    def exact(z: Tensor, y: Tensor, t: Any) -> Tensor:
        found = torch.stack([law.oracle(MASKED)(z, None, t) for law in laws])
        return found[y, :, torch.arange(len(z))].transpose(0, 1)

    def asked(guided: Predict, z: Tensor, _: Any, t: Any) -> Any:
        return guided(z, torch.full((len(z),), 2), t)

    rows: list[Guidance] = [
        FREE(strength=0.0), guidance.Classifier(Reader(laws), 1.0, blind=True),
        FREE(strength=1.0), FREE(strength=4.0), guidance.Interval(FREE(strength=4.0), 0.1, 0.7),
        guidance.Rescale(FREE(strength=4.0), 0.7), guidance.Rescale(FREE(strength=4.0), 1.0),
        guidance.Project(1.0, momentum=0.0), guidance.Project(4.0, momentum=0.0),
    ]  # fmt: skip
    goal, share = laws[2], laws[2].p / laws[0].p.clamp_min(1e-300) / 3
    print("| guidance of tokens | variation | entropy | sure of it |", "|---" * 4 + "|", sep="\n")
    for one in rows:
        law = laws[0].law(MASKED, partial(asked, one(exact, MASKED)), times)
        off, sure = goal.variation(law), float((law * share).sum())
        entropy = float(torch.special.entr(law).sum()) / goal.entropy
        name = repr(one).replace("net=Reader()", "exact")
        print(f"| {name} | {off:.3f} | {entropy:.2f} | {sure:.1%} |")


def problems() -> None:
    draw = torch.Generator().manual_seed(1)
    root = 0.5 * torch.randn(4, 4, generator=draw).double()
    wide = root @ root.T + 0.1 * torch.eye(4).double()
    one = Mixture(torch.ones(1), torch.tensor([[0.5, -0.3, 0.2, 0.1]]).double(), None, wide[None])
    centres = torch.tensor([[0.8, 0.4, -0.4, 0.2], [-0.8, 0.0, 0.4, -0.2]]).double()
    two = Mixture(torch.tensor([0.4, 0.6]), centres, None, torch.stack([wide, 0.7 * wide]))
    maps = {
        "mean of pairs": torch.tensor([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]]) / 2,
        "every other": torch.tensor([[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]]),
    }
    print("| prior | observed | method | sampler | mean error | covariance error | Fréchet |")
    print("|---" * 7 + "|")
    for prior_name, prior in (("Gaussian", one), ("mixture", two)):
        for name, matrix in maps.items():
            problem = LinearGaussian(matrix.double(), 0.1, prior)
            seen = problem.observe(prior.sample(1, draw)[0], draw)[0]
            goal = problem.posterior(seen).moments()
            for method in ("mmps", "pigdm", "dps"):
                for walker in (sampler.DDIM(), sampler.Ancestral()):
                    a = matrix.double()
                    guide = guidance.Observe(lambda x, a=a: x @ a.T, seen, 0.1, method)
                    w = walk(guide, prior.oracle(FLOW), 0, walker, 4000, 100, 4)
                    mean, covariance = moments(w)
                    print(
                        f"| {prior_name} | {name} | {method} | {type(walker).__name__} | "
                        f"{float((mean - goal[0]).abs().max()):.3f} | "
                        f"{float((covariance - goal[1]).abs().max()):.3f} | "
                        f"{between(mean, covariance, *goal) ** 0.5:.3f} |"
                    )


COLOURS = torch.tensor([[31, 95, 168], [209, 96, 61], [60, 141, 90]]).double()


def panel(one: Guidance, side: int = 128, reach: float = 3.4) -> Tensor:
    """Samples of all three classes as a picture `[3, side, side]` of their densities."""
    ink = torch.zeros(side, side, 3).double()
    for y in (1, 2, 3):
        w = walk(one, BED.oracle(FLOW), y, sampler.DDIM(), 3000, 30, 2)
        at = ((w + reach) / (2 * reach) * side).long()
        at = at[((at >= 0) & (at < side)).all(1)]
        count = torch.zeros(side * side).double()
        count.index_add_(0, (side - 1 - at[:, 1]) * side + at[:, 0], torch.ones(len(at)).double())
        cover = 1 - torch.exp(-count.reshape(side, side, 1) / 1.5)
        ink = ink + cover * (255 - COLOURS[y - 1])
    levels = (255 - ink).clamp(0, 255).div(17).round() * 17  # few colours make a small file
    return levels.permute(2, 0, 1).to(torch.uint8)


def draw(path: Path) -> None:
    strengths = (0.0, 1.0, 3.0, 7.0)
    kinds: dict[str, Callable[[float], Guidance]] = {
        "ClassifierFree": lambda s: FREE(strength=s),
        "Interval 0.1-0.7": lambda s: guidance.Interval(FREE(strength=s), 0.1, 0.7),
        "Project": guidance.Project,
    }
    panels = [panel(make(s)) for make in kinds.values() for s in strengths]
    image = picture.grid(
        torch.stack(panels), len(strengths), [*kinds], 1,
        headings=[f"strength {s:g}" for s in strengths],
    )  # fmt: skip
    image.quantize(64).save(path, optimize=True)
    print(f"\n{path}: {path.stat().st_size / 1000:.0f} kB")


def main() -> None:
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    started = time.perf_counter()
    classes()
    print()
    tokens()
    print()
    problems()
    if len(sys.argv) > 1:
        draw(Path(sys.argv[1]))
    print(f"{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()

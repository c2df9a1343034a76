"""What the library adds to the network: sampling loops and training steps.

    python benchmarks/overhead.py

Sampling: `Model.stream` and `decode` over N bare calls of the same network, step beside step.
Training: an epoch of `Model.train`, with EMA, over as many bare steps (forward, backward, fused
AdamW) of the same network and batch.
"""

import time
from collections.abc import Callable, Iterator

import torch
from ratio import HEAD, paired, ratio, row
from torch import Tensor, nn

import diffusion
from diffusion import data, loss, noise, sampler, schedule
from diffusion import time as times
from diffusion.base import Net


class Mill(Net):
    """A stack of linear layers that takes as long as asked for."""

    layers: int = 4
    width: int = 256

    def __post_init__(self) -> None:
        self.stack = nn.Sequential(*(nn.Linear(self.width, self.width) for _ in range(self.layers)))

    def forward(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        result: Tensor = self.stack(x)
        return result[None]


def milliseconds(call: Callable[[], object]) -> float:
    """CPU time of a call when nothing disturbs it: the fastest tenth of many."""
    values = []
    for _ in range(50):
        started = time.process_time()
        call()
        values.append(time.process_time() - started)
    return sorted(values)[5] * 1e3


def sized(target: float, batch: int, train: bool = False) -> Mill:
    """A net whose call (with backward and optimiser, if `train`) takes `target` milliseconds."""
    torch.set_num_threads(1)
    for layers in range(1, 200):
        net = Mill(layers, 256)
        x = torch.randn(batch, 256)
        call = bare_step(net, x) if train else _eval(net, x)
        if milliseconds(call) >= target:
            return net
    raise SystemExit("this machine is too fast for the benchmark's net")


def _eval(net: Net, x: Tensor) -> Callable[[], None]:
    y, t = torch.zeros(len(x), dtype=torch.long), torch.full((len(x),), 0.5)

    def call() -> None:
        with torch.no_grad():
            net(x, y, t)

    return call


def bare_step(net: Net, x: Tensor) -> Callable[[], None]:
    """Forward, backward, optimiser: nothing else."""
    optimizer = torch.optim.AdamW(net.parameters(), 1e-4, fused=True)
    y, t = torch.zeros(len(x), dtype=torch.long), torch.full((len(x),), 0.5)
    target = torch.randn_like(x)

    def call() -> None:
        value = ((net(x, y, t)[0] - target) ** 2).mean()
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        optimizer.step()

    return call


def model(net: Net, w: Tensor, batch: int, steps: int = 1000) -> diffusion.Model:
    """A plain flow-matching model around a net."""
    return diffusion.Model(
        data=data.Identity(w, batch=batch), schedule=schedule.Flow(steps),
        noise=noise.Gaussian("velocity"), net=net, loss=loss.Simple(), time=times.Continuous(),
        ema=0.999,
    )  # fmt: skip


def sampling(
    net: Net, w: Tensor, batch: int, steps: int, one: sampler.DDIM | sampler.Ancestral
) -> tuple:
    """Model.sample over the same number of bare calls."""
    whole = model(net.eval(), w, batch, max(steps, 100))
    x = torch.randn(batch, *w.shape[1:])
    bare = _eval(net, x)

    def ours() -> Iterator[object]:
        states = whole.stream(batch=batch, steps=steps, sampler=one, seed=0)
        next(states)  # the start: no network call
        for z in states:
            yield z
        whole.data.decode(z)

    return paired(ours, bare, rounds=5 + 400 // steps)


def training(net: Net, w: Tensor, batch: int, rounds: int) -> tuple:
    """One epoch of Model.train over as many bare steps."""
    whole = model(net, w, batch)
    bare = bare_step(net.train(), w[:batch])
    count = len(w) // batch
    return ratio(
        lambda: [*whole.train(1)],
        lambda: [bare() for _ in range(count)],
        rounds=rounds,
    )


def main() -> None:
    print(HEAD)
    torch.manual_seed(0)
    unet = diffusion.net.UNet(channels=(1, 32, 64), labels=10, hidden=128)  # the demo's
    pictures = torch.randn(256, 1, 8, 8)
    for batch in (100, 16):  # about what the demo draws, and the command line
        for one in (sampler.DDIM(), sampler.Ancestral()):
            value = sampling(unet, pictures, batch, 20, one)
            name = f"sampling / N net calls, demo net, batch {batch}, {type(one).__name__}"
            print(row(name, value, "≤ 1.02"))
    small, vectors = sized(1.0, 8), torch.randn(64, 256)
    for steps in (20, 100, 1000):
        for one in (sampler.DDIM(), sampler.Ancestral()):
            value = sampling(small, vectors, 8, steps, one)
            name = f"sampling / N net calls, 1 ms net, T = {steps}, {type(one).__name__}"
            print(row(name, value, "≤ 1.10"))
    value = training(diffusion.net.UNet((1, 32, 64, 64)), pictures, 32, 15)
    print(row("training step with EMA / bare step, small UNet", value, "≤ 1.03"))
    value = training(sized(2.0, 32, train=True), torch.randn(640, 256), 32, 61)
    print(row("training step with EMA / bare step, 2 ms net", value, "≤ 1.15"))


if __name__ == "__main__":
    main()

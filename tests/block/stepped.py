"""Models, samplers, and blocks between steps, for tests."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, Any, TypedDict

import torch
from torch import Tensor

from diffusion import Model, data, net, noise, schedule
from diffusion.base import Net, Sampler
from diffusion.block import Block
from diffusion.sampler import Ancestral


def pictures(channels: int = 1, labels: int = 0, **more: Any) -> Any:
    """A U-Net whose last layer is no longer zero."""
    torch.manual_seed(0)
    network = net.UNet((channels, 8), labels=labels)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.05)
    return Model(data.Images(), schedule.Cosine(100), noise.Gaussian(), network,
                 shape=(channels, 8, 8), **more)  # fmt: skip


def absorbing() -> Any:
    """Tokens 0 to 3, and 4, which stands for any of them."""
    torch.manual_seed(0)
    model = Model(
        data.Identity(torch.randint(0, 4, (8, 6)), batch=4), schedule.Cosine(20),
        noise.Absorbing(5), net.Transformer(5, width=8, heads=2),
    )  # fmt: skip
    with torch.no_grad():
        for parameter in model.net.parameters():
            parameter.normal_(0, 0.3)
    return model


class Both(Net):
    """A point in the plane, and one of three labels."""

    def __post_init__(self) -> None:
        self.layer = torch.nn.Linear(2, 5)

    def forward(self, x: Any, y: Any, t: Any) -> Any:
        made = self.layer(x["point"])
        return {"point": made[None, :, :2], "label": made[None, :, None, 2:]}


def joint() -> Any:
    parts = {"point": data.Identity(), "label": data.Identity()}
    w = {"point": torch.randn(16, 2), "label": torch.randint(0, 3, (16, 1))}
    return Model(
        data.Joint(w, parts=parts, batch=8), schedule.Cosine(20),
        noise.Joint({"point": noise.Gaussian(), "label": noise.Uniform(3)}), Both(),
        sampler=Ancestral(),
    )  # fmt: skip


class Glimpse(TypedDict):
    steps_seen: int
    times: float
    shares: float


class Peek(Block):
    def __call__(self, state: Tensor, step: int, steps: int, time: float) -> Glimpse:
        return {"steps_seen": step, "times": time, "shares": (step + 1) / steps}


class Pair(TypedDict):
    picture: Tensor
    guess: Tensor


class See(Block):
    def __call__(self, state: Tensor, denoised: Tensor) -> Pair:
        return {"picture": state.clone(), "guess": denoised.clone()}


class Add(Block):
    by: float

    def __call__(self, state: Tensor) -> Annotated[Tensor, "state"]:
        return state + self.by


class Bound(Block):
    most: float = 1.0

    def __call__(
        self, state: Annotated[Tensor, "b c h w"], limit: float | None = None
    ) -> Annotated[Tensor, "state: b c h w"]:
        most = self.most if limit is None else limit
        return state.clamp(-most, most)


class Hold(Block):
    """Known places hold `original`, with always the same noise."""

    model: Model[Any]

    def __call__(
        self,
        state: Annotated[Tensor, "b c h w"],
        time: float,
        original: Annotated[Tensor, "b c h w"],
        epsilon: Annotated[Tensor, "b c h w"],
        kept: Annotated[Tensor, "h w"],
    ) -> Annotated[Tensor, "state: b c h w"]:
        signal, sigma = self.model.bind().clock(time)
        return torch.where(kept, signal * original + sigma * epsilon, state)


class Keep(Block):
    def __call__(
        self, state: Annotated[Tensor, "b n"], tokens: Annotated[Tensor, "b n"],
        places: Annotated[Tensor, "n"],
    ) -> Annotated[Tensor, "state: b n"]:  # fmt: skip
        return torch.where(places, tokens, state)


class Stop(Block):
    at: int

    def __call__(self, step: int) -> Annotated[bool, "stop"]:
        return step == self.at


class Explode(Block):
    at: int

    def __call__(self, step: int) -> Annotated[int, "survived"]:
        if step == self.at:
            raise RuntimeError("enough")
        return step


class Reshape(Block):
    def __call__(self, state: Tensor) -> Annotated[Tensor, "state"]:
        return state.flatten(1)


class Deaf(Sampler):
    """Goes on from its own state, whatever is made of what it yields."""

    def __call__(
        self, noise: Any, predict: Any, z: Any, y: Any, times: Any, rng: Any
    ) -> Iterator[Any]:
        inner = getattr(noise, "inner", noise)
        for t, s in pairwise(times):
            z = inner.step(z, t, s, predict(z, y, t)).sample(rng)[0]
            yield z

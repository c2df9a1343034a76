"""Randomness that is determined rather than captured.

Every draw is a function of (seed, what it is for), so nothing random has to be saved for a run to
resume exactly, and a sample does not depend on the batch it was drawn in. `Rng` is one
`torch.Generator` for a batch, or a list with one generator per sample. Generators live on the CPU:
the same seed gives the same noise on every device.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeAlias

import torch
from torch import Generator, Tensor

Rng: TypeAlias = Generator | Sequence[Generator] | None


def fold(seed: int, *path: int | str) -> int:
    """A 63-bit seed derived from `seed` and a path such as `("epoch", 3)`."""
    digest = hashlib.blake2b(repr((seed, *path)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def generator(seed: int, *path: int | str) -> Generator:
    """A fresh CPU generator at `fold(seed, *path)`."""
    return Generator().manual_seed(fold(seed, *path))


def samples(seed: int, size: int) -> list[Generator]:
    """One generator for each of `size` samples: sample `i` depends on `(seed, i)` only."""
    return [generator(seed, "sample", i) for i in range(size)]


def entropy() -> int:
    """A seed from torch's global generator, which it advances."""
    return int(torch.randint(2**62, ()).item())


@contextmanager
def scope(seed: int, device: torch.device | str = "cpu") -> Iterator[None]:
    """Seed the global generators inside, put them back after: for code that knows no generators."""
    device = torch.device(device)
    state = torch.get_rng_state()
    accelerator = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
    torch.default_generator.manual_seed(seed)
    if accelerator is not None:
        torch.cuda.manual_seed(seed)
    try:
        yield
    finally:
        torch.set_rng_state(state)
        if accelerator is not None:
            torch.cuda.set_rng_state(accelerator, device)


def normal(like: Tensor, rng: Rng = None) -> Tensor:
    """Standard normal noise with the shape, dtype and device of `like`."""
    return _draw(Tensor.normal_, like, like.dtype, rng)


def uniform(like: Tensor, rng: Rng = None) -> Tensor:
    """Uniform noise on [0, 1) in float64 with the shape and device of `like`."""
    return _draw(Tensor.uniform_, like, torch.float64, rng)


def _draw(fill: Callable[..., Tensor], like: Tensor, dtype: torch.dtype, rng: Rng) -> Tensor:
    if rng is None:
        return fill(torch.empty(like.shape, dtype=dtype, device=like.device))
    # Half types draw in float32, so that one seed gives one picture in every precision.
    drawn = torch.float32 if dtype in (torch.float16, torch.bfloat16) else dtype
    out = torch.empty(like.shape, dtype=drawn)
    if isinstance(rng, Generator):
        fill(out, generator=rng)
    else:
        for row, one in zip(out.unbind(0), rng, strict=True):
            fill(row, generator=one)
    return out.to(like.device, dtype)

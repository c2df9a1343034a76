"""Randomness that is determined rather than captured.

Every draw is a function of (seed, what it is for), so nothing random has to be saved for a run to
resume exactly, and a sample does not depend on the batch it was drawn in. `Rng` is one
`torch.Generator` for a batch, or a sequence with one generator per sample. Generators live on the
CPU: the same seed gives the same noise on every device.
"""

import hashlib
import math
import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Generator, Tensor

from .errors import InputError

Rng: TypeAlias = Generator | Sequence[Generator] | None
Seed: TypeAlias = int | Sequence[int] | Tensor | np.ndarray[Any, Any] | Generator
"""One seed for all samples, or one for each; a generator is asked for one, and advances."""


def fold(seed: int, *path: int | str) -> int:
    """A 63-bit seed derived from `seed` and a path such as `("epoch", 3)`."""
    digest = hashlib.blake2b(repr((whole(seed), *path)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def generator(seed: int, *path: int | str) -> Generator:
    """A fresh CPU generator at `fold(seed, *path)`."""
    return Generator().manual_seed(fold(seed, *path))


class Each(tuple[Generator, ...]):
    """One generator for each sample; small normal draws are fetched several steps ahead.

    What a sample draws is a function of its own seed and of the shapes it is asked for.
    """

    AHEAD, LARGE = 8, 1024

    def __init__(self, _: Iterable[Generator] = ()) -> None:
        self._ahead: dict[Any, list[Tensor]] = {}

    def normal(self, like: Tensor) -> Tensor:
        """Standard normal noise, row i from generator i."""
        key = like.shape, like.dtype, like.device
        left = self._ahead.get(key)
        if left:
            return left.pop()
        count = math.prod(like.shape[1:])
        if left is None or count > self.LARGE:  # there may never be a second draw
            self._ahead[key] = []
            return _draw(Tensor.normal_, like.shape, like, like.dtype, self)
        drawn = _draw(Tensor.normal_, (len(self), self.AHEAD, count), like, like.dtype, self)
        rows = drawn.transpose(0, 1).reshape(self.AHEAD, *like.shape)
        left.extend(reversed(rows.unbind(0)))
        return left.pop()


def whole(seed: Any) -> int:
    """A seed as Python's int, whatever library it comes from, so that 3 is 3."""
    try:
        return operator.index(seed)
    except TypeError:
        raise InputError(
            "seed: expected a whole number, one for each sample, or a torch.Generator; got "
            f"{seed!r}."
        ) from None


def samples(seed: Seed, size: int, first: int = 0) -> Each:
    """One generator for each of `size` samples: sample `i` depends on `(seed, first + i)` only.

    With a seed for each sample, sample `i` is the first of the i-th seed, as in a batch of one.
    """
    if isinstance(seed, Generator):
        seed = int(torch.randint(2**62, (), generator=seed, device=seed.device))
    if isinstance(seed, (Tensor, np.ndarray)):
        seed = seed.tolist()
    if isinstance(seed, str) or not isinstance(seed, Sequence):
        return Each(generator(whole(seed), "sample", first + i) for i in range(size))
    if len(seed) != size:
        raise InputError(f"seed: {len(seed)} seeds for {size} samples; give one for each, or one.")
    return Each(generator(whole(one), "sample", 0) for one in seed)


def entropy() -> int:
    """A seed from torch's global generator, which it advances."""
    return int(torch.randint(2**62, ()).item())


@contextmanager
def kept(device: torch.device | str = "cpu") -> Iterator[None]:
    """Put the global generators back after what happens inside."""
    device = torch.device(device)
    state = torch.get_rng_state()
    accelerator = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
    try:
        yield
    finally:
        torch.set_rng_state(state)
        if accelerator is not None:
            torch.cuda.set_rng_state(accelerator, device)


def seed_all(seed: int, device: torch.device | str = "cpu") -> None:
    """Seed the global generators that code on `device` draws from."""
    torch.default_generator.manual_seed(seed)
    if torch.device(device).type == "cuda":
        torch.cuda.manual_seed(seed)


@contextmanager
def scope(seed: int, device: torch.device | str = "cpu") -> Iterator[None]:
    """Seed the global generators inside, put them back after: for code that knows no generators."""
    with kept(device):
        seed_all(seed, device)
        yield


def normal(like: Tensor, rng: Rng = None) -> Tensor:
    """Standard normal noise with the shape, dtype and device of `like`."""
    if isinstance(rng, Each):
        return rng.normal(like)
    return _draw(Tensor.normal_, like.shape, like, like.dtype, rng)


def uniform(like: Tensor, rng: Rng = None) -> Tensor:
    """Uniform noise on [0, 1) in float64 with the shape and device of `like`."""
    return _draw(Tensor.uniform_, like.shape, like, torch.float64, rng)


def seeded(like: Tensor, seeds: np.ndarray[Any, Any], place: int) -> Tensor:
    """Standard normal noise, row i a function of (seed i, place): quick, for very many of them.

    One seed is that of all rows together.
    Seeds are mixed by SplitMix64 (Steele et al. 2014, figure 15).
    """
    one, mixed = Generator(), _mixed(seeds.astype(np.uint64) ^ _mixed(np.array([place], np.uint64)))
    each = (one.manual_seed(seed) for seed in (mixed >> np.uint64(1)).tolist())
    rng = next(each) if len(seeds) == 1 else each
    return _draw(Tensor.normal_, like.shape, like, like.dtype, rng)


def _mixed(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    found: np.ndarray[Any, Any] = x ^ (x >> np.uint64(31))
    return found


def _draw(
    fill: Callable[..., Tensor], shape: Sequence[int], like: Tensor, dtype: torch.dtype,
    rng: Generator | Iterable[Generator] | None,
) -> Tensor:  # fmt: skip
    if rng is None:
        return fill(torch.empty(shape, dtype=dtype, device=like.device))
    # Half types draw in float32, so that one seed gives one picture in every precision.
    drawn = torch.float32 if dtype in (torch.float16, torch.bfloat16) else dtype
    out = torch.empty(shape, dtype=drawn)
    if isinstance(rng, Generator):
        fill(out, generator=rng)
    else:
        for row, one in zip(out.unbind(0), rng, strict=True):
            fill(row, generator=one)
    return out.to(like.device, dtype)

r"""Character n-grams with Witten-Bell smoothing: the baseline of every text example.

$p_n(c \mid h) = \frac{N(hc) + T(h)\,p_{n-1}(c \mid h')}{N(h) + T(h)}$

N counts in the training text, T(h) is the number of distinct symbols seen after the n-1 symbols of
`h`, h' is `h` without its first symbol, and $p_0$ is uniform. (Witten & Bell 1991, method C, in the
interpolated form of Chen & Goodman 1999, equation 17.)
"""

import math

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from diffusion.errors import require

Ids = NDArray[np.int64]


def witten_bell(train: Tensor, test: Tensor, orders: int = 7, symbols: int = 27) -> list[float]:
    """Bits per symbol of `test` under models of `train`, for n = 1..orders.

    Args:
        train, test: ids `[n]` in 0..symbols-1. The first orders-1 of `test` are context only, so
            that every order is measured on the same symbols.
    """
    where = "sources.ngram.witten_bell"
    fits = orders * math.log2(symbols) < 63
    require(orders >= 1 and fits, where, f"1 <= orders and {symbols}^orders < 2^63", orders)
    for ids in (train, test):
        right = ids.dim() == 1 and len(ids) >= orders and _within(ids, symbols)
        require(right, where, f"at least {orders} ids in 0..{symbols - 1}", f"shape {ids.shape}")
    known, asked = train.cpu().numpy().astype(np.int64), test.cpu().numpy().astype(np.int64)
    p: NDArray[np.float64] = np.full(len(asked) - orders + 1, 1 / symbols)
    bits = []
    for n in range(1, orders + 1):
        grams = _windows(asked, n, symbols)[orders - n :]
        p = _interpolated(_windows(known, n, symbols), grams, symbols, p)
        bits.append(float(-np.log2(p).mean()))
    return bits


def _within(ids: Tensor, symbols: int) -> bool:
    return int(ids.min()) >= 0 and int(ids.max()) < symbols


def _windows(ids: Ids, n: int, symbols: int) -> Ids:
    """Each run of `n` ids as one number, its last id the least significant digit."""
    total = np.zeros(len(ids) - n + 1, np.int64)
    for i in range(n):
        total = total * symbols + ids[i : len(ids) - n + 1 + i]
    return total


def _interpolated(
    known: Ids, asked: Ids, symbols: int, lower: NDArray[np.float64]
) -> NDArray[np.float64]:
    """p_n of each asked n-gram, given p_{n-1} of its shorter form."""
    grams, counts = np.unique(known, return_counts=True)
    contexts, first = np.unique(grams // symbols, return_index=True)
    seen = _look(grams, counts, asked)
    after = _look(contexts, np.add.reduceat(counts, first), asked // symbols)
    kinds = _look(contexts, np.diff(np.append(first, len(grams))), asked // symbols)
    mixed = (seen + kinds * lower) / np.maximum(after + kinds, 1)
    return np.where(after > 0, mixed, lower)


def _look(keys: Ids, values: Ids, wanted: Ids) -> Ids:
    """The value of each wanted key, 0 where it is absent; `keys` is sorted."""
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[at] == wanted, values[at], 0)

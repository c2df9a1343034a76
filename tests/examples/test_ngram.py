"""The n-gram baseline, held against its formula."""

from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from diffusion.errors import InputError
from sources import witten_bell


def slow_bits(train: list[int], test: list[int], orders: int, symbols: int) -> list[float]:
    """Witten-Bell by its formula, one symbol at a time; each law is checked to sum to one."""

    def p(c: int, h: tuple[int, ...]) -> float:
        lower = p(c, h[1:]) if h else 1 / symbols
        n = len(h) + 1
        after = Counter(g[-1] for g in runs(n) if g[:-1] == h)
        return (after[c] + len(after) * lower) / (after.total() + len(after)) if after else lower

    def runs(n: int) -> list[tuple[int, ...]]:
        return [tuple(train[i : i + n]) for i in range(len(train) - n + 1)]

    result = []
    for n in range(1, orders + 1):
        total = 0.0
        for i in range(orders - 1, len(test)):
            law = [p(c, tuple(test[i - n + 1 : i])) for c in range(symbols)]
            assert sum(law) == pytest.approx(1)
            total -= torch.tensor(law[test[i]], dtype=torch.float64).log2().item()
        result.append(total / (len(test) - orders + 1))
    return result


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.integers(0, 2), min_size=3, max_size=14),
    st.lists(st.integers(0, 2), min_size=3, max_size=6),
    st.integers(1, 3),
)
def test_ngrams_follow_the_formula(train: list[int], test: list[int], orders: int) -> None:
    fast = witten_bell(torch.tensor(train), torch.tensor(test), orders, 3)
    assert fast == pytest.approx(slow_bits(train, test, orders, 3))


def test_ngrams_refuse_bad_input() -> None:
    with pytest.raises(InputError, match=r"at least 2 ids in 0\.\.2"):
        witten_bell(torch.tensor([0, 1, 3]), torch.tensor([0, 1]), 2, 3)
    with pytest.raises(InputError, match="orders"):
        witten_bell(torch.arange(27), torch.arange(27), 14)

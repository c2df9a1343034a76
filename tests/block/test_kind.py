"""Which values may go where: fits of types agrees with what values are."""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, NewType, Protocol, TypedDict, TypeVar

import numpy as np
import pytest
import torch
from torch import Tensor

from diffusion.base import Sampler
from diffusion.block.kind import fits, holds
from diffusion.sampler import DDIM

Id = NewType("Id", int)
Bound = TypeVar("Bound", bound=Tensor)


class Fields(TypedDict):
    name: str


class Named(Protocol):
    name: str


FIT = [
    (int, int), (int, float), (bool, int), (bool, float), (float, complex), (int, complex),
    (Tensor, Any), (Any, Tensor), (Tensor, object), (DDIM, Sampler),
    (int, int | None), (None, int | None), (int | None, int | str | None), (Tensor, Bound),
    (list[int], list[int]), (list[int], Sequence[int]), (list[int], Sequence[float]),
    (list, list[int]), (list[int], list), (tuple[int, int], tuple[int, ...]),
    (tuple[int, ...], Sequence[int]), (tuple[int, int], Sequence[int]), (str, str),
    (dict[str, int], Mapping[str, float]), (Literal["a"], str), (Literal["a"], Literal["a", "b"]),
    (Annotated[int, "n"], float), (Id, int), (Fields, dict), (type(len), Callable[[int], int]),
    (dict, Fields), (int, Named),
]  # fmt: skip
MISFIT = [
    (float, int), (str, int), (int, bool), (complex, float), (int | None, int), (None, int),
    (int | str, int), (Sampler, DDIM), (Tensor, DDIM), (list[int], list[str]),
    (Sequence[int], list[int]), (tuple[int, str], tuple[int, ...]), (tuple[int], tuple[int, int]),
    (tuple[int, ...], tuple[int, int]), (dict[str, int], dict[str, str]), (str, Literal["a"]),
    (Literal["a", "c"], Literal["a", "b"]), (Literal[1], str), (str, Sequence[str]),
    (str, Iterable[str]), (Fields, list), (int, str), (set[int], list[int]),
]  # fmt: skip


@pytest.mark.parametrize(("given", "wanted"), FIT, ids=str)
def test_these_fit(given: Any, wanted: Any) -> None:
    assert fits(given, wanted)


@pytest.mark.parametrize(("given", "wanted"), MISFIT, ids=str)
def test_these_do_not(given: Any, wanted: Any) -> None:
    assert not fits(given, wanted)


HELD = [
    (1, int), (True, int), (1, float), (1.5, float), (None, int | None), ("a", str | None),
    (torch.zeros(2), Tensor), ([1, 2], list[int]), ([], list[int]), ([1], Sequence[float]),
    ((1, 2), tuple[int, int]), ((1, 2, 3), tuple[int, ...]), ({"a": 1}, dict[str, int]),
    ({"a": 1}, Mapping[str, float]), ("a", Literal["a", "b"]), (2, Literal[1, 2]),
    ({1, 2}, set[int]), ([[1], [2]], list[list[int]]), (["a", None], list[str | None]),
    (len, Callable[[int], int]), (np.zeros(3), np.ndarray), ({"name": "x"}, Fields), (3, Id),
    ("cat", str | Sequence[str]), (["cat"], str | Sequence[str]), (..., Any), (1, Named),
    (DDIM(), Sampler), (int, type[int]),
]  # fmt: skip
NOT_HELD = [
    ("1", int), (1.0, int), (1, bool), (None, int), (np.zeros(2), Tensor), ([1, "a"], list[int]),
    ([1.5], Sequence[int]), ((1, 2, 3), tuple[int, int]), ((1, "a"), tuple[int, ...]),
    ({"a": "b"}, dict[str, int]), ({1: 1}, dict[str, int]), ("c", Literal["a", "b"]),
    (True, Literal[1]), (torch.ones(3), Literal[1]), (np.ones(3), Literal[1]),
    ([["a"]], list[list[int]]),
    ("cat", Sequence[str]), (["cat"], str), (DDIM, Sampler), ({"name"}, Fields), ({"a"}, set[int]),
    ([1], Literal["a"]),
]  # fmt: skip


@pytest.mark.parametrize(("value", "wanted"), HELD, ids=str)
def test_these_values_are_of_the_type(value: Any, wanted: Any) -> None:
    assert holds(value, wanted)


@pytest.mark.parametrize(("value", "wanted"), NOT_HELD, ids=str)
def test_these_values_are_not(value: Any, wanted: Any) -> None:
    assert not holds(value, wanted)


def test_looking_does_not_use_a_generator_up() -> None:
    numbers = (i for i in range(3))
    assert holds(numbers, Iterable[int])
    assert list(numbers) == [0, 1, 2]


TYPES = [
    int, float, bool, str, None, Tensor, int | None, float | None, Tensor | None, str | int,
    list[int], list[float], list[str], Sequence[int], Sequence[float], tuple[int, ...],
    tuple[int, int], dict[str, int], Mapping[str, float], Literal[1], Literal["a"], object, Any,
]  # fmt: skip
VALUES = [
    0, 1, 1.5, True, "a", None, torch.zeros(1), [1], [1.5], ["a"], [], (1, 2), (1, 2, 3), {"a": 1},
]  # fmt: skip


def test_what_fits_holds() -> None:
    """If A fits B, every value of type A is one of type B; but for Any, which is not known."""
    for given, wanted in itertools.product(TYPES, TYPES):
        if given is Any or not fits(given, wanted):
            continue
        for value in VALUES:
            assert not holds(value, given) or holds(value, wanted), (value, given, wanted)

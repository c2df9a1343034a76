"""Data transforms: encode and decode undo each other, item by item."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from .. import tree
from ..component import arguments
from ..data.items import fetch, inspect
from ..tree import State
from . import networks
from .exam import Exam, Verdict, copied, exam, gap, one, sit, skip, within
from .report import Result
from .setting import Setting

NEEDS = (
    "encode takes items w [b, ...] and returns states x [b, ...]; give some: check(data, w=...)."
)


@dataclass
class Case:
    """A transform, some items, and their encoding."""

    data: Any
    w: State
    y: State = None
    x: State = field(init=False)

    def __post_init__(self) -> None:
        self.x = self.encode(self.w)
        self.data.decode(self.x)

    @torch.no_grad()
    def encode(self, w: State) -> State:
        return self.data.encode(w)

    @torch.no_grad()
    def decode(self, x: State) -> State:
        return self.data.decode(x)

    @property
    def lossy(self) -> bool:
        """Whether it goes through an autoencoder, which gives back less than it gets."""
        networks = self.data.modules().values()
        return any(hasattr(m, "encode") and hasattr(m, "decode") for m in networks)


def examples(data: Any, setting: Setting) -> Iterator[tuple[State, State]]:
    """Items and conditions to try: those given, the data's own, or plain guesses."""
    if setting.w is not None:
        yield tree.take(setting.w, slice(0, 4)), setting.y
        return
    if data.w is not None:
        yield fetch(data, torch.arange(min(4, len(data))))
        return
    k = next((v for n, v in arguments(data).items() if n in ("k", "count") and v), 5)
    yield torch.arange(12).reshape(4, 3) % k, None
    yield torch.randn(4, 6), None
    yield torch.arange(4 * 3 * 64).reshape(4, 3, 8, 8).to(torch.uint8), None
    yield torch.rand(4, 3, 8, 8), None


def examine(data: Any, setting: Setting) -> Iterator[Result]:
    """The results for a data transform; of a joint one, for each part."""
    parts = getattr(data, "parts", None)
    if isinstance(parts, dict):
        for key, part in parts.items():
            w = data.w[key] if isinstance(data.w, dict) else None
            own = Setting(w=w, seed=setting.seed)
            yield from (result.under(key) for result in examine(part, own))
        return

    def prepare() -> Case:
        errors = []
        for w, y in examples(data, setting):
            try:
                return Case(data, w, y)
            except Exception as error:  # items of another kind, or a fault: then this is told
                errors.append(error)
        raise errors[0]

    yield from sit(prepare, EXAMS, NEEDS, setting.seed)


@exam(
    "items",
    "Items are in order: some, finite, and one condition for each.",
    "Repair or remove what the message names.",
)
def items(case: Case) -> Verdict:
    if case.data.w is None:
        return skip("no items of its own")
    inspect(case.data)
    names, y = case.data.names, case.data.y
    if names and isinstance(y, Tensor) and int(y.max()) > len(names):
        return False, f"{len(names)} names for class ids up to {int(y.max())}"
    return True, f"{len(case.data)} items"


@exam(
    "encode",
    "encode gives one finite state for each item.",
    "Keep the first axis; divide by no number that can be 0.",
)
def encode(case: Case) -> Verdict:
    shapes = [list(leaf.shape) for leaf in tree.leaves(case.x)]
    sizes = {len(leaf) for leaf in tree.leaves(case.x)} == {tree.size(case.w)}
    finite = all(bool(leaf.isfinite().all()) for leaf in tree.leaves(case.x))
    return sizes and finite, f"{[list(v.shape) for v in tree.leaves(case.w)]} -> {shapes}"


@exam(
    "decode undoes encode",
    "decode(encode(w)) is w: exactly for whole numbers, to 1e-4 for others.",
    "Write decode as the inverse of encode, in the opposite order.",
)
def inverse(case: Case) -> Verdict:
    if case.lossy:
        return skip("an autoencoder gives back less than it gets")
    back = case.decode(case.x)
    whole = not any(leaf.is_floating_point() for leaf in tree.leaves(case.w))
    return within(gap(back, case.w), 0.0 if whole else 1e-4, "largest difference")


@exam(
    "decode any state",
    "decode takes states that no item has, as samplers end near data and not on it.",
    "Round, clamp, or take the nearest, in decode.",
)
def anywhere(case: Case) -> Verdict:
    near = tree.map(lambda x: x + 0.3 * torch.randn_like(x) if x.is_floating_point() else x, case.x)
    back, w = case.decode(near), case.w
    pairs = list(zip(tree.leaves(back), tree.leaves(w), strict=True))
    fine = all(a.shape == b.shape and bool(a.isfinite().all()) for a, b in pairs)
    kinds = all(a.is_floating_point() == b.is_floating_point() for a, b in pairs)
    return fine and kinds, ", ".join(f"{a.dtype} {list(a.shape)}" for a, _ in pairs)


@exam(
    "each item alone",
    "The encoding and decoding of an item do not depend on the rest of the batch.",
    "Measure means and ranges once, on the data set, and not on the batch.",
)
def alone(case: Case) -> Verdict:
    worst, back = 0.0, case.decode(case.x)
    for i in range(tree.size(case.w)):
        worst = max(worst, gap(case.encode(one(case.w, i)), one(case.x, i)))
        worst = max(worst, gap(case.decode(one(case.x, i)), one(back, i)))
    return within(worst, 1e-5, "largest difference")


@exam(
    "determined",
    "The same items have the same encoding every time.",
    "Draw no random numbers in encode or decode.",
)
def determined(case: Case) -> Verdict:
    worst = gap(case.encode(case.w), case.x)
    return within(max(worst, gap(case.decode(case.x), case.decode(case.x))), 0.0, "difference")


@exam(
    "inputs kept",
    "encode and decode do not change what they are given: the data set would change.",
    "Use no in-place operations (names that end in _, +=) on w or x.",
)
def kept(case: Case) -> Verdict:
    w, x = copied(case.w), copied(case.x)
    case.encode(case.w)
    case.decode(case.x)
    return within(max(gap(case.w, w), gap(case.x, x)), 0.0, "largest change")


@exam(
    "bins",
    "Where `bins` is declared, states lie on a lattice of that width on [-1, 1].",
    "bins is 2/(levels - 1) for values scaled to [-1, 1]; return None for other data.",
)
def bins(case: Case) -> Verdict:
    width = case.data.bins
    if width is None:
        return skip("data are not quantised")
    place = (case.x.double() + 1) / width
    off = float((place - place.round()).abs().max())
    inside = bool((case.x.abs() <= 1 + 1e-6).all())
    return inside and off < 1e-3, f"off the lattice by {off:.2g} bins"


@exam(
    "logits",
    "Where logits(x) is defined, the likeliest id at encode(w) is w.",
    "logits(x)[..., k] is log p(w = k | x) up to what all k share.",
)
def logits(case: Case) -> Verdict:
    if not isinstance(case.x, Tensor):
        return skip("several modalities")
    with torch.no_grad():
        value = case.data.logits(case.x)
    if value is None:
        return skip("items are not class ids")
    share = float((value.argmax(-1) == case.w).double().mean())
    return share == 1, f"{share:.0%} of ids"


EXAMS: tuple[Exam, ...] = (
    items, encode, inverse, anywhere, alone, determined, kept, *networks.EXAMS, bins, logits,
)  # fmt: skip

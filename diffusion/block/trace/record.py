"""What is known of one run of a block, and of the sampling in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from ... import tree
from ...sampling.tap import Begun
from ...tree import State


@dataclass(slots=True)
class Asked:
    """One call of the network: what it was shown, when, and what it said."""

    z: State
    t: Any
    hat: Any


@dataclass(slots=True)
class Call:
    """One call of the guided network by the sampler, and the calls of the network it took."""

    z: State
    t: Any
    hat: Any = None
    network: list[Asked] = field(default_factory=list)


@dataclass(slots=True)
class Step:
    """One step of a sampler.

    Attributes:
        before: where the sampler came to, if blocks between the steps then changed it.
        state: where the next step goes on from.
    """

    calls: list[Call] = field(default_factory=list)
    before: State = None
    state: State = None

    @property
    def reached(self) -> State:
        """Where the sampler came to."""
        return self.state if self.before is None else self.before


@dataclass
class Sampled:
    """One sampling.

    Attributes:
        times: as the sampler got them. scales: (signal, sigma) at each; None if there are none.
        z, y, seed: the first state, the conditions, the seed.
        modules: how those that took part are written.
        live: what took part; None in a trace that was read.
    """

    times: Sequence[Any]
    scales: Any
    z: State
    y: State
    seed: Any
    modules: dict[str, str]
    steps: list[Step] = field(default_factory=list)
    live: Begun | None = None


@dataclass
class Record:
    """One run of a block.

    Attributes:
        path, step: its place, from the outside in, and the denoising step it ran after.
        kind, version: of the block. settings: of its components.
        inputs, outputs: by name, tensors beyond the bounds as `Summary`; no outputs if it failed.
        start, seconds: since the trace began; how long. peak, grew: bytes of memory, the most
            that the process ever held, and by how much that rose.
        error: what it failed with, or empty.
        sampled: the samplings in it.
        random: the state of torch's generator when it began; None in a trace that was read.
    """

    path: tuple[str, ...]
    step: int | None
    kind: str
    version: int
    inputs: dict[str, Any]
    outputs: dict[str, Any] = field(default_factory=dict)
    start: float = 0.0
    seconds: float = 0.0
    peak: int = 0
    grew: int = 0
    error: str = ""
    sampled: list[Sampled] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    random: Tensor | None = None

    @property
    def name(self) -> str:
        """Its path with dots; of the whole, its class."""
        return ".".join(self.path) or self.kind.lower()

    def __str__(self) -> str:
        return self.name if self.step is None else f"{self.name}, step {self.step}"


def leaves(value: Any) -> Iterator[Any]:
    """Everything in maps and lists."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for one in value:
            yield from leaves(one)
    else:
        yield value


def scales(noise: Any, t: Any) -> Any:
    """(signal, sigma) of a bound noise at a host time; of joint noise for each part."""
    parts = getattr(noise, "parts", None)
    if isinstance(parts, dict):
        own = t if isinstance(t, dict) else dict.fromkeys(parts, t)
        return {key: scales(part, own[key]) for key, part in parts.items()}
    clock = getattr(noise, "clock", None)
    return None if clock is None else tree.map(lambda one: tuple(map(float, clock(one))), t)

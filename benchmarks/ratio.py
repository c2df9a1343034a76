"""Two things run side by side in one process: the median of the ratios of their CPU times.

Absolute times on shared machines prove nothing. Rounds alternate, one thread, process CPU time.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch


def ratio(
    ours: Callable[[], Any], other: Callable[[], Any], rounds: int = 15, warm: int = 2
) -> tuple[float, float, float]:
    """(median, lowest, highest quartile) of time(ours)/time(other), round by round."""
    torch.set_num_threads(1)
    for _ in range(warm):
        ours()
        other()
    values = []
    for index in range(rounds):
        first, second = (ours, other) if index % 2 else (other, ours)
        times = {}
        for function in (first, second):
            started = time.process_time()
            function()
            times[function] = time.process_time() - started
        values.append(times[ours] / times[other])
    low, middle, high = statistics.quantiles(values, n=4)
    return middle, low, high


def paired(
    ours: Callable[[], Iterator[Any]], other: Callable[[], Any], rounds: int = 15, warm: int = 1
) -> tuple[float, float, float]:
    """The same for work that comes in steps: `other()` runs after each step of `ours()`.

    A noisy neighbour then slows both alike, however long the whole takes.
    """
    torch.set_num_threads(1)
    values = []
    for index in range(warm + rounds):
        mine = bare = 0.0
        started = time.process_time()
        for _ in ours():
            middle = time.process_time()
            other()
            mine, bare = mine + middle - started, bare + time.process_time() - middle
            started = time.process_time()
        if index >= warm:
            values.append((mine + time.process_time() - started) / bare)
    low, middle, high = statistics.quantiles(values, n=4)
    return middle, low, high


def row(name: str, value: tuple[float, float, float], goal: str) -> str:
    """A line of the table in docs/benchmarks.md."""
    middle, low, high = value
    return f"| {name} | {middle:.3f} | {low:.3f} – {high:.3f} | {goal} |"


HEAD = "| what | median ratio | quartiles | goal |\n|---|---|---|---|"

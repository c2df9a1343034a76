"""Faults put into pipelines one at a time, and what `blame` says of each: the table of the docs.

    python benchmarks/blame.py

The faults are those of the tests, tests/block/table.py. Before the table stand the seconds that one
of them takes, and how many were found: block, denoising step and module all right.
"""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from diffusion.block.blame import Blame, blame
from tests.block.faults import Fault, inputs
from tests.block.table import FAULTS


def found(fault: Fault) -> Blame:
    good, bad = fault.make()
    return blame(good, bad, inputs(set(good.ports().inputs)))


def said(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def main() -> None:
    began = time.perf_counter()
    every = [(fault, found(fault)) for fault in FAULTS]
    seconds = (time.perf_counter() - began) / len(every)
    right = sum((b.block, b.step, b.module) == fault[1:4] for fault, b in every)
    print(f"{right} of {len(every)} found, {seconds:.2f} s each\n")
    print("| fault | block | step | module | how it behaves | what differs |")
    print("|---|---|---|---|---|---|")
    for fault, b in every:
        step = "" if b.step is None else str(b.step)
        what, details = said(b.what), said("; ".join(b.details))
        print(f"| {fault.name} | {b.block} | {step} | {b.module} | {what} | {details} |")


if __name__ == "__main__":
    main()

"""Our networks beside Diffusers' own, class by class: the worst difference over all configs.

    python benchmarks/parity.py [--only CLASS]

The configs are those of tests/hub/cases; see tests/hub/parity.py for how they are run. Differences
are relative to the largest number of Diffusers' float32 output.
"""

import argparse
import importlib
import os
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")


def cases() -> dict[str, list[Any]]:
    """Every case by class."""
    from tests.hub.parity import Case

    found: dict[str, list[Any]] = defaultdict(list)
    for path in sorted((ROOT / "tests/hub/cases").glob("[a-z]*.py")):
        module = importlib.import_module(f"tests.hub.cases.{path.stem}")
        for value in vars(module).values():
            if isinstance(value, list) and value and all(isinstance(v, Case) for v in value):
                for case in value:
                    found[case.cls.__name__].append(case)
    return found


def main() -> None:
    from tests.hub.parity import gaps

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="part of a class's name")
    only = parser.parse_args().only
    print("| class | configs | worst in float32 | bfloat16, ours | bfloat16, theirs |")
    print("|---|---|---|---|---|")
    for name, listed in cases().items():
        if only not in name:
            continue
        unique = {str(case): case for case in listed}
        found = []
        for case in unique.values():
            try:
                found.append(gaps(case))
            except (RuntimeError, ValueError):  # Diffusers itself can't run it in bfloat16
                found.append(gaps(case, half=False))
        worst = [max(column) for column in zip(*found, strict=True)]
        cells = " | ".join(f"{value:.1e}" for value in worst)
        print(f"| `{name}` | {len(found)} | {cells} |", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()

"""`import diffusion` against `import torch`, in fresh processes.

python benchmarks/importing.py
"""

import resource
import statistics
import subprocess
import sys

from ratio import HEAD, row


def seconds(statement: str) -> float:
    """CPU seconds of a fresh interpreter that runs one statement."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", statement], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    for statement in ("import torch", "import diffusion"):
        seconds(statement)  # byte code and page cache
    values = [seconds("import diffusion") / seconds("import torch") for _ in range(15)]
    low, middle, high = statistics.quantiles(values, n=4)
    print(HEAD)
    print(row("`import diffusion` / `import torch`", (middle, low, high), "≤ 1.10"))


if __name__ == "__main__":
    main()

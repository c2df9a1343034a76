"""Loading and saving a checkpoint of 3.2 GiB, beside Diffusers: time, and memory that is new.

    python benchmarks/loading.py [--small]

The weights are random, of Stable Diffusion 1.5's U-Net. Each way runs in a process of its own, with
the file in the page cache and a small network of the same class loaded before; the ratio is the
median over alternating runs. Memory is what loading added, sampled every millisecond: anonymous
memory alone, and with the pages of files that are mapped.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median
from typing import Any

SD15: dict[str, Any] = {
    "block_out_channels": (320, 640, 1280, 1280), "cross_attention_dim": 768, "sample_size": 64,
    "attention_head_dim": 8,
}  # fmt: skip
SMALL: dict[str, Any] = {**SD15, "block_out_channels": (64, 64, 128, 128)}
ROUNDS = 7
TASKS = {"load": "load", "cast": "load as bfloat16", "save": "save"}
KEYS = ("seconds", "kept", "peak", "whole")


def memory() -> tuple[int, int]:
    """Bytes of this process: anonymous memory, and all that is resident."""
    lines = Path("/proc/self/status").read_text().splitlines()
    found = {
        line.split(":")[0]: line.split()[1] for line in lines if "Rss" in line or "RSS" in line
    }
    return int(found["RssAnon"]) << 10, int(found["VmRSS"]) << 10


def ways(way: str, cast: bool) -> tuple[Any, Any]:
    """Functions that load a folder, and save into one."""
    import torch

    kind = torch.bfloat16 if cast else None
    if way == "ours":
        from diffusion.hub import component
        from diffusion.hub.save import save_component

        return (
            lambda folder: component(folder, dtype=kind),
            lambda model, folder: save_component(model, Path(folder)),
        )
    from diffusers import UNet2DConditionModel

    options = {"torch_dtype": kind} if kind else {}
    return (
        lambda folder: UNet2DConditionModel.from_pretrained(folder, **options),
        lambda model, folder: model.save_pretrained(folder),
    )


def measured(folder: str, way: str, task: str) -> dict[str, float]:
    """Load, or save, once, here."""
    load, save = ways(way, task == "cast")
    with tempfile.TemporaryDirectory(dir=folder) as spare:
        save(load(f"{folder}/small"), f"{spare}/small")
        kept = load(f"{folder}/large") if task == "save" else None

        def work() -> Any:
            if task != "save":
                return load(f"{folder}/large")
            save(kept, f"{spare}/large")
            return kept

        spent, first, last, seen, model = watched(work)
        size = sum(p.numel() for p in model.parameters()) * 4
    return {
        "seconds": spent,
        "kept": (last[0] - first[0]) / size,
        "peak": (max(one for one, _ in seen) - first[0]) / size,
        "whole": (max(one for _, one in seen) - first[1]) / size,
    }


def watched(work: Any) -> tuple[float, Any, Any, list[tuple[int, int]], Any]:
    """Seconds that `work` takes, memory before, after and on the way, and what it returns."""
    seen, over = [memory()], threading.Event()

    def watch() -> None:
        while not over.wait(0.001):
            seen.append(memory())

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.perf_counter()
    made = work()
    spent = time.perf_counter() - start
    over.set()
    watcher.join()
    seen.append(memory())
    return spent, seen[0], seen[-1], seen, made


def apart(folder: str, way: str, task: str) -> dict[str, float]:
    """Load or save once, in a new process."""
    words = [sys.executable, __file__, "--way", way, "--folder", folder, "--task", task]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="a network of 40 MB")
    for hidden in ("--way", "--folder", "--task"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.way:
        print(json.dumps(measured(chosen.folder, chosen.way, chosen.task)))
        return
    with tempfile.TemporaryDirectory() as folder:
        write(f"{folder}/small", SMALL)
        size = write(f"{folder}/large", SMALL if chosen.small else SD15)
        print(f"{size / 2**30:.2f} GiB of float32\n")
        print(
            "Memory added, over the float32 weights:\n\n"
            "| | seconds | anonymous, kept | anonymous, peak | with mapped files, peak |\n"
            "|---|---|---|---|---|"
        )
        for task, title in TASKS.items():
            runs: dict[str, list[dict[str, float]]] = {"ours": [], "diffusers": []}
            for _ in range(ROUNDS):
                for way, found in runs.items():
                    found.append(apart(folder, way, task))
            for way, found in runs.items():
                cells = (median(one[key] for one in found) for key in KEYS)
                print(
                    f"| {way}: {title} | " + " | ".join(f"{v:.3f}" for v in cells) + " |",
                    flush=True,
                )
            ratio = [o["seconds"] / t["seconds"] for o, t in zip(*runs.values(), strict=True)]
            print(f"| ours / diffusers | {median(ratio):.2f} | | | |")


def write(folder: str, config: dict[str, Any]) -> int:
    """A network's folder, written by ours; its bytes."""
    from diffusion.hub.net import UNet2DConditionModel
    from diffusion.hub.save import save_component

    network = UNet2DConditionModel(**config)
    save_component(network, Path(folder))
    return sum(p.nbytes for p in network.parameters())


if __name__ == "__main__":
    main()

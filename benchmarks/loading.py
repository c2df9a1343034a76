"""Loading and saving a checkpoint of 3.2 GiB, beside Diffusers: time, and memory that is new.

    python benchmarks/loading.py [--small]

The weights are random, of Stable Diffusion 1.5's U-Net. Each way runs in a process of its own, with
the file in the page cache and the libraries imported; the ratio is of medians of alternating runs.
Anonymous memory is what a process has beyond pages of files: the peak while loading, over that
before, sampled every millisecond.
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
ROUNDS = 5


def anonymous() -> int:
    """Bytes of this process's anonymous memory."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) * 1024
    return 0


def measured(folder: str, way: str, cast: bool) -> dict[str, float]:
    """Load once, here."""
    import torch

    kind = torch.bfloat16 if cast else None
    if way == "ours":
        from diffusion.hub import component

        def load() -> Any:
            return component(folder, dtype=kind)
    else:
        from diffusers import UNet2DConditionModel

        def load() -> Any:
            options = {"torch_dtype": kind} if kind else {}
            return UNet2DConditionModel.from_pretrained(folder, **options)

    peak, over = [0], threading.Event()

    def watch() -> None:
        while not over.wait(0.001):
            peak[0] = max(peak[0], anonymous())

    before = anonymous()
    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.perf_counter()
    model = load()
    spent = time.perf_counter() - start
    after = anonymous()
    over.set()
    watcher.join()
    size = sum(p.nbytes for p in model.parameters())
    return {"seconds": spent, "kept": (after - before) / size,
            "peak": (max(peak[0], after) - before) / size}  # fmt: skip


def apart(folder: str, way: str, cast: bool) -> dict[str, float]:
    """Load once, in a new process."""
    words = [sys.executable, __file__, "--way", way, "--folder", folder] + ["--cast"] * cast
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="a network of 40 MB")
    for hidden in ("--way", "--folder"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    parser.add_argument("--cast", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.way:
        print(json.dumps(measured(chosen.folder, chosen.way, chosen.cast)))
        return
    with tempfile.TemporaryDirectory() as folder:
        size = write(folder, SMALL if chosen.small else SD15)
        print(f"{size / 2**30:.2f} GiB of float32\n")
        print(
            "| | seconds | peak of new anonymous memory / weights | kept / weights |\n"
            "|---|---|---|---|"
        )
        for cast in (False, True):
            runs: dict[str, list[dict[str, float]]] = {"ours": [], "diffusers": []}
            for _ in range(ROUNDS):
                for way, found in runs.items():
                    found.append(apart(folder, way, cast))
            for way, found in runs.items():
                cells = (median(one[key] for one in found) for key in ("seconds", "peak", "kept"))
                title = f"{way}{', to bfloat16' if cast else ''}"
                print(f"| {title} | " + " | ".join(f"{v:.3f}" for v in cells) + " |", flush=True)
            ratio = [o["seconds"] / t["seconds"] for o, t in zip(*runs.values(), strict=True)]
            print(f"| ours / diffusers | {median(ratio):.2f} | | |")


def write(folder: str, config: dict[str, Any]) -> int:
    """A network's folder, written by ours; its bytes."""
    from diffusion.hub.net import UNet2DConditionModel
    from diffusion.hub.save import save_component

    network = UNet2DConditionModel(**config)
    save_component(network, Path(folder) / "unet")
    for path in (Path(folder) / "unet").iterdir():
        path.rename(Path(folder) / path.name)
    return sum(p.nbytes for p in network.parameters())


if __name__ == "__main__":
    main()

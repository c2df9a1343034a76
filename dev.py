"""Install and try the library, or check it, with one command and no other tool.

    python3 dev.py demo [ARGS]   train on handwritten digits, sample, look: out/demo (3 minutes)
    python3 dev.py test [ARGS]   ruff, mypy, pyright and pytest; ARGS go to pytest
    python3 dev.py setup         only make .venv
    python3 dev.py lock          write the versions in .venv to requirements/dev.lock

The first command makes `.venv` beside this file. PyTorch comes first: torch==2.13.0, or the
requirement in $DIFFUSION_TORCH (with pip's options, if it needs any), or with --reuse-torch (or
DIFFUSION_TORCH=reuse) the one that this Python can already import.
"""

import hashlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

if sys.version_info < (3, 11):  # noqa: UP036 - an older Python is told so, and does not crash
    sys.exit(
        "dev.py needs Python 3.11 or newer; {} is {}.{}. Install a newer one, then for example: "
        "python3.11 dev.py test".format(sys.executable, *sys.version_info[:2])
    )

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
SITE = Path(sysconfig.get_path("purelib", "venv", {"base": str(VENV)}))
STAMP, UNFINISHED = VENV / "ready", VENV / "unfinished"
LOCK, PYPROJECT = ROOT / "requirements" / "dev.lock", ROOT / "pyproject.toml"
TORCH = "torch==2.13.0"
HINTS = {
    "ensurepip": "This Python lacks its venv module (Debian, Ubuntu: apt install python3-venv).",
    "distribution found for torch": "There is no such PyTorch for this Python and machine: name "
    "one in DIFFUSION_TORCH, such as 'torch>=2.10,<3', or use --reuse-torch.",
    "No space left": "The disk is full: .venv takes about 2 GB, with CUDA about 8 GB.",
    "onnection": "The package index can't be reached: see the network, the proxy, `pip config list`.",
    "conflict": "The requirements contradict each other: compare pyproject.toml, "
    "requirements/dev.lock and DIFFUSION_TORCH.",
}


def main(arguments: list[str]) -> int:
    """Run one command; its exit status."""
    words = [word for word in arguments if word != "--reuse-torch"]
    commands = {"demo": demo, "test": test, "setup": lambda _: 0, "lock": lock}
    if not words or words[0] in ("-h", "--help", "help"):
        print(__doc__)
        return 0
    if words[0] not in commands:
        print(f"dev.py: expected one of {', '.join(commands)}; got {words[0]!r}.", file=sys.stderr)
        return 2
    reuse = len(words) < len(arguments)
    torch = "reuse" if reuse else os.environ.get("DIFFUSION_TORCH", "").strip() or TORCH
    if not ready(torch):
        with alone():
            if not ready(torch):
                install(torch)
    return commands[words[0]](words[1:])


# The environment


def ready(torch: str) -> bool:
    """Whether `.venv` is what an installation with this torch would make."""
    return PYTHON.exists() and STAMP.is_file() and STAMP.read_text() == fingerprint(torch)


def fingerprint(torch: str) -> str:
    """A digest of all that an installation depends on, the place included."""
    parts = [PYPROJECT.read_text("utf-8"), LOCK.read_text("utf-8"), torch, sys.version, str(ROOT)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def install(torch: str) -> None:
    """Make or repair `.venv`. The stamp is written last, so that the next start repairs a rest."""
    reason = broken(torch)
    if reason:
        print(f"Making {VENV}: {reason}. This takes a minute or two, once.", flush=True)
        system = ["--system-site-packages"] if torch == "reuse" else []
        step("environment", [sys.executable, "-m", "venv", "--clear", *system, str(VENV)])
    STAMP.unlink(missing_ok=True)
    if torch == "reuse":
        borrow()
    else:  # alone and first: beside a range, pip would pick the newest torch, with CUDA
        pip(torch, *shlex.split(torch), *(["-c", str(LOCK)] if torch == TORCH else []))
    found = ask("import torch; from importlib.metadata import version; print(version('torch'))")
    if not found:
        sys.exit("No torch can be imported in .venv. With --reuse-torch, start dev.py by the "
                 "Python that imports torch; else set DIFFUSION_TORCH to a build that fits.")  # fmt: skip
    held = VENV / "torch.txt"
    held.write_text(f"torch=={found}\n")
    pip("development requirements", "-r", str(LOCK), "-c", str(held))
    pip("diffusion", "--no-build-isolation", "-e", f"{ROOT}[dev]", "-c", str(held))
    part = VENV / "ready.part"
    part.write_text(fingerprint(torch))
    part.replace(STAMP)


def broken(torch: str) -> str:
    """Why `.venv` has to be made anew, or an empty string."""
    settings = VENV / "pyvenv.cfg"
    if not settings.is_file():
        return "it is not an environment" if VENV.exists() else "there is none yet"
    if UNFINISHED.exists():
        return "the last installation was interrupted"
    borrows = "include-system-site-packages = true" in settings.read_text("utf-8")
    if borrows != (torch == "reuse"):
        return f"it {'borrows' if borrows else 'does not borrow'} packages of this Python"
    if ask("import pip, sys; print(sys.version, sys.prefix)") != f"{sys.version} {VENV}":
        return "it is damaged, moved, or of another Python"
    return ""


def ask(program: str) -> str:
    """What the Python of `.venv` prints, or an empty string if it cannot."""
    if not PYTHON.exists():
        return ""
    done = subprocess.run([PYTHON, "-c", program], capture_output=True, text=True, cwd=VENV)
    return "" if done.returncode else done.stdout.strip()


def borrow() -> None:
    """Let `.venv` see the packages of the environment that runs this file, if it is one."""
    if sys.prefix not in (sys.base_prefix, str(VENV)):
        (SITE / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")


def pip(title: str, *arguments: str) -> None:
    """`pip install`; a mark stays behind if it is killed, but not if it gives up by itself."""
    UNFINISHED.touch()
    command = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "install", *arguments]
    step(title, command, settled=lambda: UNFINISHED.unlink(missing_ok=True))


@contextmanager
def alone() -> Iterator[None]:
    """One installation at a time: a second start waits for the first."""
    if os.name == "nt":
        yield
        return
    import fcntl

    with open(__file__, encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            print("Another dev.py is installing; waiting for it.", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def step(title: str, command: list[str], settled: Callable[[], None] = lambda: None) -> None:
    """Run a command and show that it goes on; if it fails, its last lines and what to do."""
    tail: deque[str] = deque([""], maxlen=25)
    started, over = time.monotonic(), threading.Event()
    ticker = threading.Thread(target=tick, args=(title, tail, over))
    ticker.start()
    try:
        with child(command) as process:
            tail.extend(line.rstrip() for line in io.TextIOWrapper(process.stdout))
    finally:
        over.set()
        ticker.join()
    if process.returncode >= 0:
        settled()
    if not process.returncode:
        print(f"  {title}: {time.monotonic() - started:.0f} s", flush=True)
        return
    text = "\n".join(tail).strip()
    hints = [hint for sign, hint in HINTS.items() if sign in text]
    sys.exit(f"\n{text}\n\ndev.py: {title!r} failed; above are the last lines of\n"
             f"  {shlex.join(command)}\n{' '.join(hints)}\nThen run dev.py again.")  # fmt: skip


def tick(title: str, tail: deque[str], over: threading.Event) -> None:
    """The last line of a step: on a terminal twice a second in place, in a log now and then."""
    live, started, seen = sys.stdout.isatty(), time.monotonic(), ""
    while not over.wait(0.5 if live else 10):
        line = f"  {title} {time.monotonic() - started:4.0f} s  {tail[-1].strip()}"
        if live:
            width = shutil.get_terminal_size().columns - 1
            print(f"\r\x1b[K{line[:width]}", end="", flush=True)
        elif tail[-1] != seen:
            print(line, flush=True)
        seen = tail[-1]
    if live:
        print("\r\x1b[K", end="", flush=True)


@contextmanager
def child(command: list[str], **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process with both its outputs in one pipe; it does not outlive this one."""
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=ROOT, **options
    )
    try:
        yield process
        process.wait()
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()


# The commands


def demo(words: list[str]) -> int:
    """Train, sample and measure; leave everything in out/demo."""
    command = [PYTHON, "-m", "diffusion.cli", "demo", "--out", "out/demo", *words]
    return subprocess.run(command, cwd=ROOT, env=environment()).returncode


class Result(NamedTuple):
    """How one check ended."""

    name: str
    status: int
    seconds: float
    output: str


def test(words: list[str]) -> int:
    """All checks, whatever the first ones say; then a table of them."""
    python = str(PYTHON)
    checks = {
        "ruff check": ["ruff", "check"],
        "ruff format": ["ruff", "format", "--check"],
        "mypy": ["mypy", "--strict"],
        "pyright": ["pyright", "--pythonpath", python],
    }
    results = []
    with ThreadPoolExecutor(len(checks)) as pool:
        jobs = [pool.submit(check, name, [python, "-m", *c]) for name, c in checks.items()]
        for job in as_completed(jobs):
            results.append(job.result())
            print(f"== {results[-1].name}\n{results[-1].output}", flush=True)
    print("== pytest", flush=True)
    colour = ["--color=yes"] if sys.stdout.isatty() else []
    command = [python, "-m", "pytest", "-n", "2", *colour, *words]
    results.append(check("pytest", command, lambda text: print(text, end="", flush=True)))
    last = re.sub(r"\x1b\[[0-9;]*m", "", results[-1].output).strip().splitlines()[-1:]
    print(f"\n{'check':12} {'result':8} seconds")
    for name, status, seconds, _ in results:
        print(f"{name:12} {'FAILED' if status else 'passed':8} {seconds:7.1f}")
    print(*last, flush=True)
    return int(any(result.status for result in results))


def check(name: str, command: list[str], show: Callable[[str], None] = lambda _: None) -> Result:
    """Run one check, and show its output piece by piece if asked to."""
    started, pieces = time.monotonic(), []
    with child(command, env=environment()) as process:
        assert process.stdout is not None
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        while piece := os.read(process.stdout.fileno(), 65536):
            pieces.append(decoder.decode(piece))
            show(pieces[-1])
    return Result(name, process.returncode, time.monotonic() - started, "".join(pieces))


def environment() -> dict[str, str]:
    """The programs of `.venv` first; two test processes on two cores, one thread in each."""
    path = f"{PYTHON.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    threads = {"OMP_NUM_THREADS": "1"} 
    return {**os.environ, **threads, "PATH": path, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}


def lock(_: list[str]) -> int:
    """Write the version of every package that the extra `dev` needs, but for torch itself."""
    here = {canonical(d.name): d for d in metadata.distributions(path=[str(SITE)])}
    todo, seen = [("diffusion-modules", frozenset({"dev"}))], set()

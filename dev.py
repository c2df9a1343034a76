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
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

if sys.version_info < (3, 11):  # noqa: UP036 - an older Python is told so, and does not crash
    found = f"{sys.version.split()[0]} at {sys.executable}"
    sys.exit(f"dev.py needs Python 3.11 or newer; this is {found}. Try python3.11 dev.py ...")

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
SITE = Path(sysconfig.get_path("purelib", "venv", {"base": str(VENV)}))
STAMP, UNFINISHED = VENV / "ready", VENV / "unfinished"
LOCK, PYPROJECT = ROOT / "requirements" / "dev.lock", ROOT / "pyproject.toml"
TORCH = "torch==2.13.0"
ENVIRON = {**os.environ, "PATH": f"{PYTHON.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
HINTS = {
    "ensurepip": "This Python lacks its venv module (Debian, Ubuntu: apt install python3-venv).",
    "No space left": "The disk is full: .venv takes about 2 GB, with CUDA about 8 GB.",
    "onnection": "The package index can't be reached: see network, proxy, `pip config list`.",
    "for torch": "Name a PyTorch that exists for this machine in DIFFUSION_TORCH.",
    "conflict": "Compare pyproject.toml, requirements/dev.lock and DIFFUSION_TORCH.",
}  # by a word of pip's message; the first that fits


def main(arguments: list[str]) -> int:
    """Run one command; its exit status."""
    words = [word for word in arguments if word != "--reuse-torch"]
    commands = {"demo": demo, "test": test, "setup": lambda _: 0, "lock": lock}
    if not words or words[0] in ("-h", "--help", "help"):
        print(__doc__)
        return 0
    if words[0] not in commands:
        sys.exit(f"dev.py: expected one of {', '.join(commands)}; got {words[0]!r}.")
    chosen = "reuse" if words != arguments else os.environ.get("DIFFUSION_TORCH", "").strip()
    torch = chosen or TORCH
    if not ready(torch):
        with alone():
            if not ready(torch):
                install(torch)
    return commands[words[0]](words[1:])


def ready(torch: str) -> bool:
    """Whether `.venv` is what an installation with this torch would make."""
    if not (PYTHON.exists() and STAMP.is_file()):
        return False
    digest, *packages = STAMP.read_text().split("\n")
    return digest == fingerprint(torch) and all((SITE / name).is_dir() for name in packages)


def fingerprint(torch: str) -> str:
    """A digest of all that an installation depends on, the place included."""
    parts = [PYPROJECT.read_text("utf-8"), LOCK.read_text("utf-8"), torch, sys.version, str(ROOT)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def install(torch: str) -> None:
    """Make or repair `.venv`. The stamp is written last, so that the next start repairs a rest."""
    reason = broken(torch)
    STAMP.unlink(missing_ok=True)
    if reason:
        print(f"Making {VENV}: {reason}. This takes a minute or two, once.", flush=True)
        options = ["--clear", *(["--system-site-packages"] if torch == "reuse" else [])]
        step("environment", [sys.executable, "-m", "venv", *options, str(VENV)])
    if torch == "reuse":
        if sys.prefix not in (sys.base_prefix, str(VENV)):  # torch is in an environment as well
            (SITE / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    else:  # alone and first: beside a range, pip would pick the newest torch, with CUDA
        pip(torch, *shlex.split(torch), *(["-c", str(LOCK)] if torch == TORCH else []))
    found = ask("import torch; from importlib.metadata import version; print(version('torch'))")
    if not found:
        why = f"dev.py: {torch!r} gives .venv no torch that can be imported. Name another in "
        sys.exit(f"{why}DIFFUSION_TORCH; for --reuse-torch, use the Python that has it for dev.py.")
    held = VENV / "torch.txt"
    held.write_text(f"torch=={found}\n")
    pip("development requirements", "-r", str(LOCK), "-c", str(held))
    pip("diffusion", "--no-build-isolation", "-e", f"{ROOT}[dev]", "-c", str(held))
    packages = sorted(f.name for f in SITE.iterdir() if "." not in f.name and f.name[0] not in "_~")
    held.write_text("\n".join([fingerprint(torch), *packages]))
    held.replace(STAMP)


def broken(torch: str) -> str:
    """Why `.venv` has to be made anew, or an empty string."""
    settings = VENV / "pyvenv.cfg"
    if not settings.is_file():
        return "there is none yet"
    if UNFINISHED.exists():
        return "the last installation was interrupted"
    if STAMP.is_file() and STAMP.read_text().startswith(fingerprint(torch)):
        return "packages are missing from it"
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


def pip(title: str, *words: str) -> None:
    step(title, [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "install", *words])


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
        except BlockingIOError:
            print("Waiting for another dev.py that installs.", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def step(title: str, command: list[str]) -> None:
    """Run a command and show that it goes on; if it fails, its last lines and what to do.

    A mark stays behind if it is killed, but not if it gives up by itself.
    """
    VENV.mkdir(exist_ok=True)
    UNFINISHED.touch()
    tail, over, started = deque([""], maxlen=25), threading.Event(), time.monotonic()
    pipe, into = subprocess.PIPE, subprocess.STDOUT
    process = subprocess.Popen(command, stdout=pipe, stderr=into, text=True, errors="replace")
    ticker = threading.Thread(target=tick, args=(title, tail, over))
    ticker.start()
    try:
        tail.extend(line.rstrip() for line in process.stdout or ())
        status = process.wait()
    finally:
        process.terminate()
        over.set()
        ticker.join()
    if status >= 0:
        UNFINISHED.unlink(missing_ok=True)
    if status:
        text = "\n".join(tail).strip()
        hints = [hint for sign, hint in HINTS.items() if sign in text]
        advice = [*hints, "The lines above say why."][0]
        sys.exit(
            f"\n{text}\n\ndev.py: {shlex.join(command)} failed. {advice} Then run dev.py again."
        )
    print(f"  {title}: {time.monotonic() - started:.0f} s", flush=True)


def tick(title: str, tail: deque[str], over: threading.Event) -> None:
    """The last line of a step: on a terminal twice a second in place, in a log now and then."""
    live, started = sys.stdout.isatty(), time.monotonic()
    before, after, width = (
        ("\r\x1b[K", "", shutil.get_terminal_size()[0]) if live else ("", "\n", 160)
    )
    while not over.wait(0.5 if live else 10):
        line = f"  {title} {time.monotonic() - started:4.0f} s  {tail[-1].strip()}"
        print(before + line[: width - 1], end=after, flush=True)
    print(end=before, flush=True)


def demo(words: list[str]) -> int:
    """Train, sample and measure; leave everything in out/demo."""
    words = [str(PYTHON), "-m", "diffusion.cli", "demo", "--out", "out/demo", *words]
    return subprocess.run(words, cwd=ROOT, env=ENVIRON).returncode


def test(words: list[str]) -> int:
    """All checks, whatever the first ones say; then a table of them."""
    quiet = {
        "ruff check": ["ruff", "check"],
        "ruff format": ["ruff", "format", "--check"],
        "mypy": ["mypy", "--strict"],
        "pyright": ["pyright", "--pythonpath", str(PYTHON)],
    }
    with ThreadPoolExecutor() as pool:
        results = list(pool.map(check, quiet, quiet.values()))
    print("== pytest", flush=True)
    results.append(check("pytest", ["pytest", "-n", "2", *words], quiet=False))
    print(f"\n{'check':12} {'result':8} seconds")
    for name, status, seconds in results:
        print(f"{name:12} {'FAILED' if status else 'passed':8} {seconds:7.1f}", flush=True)
    return int(any(status for _, status, _ in results))


def check(name: str, words: list[str], quiet: bool = True) -> tuple[str, int, float]:
    """Run one check: name, exit status, seconds. If quiet, it prints when it is over."""
    started = time.monotonic()
    pipe, into = (subprocess.PIPE, subprocess.STDOUT) if quiet else (None, None)
    # Two test processes of one thread each are faster on two cores than two of two.
    env = {**ENVIRON, "OMP_NUM_THREADS": "1", "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
    words = [str(PYTHON), "-m", *words]
    done = subprocess.run(words, cwd=ROOT, env=env, stdout=pipe, stderr=into, errors="replace")
    print(f"== {name}\n{done.stdout}" if quiet else "", end="", flush=True)
    return name, done.returncode, time.monotonic() - started


def lock(_: list[str]) -> int:
    """Write the versions of all packages in `.venv`, but for torch and what its builds bring."""
    command = [str(PYTHON), "-m", "pip", "freeze", "--all", "--exclude-editable"]
    frozen = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    others = re.compile(r"(torch|triton|nvidia-\S+|cuda-\S+|pip)(==| @).*")
    lines = [line for line in frozen.splitlines() if not others.fullmatch(line)]
    LOCK.write_text("\n".join(["# Made by `python3 dev.py lock`; torch is left out.", *lines, ""]))
    print(f"{LOCK}: {len(lines)} packages")
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(main(sys.argv[1:]))
    except (OSError, KeyboardInterrupt) as error:
        sys.exit(f"\ndev.py: {error or 'interrupted; the next start repairs what is half done'}.")

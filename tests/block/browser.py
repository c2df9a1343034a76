"""A real browser without a window, for pages that the library writes.

`chromium-headless-shell`, `chromium` or Chrome, whichever is there; on Debian, as root, one is
installed if none is.
"""

import fcntl
import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "chrome")
PACKAGE = "chromium-headless-shell"


@functools.cache
def browser() -> str:
    """The command of a browser. Errors: there is none, and none can be installed."""
    found = there()
    if found is None and shutil.which("apt-get") and os.geteuid() == 0:
        with Path(tempfile.gettempdir(), "apt-for-tests.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # of two processes of tests, one installs
            if there() is None:
                install()
        found = there()
    assert found, f"these tests need a browser: install {PACKAGE} or chromium"
    return found


def there() -> str | None:
    """The first of the known browsers that is installed."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def install() -> None:
    """The browser of Debian, which has no window."""
    for words in (["update"], ["install", "-y", "--no-install-recommends", PACKAGE]):
        done = subprocess.run(["apt-get", *words], capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-2000:]


def opened(page: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Open a page, run its scripts, and close; what the browser said is in the result."""
    command = [
        browser(), "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
        "--virtual-time-budget=2000", f"--user-data-dir={page.parent / 'profile'}", *options,
        page.resolve().as_uri(),
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)


def document(page: Path) -> str:
    """The document when its scripts have run. Errors: a script, or the page's own rules, failed."""
    done = opened(page, "--dump-dom")
    said = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    assert not said, said
    return done.stdout

"""Code blocks of Markdown pages, and how they are run.

- `python` blocks run in order, in one namespace for each page and one temporary folder. A block
  whose first line is `# NAME.py` is also saved as that file, as the page tells its reader to.
- `yaml` blocks whose first line is `# NAME.yaml` are saved as that file.
- `console`, `bash` and `sh` blocks: each line that starts with `diffusion`, or `$ diffusion`, runs
  through the installed command.
- An `output` block is what the block before it prints; `...` stands for anything.
"""

import contextlib
import doctest
import io
import re
import shlex
import subprocess
import sys
import sysconfig
import types
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
SHELL = ("console", "bash", "sh")
COMMAND = re.compile(r"(?:\$ )?(diffusion .*)")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# ([\w.-]+\.(?:py|yaml))\n")
LOOSE = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass(frozen=True)
class Block:
    """One fenced block: its language, text and first line in the page."""

    language: str
    text: str
    line: int


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    source = page.read_text("utf-8")
    return [Block(m[1], m[2], source.count("\n", 0, m.start()) + 2) for m in FENCE.finditer(source)]


def runnable(page: Path) -> bool:
    """Whether a page has anything to run."""
    return any(block.language in ("python", "yaml", *SHELL) for block in blocks(page))


class Runner:
    """Runs the blocks of one page in the current folder."""

    def __init__(self, page: Path) -> None:
        self.page = page
        self.module = types.ModuleType(f"page_{page.stem.replace('-', '_')}")
        self.printed = ""

    def run(self) -> None:
        """Run every block; an error's traceback names the line of the page."""
        sys.modules[self.module.__name__] = self.module
        try:
            for block in blocks(self.page):
                self.block(block)
        finally:
            del sys.modules[self.module.__name__]

    def block(self, block: Block) -> None:
        named = FILE.match(block.text)
        if named:
            Path(named[1]).write_text(block.text, "utf-8")
        if block.language == "python":
            self.python(block)
        elif block.language in SHELL:
            self.console(block)
        elif block.language == "output":
            self.compare(block)

    def python(self, block: Block) -> None:
        source = "\n" * (block.line - 1) + block.text
        code = compile(source, str(self.page), "exec")
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(code, vars(self.module))
        self.printed = out.getvalue()

    def console(self, block: Block) -> None:
        lines = re.sub(r"\\\n\s*", "", block.text).splitlines()
        found = filter(None, map(COMMAND.fullmatch, lines))
        self.printed = "".join(self.command(match[1]) for match in found)

    def command(self, line: str) -> str:
        """Run one command line; its output."""
        name, *words = shlex.split(line, comments=True)
        program = Path(sysconfig.get_path("scripts")) / name
        done = subprocess.run([program, *words], capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, f"{self.page.name}: {line}\n{done.stdout}{done.stderr}"
        return done.stdout

    def compare(self, block: Block) -> None:
        same = doctest.OutputChecker().check_output(block.text, self.printed, LOOSE)
        where = f"{self.page.name}:{block.line}"
        assert same, f"{where}: expected\n{block.text}\nbut the page prints\n{self.printed}"

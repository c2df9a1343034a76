"""Every code block of the documentation runs, and prints what the page says it prints."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from .blocks import PAGES, Runner, blocks, runnable

RUNNABLE = [page for page in PAGES if runnable(page)]


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty folder, one thread, and the global generator as it was."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.random.fork_rng():
        yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("page", RUNNABLE, ids=lambda page: page.stem)
def test_the_page_runs(page: Path) -> None:
    Runner(page).run()


@pytest.mark.parametrize("page", RUNNABLE, ids=lambda page: page.stem)
def test_every_block_says_what_it_is(page: Path) -> None:
    """So that none is left out by a typo: `text` is the word for what does not run."""
    known = {"python", "yaml", "console", "bash", "sh", "output", "text", "toml"}
    assert {block.language for block in blocks(page)} <= known


def test_an_unknown_output_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```python\nprint(1 + 1)\n```\n\n```output\n3\n```\n", "utf-8")
    with pytest.raises(AssertionError, match=r"page\.md:6: expected"):
        Runner(page).run()

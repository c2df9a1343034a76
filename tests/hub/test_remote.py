"""Repositories of a hub, by the hub's own client over HTTP: loaded, cached, pushed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .pipelines import ddim
from .server import SHA, serving
from .text import tiny

SAMPLE = """
import diffusion, sys
model = diffusion.load("owner/digits", **eval(sys.argv[1]))
print(model.sample(batch=1, steps=2, seed=0).float().mean().item(), model.net.origin["revision"])
"""
PUSH = """
import diffusion, sys
from diffusion.hub.push import push
print(push(diffusion.load(sys.argv[1]), "me/new", "cc-by-4.0", token="hf_token"))
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hub")
    tiny.pipeline("DDIMPipeline", **ddim()).save_pretrained(folder / "owner/digits")
    card = "---\nlicense: cc-by-4.0\n---\n# Digits\n"
    (folder / "owner/digits/README.md").write_text(card)
    (folder / "owner/digits/evil.py").write_text("raise SystemExit('ran')")
    return folder


def run(program: str, argument: str, address: str, home: Path) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "HF_ENDPOINT": address, "HF_HOME": str(home), "OMP_NUM_THREADS": "1",
               "HF_HUB_DISABLE_XET": "1", "HF_HUB_ETAG_TIMEOUT": "2"}  # fmt: skip
    words = [sys.executable, "-c", program, argument]
    return subprocess.run(words, env=environ, capture_output=True, text=True)


def test_a_repository_is_loaded_pinned_and_cached(root: Path, tmp_path: Path) -> None:
    with serving(root) as address:
        first = run(SAMPLE, "{}", address, tmp_path)
        assert first.returncode == 0, first.stderr
        assert "licence: cc-by-4.0" in first.stderr
        assert first.stdout.split()[1] == SHA
        lost = run(SAMPLE, "{'revision': 'nope'}", address, tmp_path)
        assert "no revision 'nope'" in lost.stderr
        absent = run(SAMPLE.replace("owner/digits", "owner/letters"), "{}", address, tmp_path)
        assert "owner/letters: no such repository" in absent.stderr
    offline = run(SAMPLE, "{}", address, tmp_path)
    assert offline.stdout == first.stdout, offline.stderr
    pinned = run(SAMPLE, f"{{'revision': '{SHA}'}}", address, tmp_path)
    assert pinned.stdout == first.stdout
    elsewhere = run(SAMPLE, "{}", address, tmp_path / "empty")
    assert "can't be reached" in elsewhere.stderr
    assert not list(tmp_path.rglob("evil.py"))  # nothing that could be run is fetched


def test_a_model_is_pushed_with_its_card(root: Path, tmp_path: Path) -> None:
    with serving(tmp_path / "hub") as address:
        done = run(PUSH, str(root / "owner/digits"), address, tmp_path / "home")
        assert done.returncode == 0, done.stderr
        assert done.stdout.split()[-1] == SHA
        card = (tmp_path / "hub/me/new/README.md").read_text()
        assert card.startswith("---\nlicense: cc-by-4.0\n")
        assert 'diffusion.load("me/new")' in card
        back = run(SAMPLE.replace("owner/digits", "me/new"), "{}", address, tmp_path / "home")
        assert back.returncode == 0, back.stderr

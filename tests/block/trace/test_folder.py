"""Folders of traces that are damaged, foreign or hostile."""

import hashlib
import json
from pathlib import Path

import pytest
from safetensors.torch import load_file

from diffusion.block import Denoise, Pipeline
from diffusion.block.trace import Trace
from diffusion.errors import FileError

from ..faults import INPUTS, model, pipeline


@pytest.fixture
def own(tmp_path: Path) -> Path:
    pipe = Pipeline(denoise=Denoise(model(), 2))
    with pipe.trace(tmp_path / "run.trace"):
        pipe(batch=1, seed=0)
    return tmp_path / "run.trace"


def test_damage_is_an_error_of_the_file(own: Path) -> None:
    path = own / "trace.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(FileError, match=r"trace\.safetensors is damaged"):
        Trace.load(own)
    path.unlink()
    with pytest.raises(FileError, match="missing"):
        Trace.load(own)


def test_another_version_is_an_error_of_the_file(own: Path) -> None:
    text = json.loads((own / "trace.json").read_text())
    for other in (1, 3):
        _rewrite(own, {**text, "format": other})
        with pytest.raises(FileError, match=f"format {other}; this library reads 2. Trace again"):
            Trace.load(own)
    _rewrite(own, {**text, "records": [{"path": 3}]})
    with pytest.raises(FileError, match="no list of records"):
        Trace.load(own)


@pytest.mark.parametrize("where", [[9, 0], [0, 99], [0, -1], [0], 7, "0", [0, None], {"a": 1}])
def test_a_tensor_that_is_not_there_is_an_error_of_the_file(own: Path, where: object) -> None:
    text = json.loads((own / "trace.json").read_text())
    text["records"][1]["outputs"]["latents"] = {"tensor": where}
    _rewrite(own, text)
    with pytest.raises(FileError, match="stands for no value"):
        Trace.load(own)


def test_a_tensor_is_written_once(own: Path) -> None:
    trace = Trace.load(own)
    every = load_file(own / "trace.safetensors")
    steps = trace["denoise"].sampled[0].steps
    assert trace["pipeline"].outputs["latents"].equal(steps[-1].state)
    like = [one for one in every.values() if one.shape[1:] == steps[-1].state.shape]
    assert sum(map(len, like)) == 1 + len(steps)


def test_what_is_no_trace_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="no such folder"):
        Trace.load(tmp_path / "none")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("mine")
    with pytest.raises(FileError, match="manifest"):
        Trace.load(tmp_path / "mine")
    pipe = pipeline()
    with (
        pytest.raises(FileError, match="not written by this library"),
        pipe.trace(tmp_path / "mine"),
    ):
        pipe(**INPUTS)


def _rewrite(folder: Path, plain: dict) -> None:
    """trace.json with its hash put right, as an attacker would."""
    data = json.dumps(plain).encode()
    (folder / "trace.json").write_bytes(data)
    listed = {"trace.json": hashlib.sha256(data).hexdigest()}
    (folder / "manifest.json").write_text(json.dumps(listed))

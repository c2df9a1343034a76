"""The text examples in their quick forms, and the modules they define against known answers."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import austen
import embedding_text
import smiles
from common import bound, fast, mean
from diffusion import Model, data, loss, net, noise, schedule, time
from sources import austen as novels

pytestmark = pytest.mark.xdist_group("sources")  # one process fetches, once

UNIFORM = math.log2(27)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def novel() -> Any:
    return novels(quick=True)


def quick(example: Any, folder: Path) -> dict[str, float]:
    found: dict[str, float] = example.main(
        ["--quick", "--folder", str(folder / "run"), "--out", str(folder / "out")]
    )
    return found


def masking(w: Tensor) -> Model:
    """An untrained model, which gives each of 27 symbols the same probability."""
    return Model(
        data.Identity(w), schedule.LogLinear(), noise.Absorbing(28),
        net.Transformer(28, width=8, heads=2), loss.CrossEntropy(), time.Continuous(),
    )  # fmt: skip


def test_austen_learns_infills_and_resumes(tmp_path: Path, novel: Any) -> None:
    torch.manual_seed(0)
    model = austen.build(novel.train, quick=True, passes=4)
    with fast():
        first = next(model.train(4, tmp_path / "run"))  # stopped after one epoch of four
    result = quick(austen, tmp_path)
    assert result["loss"] < first < math.log(27) / 2
    assert result["bits"] + 3 * result["error"] < UNIFORM
    report = (tmp_path / "out" / "report.txt").read_text()
    assert "7-gram" in report
    assert "infilling" in report

    torch.manual_seed(0)
    whole = austen.build(novel.train, quick=True, passes=4)
    with fast():
        losses = list(whole.train(4))
    assert losses[0] == first
    assert losses[-1] == result["loss"]

    rows = novel.test.unfold(0, austen.LENGTH, austen.LENGTH)[:4]
    filled, _ = austen.infill(whole, rows)
    hidden = torch.zeros(austen.LENGTH, dtype=torch.bool)
    hidden[austen.HIDDEN] = True
    assert torch.equal(filled[:, ~hidden], rows[:, ~hidden])
    assert (filled[:, hidden] < 27).all()  # nothing stays masked
    assert not torch.equal(filled, rows)


def test_embedded_text_learns_its_vectors(tmp_path: Path, novel: Any) -> None:
    torch.manual_seed(0)
    model = embedding_text.build(novel.train, quick=True, passes=3)
    before = model.data.vectors.detach().clone()
    with fast():
        first = next(model.train(3, tmp_path / "run"))
    assert not torch.equal(model.data.vectors, before)
    assert torch.allclose(model.data.vectors.norm(dim=-1), torch.tensor(27.0).sqrt())
    result = quick(embedding_text, tmp_path)
    assert result["loss"] < first
    assert math.isfinite(result["bits"])
    assert "samples" in (tmp_path / "out" / "report.txt").read_text()


def test_smiles_learns_and_reports(tmp_path: Path) -> None:
    result = quick(smiles, tmp_path)
    assert result["bits"] + 3 * result["error"] < 57 * UNIFORM
    again = quick(smiles, tmp_path)  # a finished run is only reported
    assert again["loss"] == result["loss"]
    report = (tmp_path / "out" / "report.txt").read_text()
    assert "Confident(), Temperature()" in report
    assert "valid" in report


def test_quality_of_known_molecules() -> None:
    molecules = ["CCO", "OCC", "c1ccccc1", "C1CC", "", "CC(=O"]
    valid, unique, new = smiles.quality(molecules, {"CCO"})
    assert valid == pytest.approx(3 / 6)
    assert unique == pytest.approx(2 / 3)  # CCO and OCC are one molecule
    assert new == pytest.approx(1 / 2)


def test_picture_of_molecules(tmp_path: Path) -> None:
    smiles.picture(["C1CC", "CCO"], tmp_path / "molecules.png")
    assert (tmp_path / "molecules.png").read_bytes().startswith(b"\x89PNG")
    smiles.picture(["C1CC", ""], tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()


def test_bound_is_the_one_of_the_library() -> None:
    w = torch.randint(27, (64, 16), generator=torch.Generator().manual_seed(0))
    model = masking(w)
    exact = model.nll(w, steps=50) * 16
    bits, error = mean(bound(model, w, draws=16))
    assert abs(bits - float(exact.mean())) < 4 * error + 0.02 * bits

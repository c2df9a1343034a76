"""The example data: fetched from their packages, held against published and counted facts."""

import gzip
import json
import os
import struct
import zlib
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from diffusion.errors import FileError, InputError
from sources import (
    Austen,
    Fashion,
    Moses,
    austen,
    cache,
    fashion,
    molecules,
    moses,
    novels,
    rdata,
    witten_bell,
)
from sources import images as pictures


@pytest.fixture(scope="module", autouse=True)
def data(tmp_path_factory: pytest.TempPathFactory):
    """An empty cache, so that this module fetches from the packages themselves."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "sources"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIFFUSION_DATA", str(folder))
        yield folder


@pytest.fixture(scope="module")
def clothes(data: Path) -> Fashion:
    return fashion()


@pytest.fixture(scope="module")
def books(data: Path) -> Austen:
    return austen()


@pytest.fixture(scope="module")
def drugs(data: Path) -> Moses:
    return moses(quick=True)


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache on a machine without clients."""
    monkeypatch.setenv("DIFFUSION_DATA", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return tmp_path


def test_fashion_is_the_published_data_set(clothes: Fashion) -> None:
    assert clothes.images.shape == (60000, 1, 28, 28)
    assert clothes.test_images.shape == (10000, 1, 28, 28)
    assert clothes.images.dtype == torch.uint8
    assert clothes.labels.bincount().tolist() == [0] + [6000] * 10
    assert clothes.test_labels.bincount().tolist() == [0] + [1000] * 10
    share = clothes.images.flatten().bincount(minlength=256).double() / clothes.images.numel()
    level = torch.arange(256, dtype=torch.float64) / 255
    mean = (share * level).sum()
    assert mean.item() == pytest.approx(0.2860, abs=5e-5)
    assert (share * (level - mean) ** 2).sum().sqrt().item() == pytest.approx(0.3530, abs=5e-5)
    assert len(clothes.names) == 10


def test_fashion_labels_belong_to_their_pictures(clothes: Fashion) -> None:
    """Trousers are tall and narrow, sneakers wide and low: the classes are not shifted."""
    mean = {
        name: clothes.images[clothes.labels == i][:500].double().mean(0)[0]
        for i, name in enumerate(clothes.names, 1)
    }
    wide = {name: (m.mean(0) > 25).sum().item() for name, m in mean.items()}
    tall = {name: (m.mean(1) > 25).sum().item() for name, m in mean.items()}
    assert min(wide, key=lambda name: wide[name]) == "Trouser"
    assert min(tall, key=lambda name: tall[name]) == "Sneaker"


def test_quick_fashion_is_a_balanced_part(clothes: Fashion) -> None:
    quick = fashion(quick=True)
    assert quick.labels.bincount().tolist() == [0] + [64] * 10
    assert quick.test_labels.bincount().tolist() == [0] + [16] * 10
    assert torch.equal(quick.images[:100], clothes.images[:100])


def test_austen_is_six_novels(books: Austen) -> None:
    assert list(books.novels) == list(novels.TITLES.values())
    opening = "It is a truth universally acknowledged, that a single man in possession\nof a good"
    assert opening in books.novels["Pride and Prejudice"]
    assert books.novels["Emma"].rstrip().endswith("FINIS")
    assert 4.02e6 < sum(map(len, books.novels.values())) < 4.04e6


def test_austen_parts_are_the_whole_in_order(books: Austen) -> None:
    parts = books.train, books.validation, books.test
    assert [len(part) for part in parts] == [3_484_240, 193_569, 193_569]
    whole = " ".join(novels.normalise(text) for text in books.novels.values())
    assert novels.decode(torch.cat(parts)) == whole  # decoding is the inverse of encoding
    quick = austen(quick=True)
    assert torch.equal(quick.train, books.train[:65536])
    assert torch.equal(quick.test, books.test[:4096])


def test_ngram_table_of_austen(books: Austen) -> None:
    bits = witten_bell(books.train, books.test)
    assert bits == pytest.approx([4.084, 3.305, 2.619, 2.034, 1.735, 1.612, 1.594], abs=6e-4)


def test_moses_has_the_published_sizes(drugs: Moses, data: Path) -> None:
    counted = [
        gzip.decompress((data / "moses" / name).read_bytes()).count(b"\n") - 1
        for name in molecules.FILES
    ]
    assert counted == [1_584_663, 176_074, 176_225]
    assert drugs.train.shape == (2000, 57)
    assert drugs.test.shape == drugs.scaffolds.shape == (200, 57)


def test_moses_rows_are_their_strings(drugs: Moses) -> None:
    smiles = molecules.strings(drugs.train)
    assert smiles[0] == "CCCS(=O)c1ccc2[nH]c(=NC(=O)OC)[nH]c2c1"
    assert torch.equal(molecules.tokens(smiles), drugs.train)
    assert len(set(smiles)) == 2000
    assert not set(smiles) & set(molecules.strings(drugs.test))
    assert set("".join(smiles)) <= set(molecules.SYMBOLS)


@given(st.lists(st.text(molecules.SYMBOLS, max_size=57), min_size=1, max_size=5))
def test_moses_round_trip(smiles: list[str]) -> None:
    assert molecules.strings(molecules.tokens(smiles)) == smiles


def test_moses_strings_end_at_the_first_padding() -> None:
    assert molecules.strings(torch.tensor([[12, 12, 26, 15], [26, 12, 12, 12]])) == ["CC", ""]


def test_unknown_symbols_are_named() -> None:
    with pytest.raises(InputError, match=r"got \['!', 'H'\]"):
        novels.encode("Hello!")
    with pytest.raises(InputError, match=r"got \['X'\]"):
        molecules.tokens(["CX"])
    with pytest.raises(InputError, match="at most 57 characters; got 58"):
        molecules.tokens(["C" * 58])


@pytest.mark.parametrize(
    ("load", "package", "file"),
    [
        (fashion, "dataset-fashion-mnist", "train-images-idx3-ubyte.gz"),
        (austen, "r-cran-janeaustenr", "Rdata.rdb"),
        (moses, "molsets==0.3.1", "train.csv.gz"),
    ],
)
def test_without_a_client_the_error_names_package_and_place(alone, load, package, file) -> None:
    with pytest.raises(FileError) as caught:
        load()
    message = str(caught.value)
    assert package in message
    assert file in message
    assert "By hand" in message
    assert str(alone) in message
    assert not list(alone.glob("*/*")), "a failed fetch leaves nothing"


def test_files_put_there_by_hand_are_used(data: Path, books: Austen, alone: Path) -> None:
    (alone / "austen").mkdir()
    for name in novels.FILES:
        (alone / "austen" / name).write_bytes((data / "austen" / name).read_bytes())
    assert torch.equal(austen().test, books.test)
    recorded = json.loads((alone / "austen" / cache.RECORD).read_text())
    assert recorded == json.loads((data / "austen" / cache.RECORD).read_text())


def test_a_changed_file_is_found(data: Path, books: Austen, alone: Path) -> None:
    test_files_put_there_by_hand_are_used(data, books, alone)
    path = alone / "austen" / "Rdata.rdb"
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    with pytest.raises(FileError, match=r"Rdata\.rdb: expected the file of the first fetch"):
        austen()


def test_an_interrupted_fetch_leaves_nothing(alone: Path) -> None:
    def fetch(scratch: Path, folder: Path) -> None:
        (scratch / "a").write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.ensure("source", ["a", "b"], fetch)
    assert list((alone / "source").iterdir()) == []


def test_damaged_pictures_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.gz"
    good = b"\0\0\x08\x02" + struct.pack(">II", 2, 3) + bytes(range(6))
    path.write_bytes(gzip.compress(good))
    assert pictures.idx(path).tolist() == [[0, 1, 2], [3, 4, 5]]
    for bad in (good[:-1], good + b"x", b"\0\0\x09" + good[3:], good[:6], b"\0\0\x08", b""):
        path.write_bytes(gzip.compress(bad))
        with pytest.raises(FileError, match="expected an IDX file"):
            pictures.idx(path)
    path.write_bytes(gzip.compress(good)[:-9])
    with pytest.raises(FileError, match="expected a gzip file"):
        pictures.idx(path)


def test_damaged_r_data_are_refused(data: Path, books: Austen, tmp_path: Path) -> None:
    index, records = (data / "austen" / name for name in ("Rdata.rdx", "Rdata.rdb"))
    plain = gzip.decompress(index.read_bytes())
    broken = tmp_path / "x.rdx"
    for cut in range(0, len(plain) - 150, 23):
        broken.write_bytes(gzip.compress(plain[:cut]))
        with pytest.raises(FileError, match="R lazy-load"):
            rdata.lazy(broken, records)
    broken.write_bytes(records.read_bytes()[:1000])
    with pytest.raises(FileError, match="R lazy-load"):
        rdata.lazy(index, broken)


def test_r_data_that_would_fill_the_memory_are_refused(tmp_path: Path) -> None:
    bomb = zlib.compressobj(wbits=31)
    packed = b"".join(bomb.compress(bytes(2**20)) for _ in range(65)) + bomb.flush()
    (tmp_path / "x.rdx").write_bytes(packed)
    (tmp_path / "x.rdb").write_bytes(b"")
    with pytest.raises(FileError, match="exceed 67,108,864 bytes"):
        rdata.lazy(tmp_path / "x.rdx", tmp_path / "x.rdb")


def test_damaged_molecules_are_refused(data: Path, drugs: Moses, alone: Path) -> None:
    (alone / "moses").mkdir()
    for name in molecules.FILES:
        (alone / "moses" / name).write_bytes(gzip.compress(b"ID,SMILES\n1,CC\n"))
    with pytest.raises(FileError, match="expected a column SMILES; got 'ID', 1 lines"):
        moses()

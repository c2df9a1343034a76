"""Sources of data by name and path, and what is said about those that are none."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from diffusion.data.source import open_source
from diffusion.errors import DiffusionError, FileError, InputError


def test_digits_are_split_once_and_for_all():
    a, b = open_source("digits"), open_source("digits")
    assert a.w.shape == (1397, 1, 8, 8)
    assert a.w.dtype == torch.uint8
    assert int(a.w.max()) == 16
    assert a.names == tuple("0123456789")
    assert torch.bincount(a.y_test).tolist() == [0] + [40] * 10
    assert torch.equal(a.w, b.w)
    assert torch.equal(a.w_test, b.w_test)


def test_no_held_out_digit_is_trained_on():
    # The set itself holds no picture twice, so this is about items, not about look-alikes.
    data = open_source("digits")
    trained = {bytes(w.flatten().tolist()) for w in data.w}
    assert len(trained) == 1397
    assert not any(bytes(w.flatten().tolist()) in trained for w in data.w_test)


def test_digits_without_scikit_learn_name_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(DiffusionError, match=r"diffusion-modules\[digits\]"):
        open_source("digits")


def test_folder_with_classes(tmp_path: Path):
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for i in range(2):
            Image.new("RGB", (12, 10), (40 * i, 0, 0)).save(tmp_path / name / f"{i}.png")
    data = open_source(str(tmp_path), size=8)
    assert data.names == ("cat", "dog")
    assert data.y.tolist() == [1, 1, 2, 2]
    assert data.w[3].shape == (3, 8, 8)


def test_folder_without_classes_has_no_labels(tmp_path: Path):
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    data = open_source(tmp_path)
    assert data.y is None
    assert len(data.w) == 1


def test_npz(tmp_path: Path):
    path = tmp_path / "a.npz"
    w, y = np.arange(24).reshape(6, 4), np.array([1, 2, 1, 2, 1, 2])
    np.savez(path, w=w, y=y, names=np.array(["a", "b"]), w_test=w[:2], y_test=y[:2])
    data = open_source(path)
    assert data.w.tolist() == w.tolist()
    assert data.y.dtype == torch.int64
    assert data.names == ("a", "b")
    assert data.w_test.shape == (2, 4)


def test_safetensors(tmp_path: Path):
    save_file({"w": torch.arange(6.0).reshape(3, 2)}, tmp_path / "a.safetensors")
    data = open_source(tmp_path / "a.safetensors")
    assert data.w.shape == (3, 2)
    assert data.y is None


def test_npy_is_mapped_not_read(tmp_path: Path):
    np.save(tmp_path / "a.npy", np.zeros((5, 3), np.float32))
    assert isinstance(open_source(tmp_path / "a.npy").w, np.memmap)


def test_text(tmp_path: Path):
    (tmp_path / "a.txt").write_text("abba\ncab", encoding="utf-8")
    data = open_source(tmp_path / "a.txt", length=3)
    assert data.alphabet == "\nabc"
    assert data.w.tolist() == [[1, 2, 2], [1, 0, 3]]
    with pytest.raises(InputError, match="at least 128 characters; got 8"):
        open_source(tmp_path / "a.txt")


@pytest.mark.parametrize("ending", ["npy", "npz"])
def test_pickled_arrays_are_refused(tmp_path: Path, ending):
    class Bomb:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    array = np.array([Bomb()], dtype=object)
    path = tmp_path / f"a.{ending}"
    np.save(path, array, allow_pickle=True) if ending == "npy" else np.savez(path, w=array)
    with pytest.raises(FileError, match="refused"):
        open_source(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("ending", ["npy", "npz", "safetensors", "txt"])
def test_damaged_files_are_errors_that_name_the_file(tmp_path: Path, ending):
    path = tmp_path / f"broken.{ending}"
    path.write_bytes(b"\x93NUMPY\xff\xfe broken")
    with pytest.raises(DiffusionError, match=f"broken.{ending}"):
        open_source(path)


@pytest.mark.parametrize(
    ("name", "said"),
    [("digit", "Did you mean 'digits'"), ("photo.npz", "Did you mean 'photos.npz'")],
)
def test_unknown_sources_get_a_suggestion(tmp_path: Path, monkeypatch, name, said):
    monkeypatch.chdir(tmp_path)
    np.savez("photos.npz", w=np.zeros(3))
    with pytest.raises(InputError, match=said):
        open_source(name)


def test_a_single_picture_is_no_data_set(tmp_path: Path):
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    with pytest.raises(InputError, match="give its folder"):
        open_source(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"x": np.zeros(3)}, "an array called w"),
        ({"w": np.zeros(3), "lables": np.zeros(3)}, "got 'lables'"),
        ({"w": np.zeros(3), "y": np.ones(2, int)}, "one for each of 3 items; got 2"),
        (
            {"w": np.zeros(3), "y": np.array([0, 1, 0]), "names": np.array(["a", "b"])},
            r"save y \+ 1",
        ),
        ({"w": np.zeros(3), "y": np.array([1, 5, 2]), "names": np.array(["a"])}, r"1\.\.1"),
    ],
)
def test_arrays_that_do_not_fit(tmp_path: Path, arrays, said):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(InputError, match=said):
        open_source(tmp_path / "a.npz")


def test_labels_from_zero_without_names_are_warned_about(tmp_path: Path):
    np.savez(tmp_path / "a.npz", w=np.zeros(3), y=np.array([0, 1, 2]))
    with pytest.warns(UserWarning, match=r"save y \+ 1"):
        open_source(tmp_path / "a.npz")


def test_a_folder_of_the_same_name_does_not_hide_a_data_set(tmp_path, monkeypatch):
    (tmp_path / "digits").mkdir()
    monkeypatch.chdir(tmp_path)
    assert len(open_source("digits").w) == 1397

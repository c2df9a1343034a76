"""The slices of a brain, their reader, and the example that replaces a noise schedule."""

import gzip
import json
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import scans
from diffusion import Model, sampler, schedule
from diffusion.errors import FileError
from sources import brain as source

pytestmark = pytest.mark.usefixtures("apart")


@pytest.fixture(scope="module")
def slices() -> source.Slices:
    return source.mri(quick=True)


def test_slices_are_dark_narrow_and_of_one_brain(slices: source.Slices) -> None:
    assert slices.images.shape == (160, 1, 32, 32)
    assert slices.test_images.shape == (56, 1, 32, 32)
    assert slices.images.dtype == torch.uint8
    assert int(slices.images.max()) < 130, "the upper half of the range of grey is not used"
    assert 0.5 < float((slices.images == 0).double().mean()) < 0.9, "most of a slice is air"
    middle = slices.images[60, 0].double()
    mirrored = torch.corrcoef(torch.stack([middle.flatten(), middle.flip(-1).flatten()]))[0, 1]
    upside = torch.corrcoef(torch.stack([middle.flatten(), middle.flip(0).flatten()]))[0, 1]
    assert float(mirrored) > 0.85 > float(upside), "left and right are alike, front and back not"


def test_held_out_slices_are_apart_from_those_of_training() -> None:
    train, test = source.parts(316)
    gaps = (train.unsqueeze(1) - test).abs()
    assert int(gaps.min()) == source.GAP + 1
    assert len(set(train.tolist()) & set(test.tolist())) == 0
    assert (test.diff() == 1).sum() == len(test) - len(range(20, 316, 40)), "in blocks"


def test_pixels_are_means_over_boxes_of_voxels() -> None:
    planes = torch.zeros(1, 384, 384)
    planes[0, 12:24, 24:36] = 100
    planes[0, 36:48, 0:6] = 50
    cells = source.celled(planes)
    assert cells.shape == (1, 1, 98, 98)
    found = source.pixels(cells, 1, 1)  # 392 voxels: 4 more on every side
    assert found.shape == (1, 1, 32, 32)
    assert int(found[0, 0, 1, 2]) == 100
    assert int(found[0, 0, 3, 0]) == 25
    assert int((found > 0).sum()) == 2
    moved = source.pixels(cells, 1, 0)
    assert moved[0, 0, 1, 2:4].tolist() == [67, 33]


def volume(order: str, code: int, values: np.ndarray, slope: float = 0.0, rank: int = 3) -> bytes:
    """A NIfTI-1 file by the published offsets."""
    sizes = [*values.shape, *[1] * (7 - values.ndim)]
    head = bytearray(352)
    struct.pack_into(f"{order}i", head, 0, 348)
    struct.pack_into(f"{order}8h", head, 40, rank, *sizes)
    struct.pack_into(f"{order}2h", head, 70, code, 8 * values.itemsize)
    struct.pack_into(f"{order}3f", head, 108, 352.0, slope, 7.0)
    head[344:348] = b"n+1\0"
    return bytes(head) + values.astype(values.dtype.newbyteorder(order)).tobytes(order="F")


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("code", "kind"), [(2, "u1"), (4, "i2"), (16, "f4"), (512, "u2")])
def test_a_volume_is_read_in_either_byte_order(tmp_path: Path, order, code, kind) -> None:
    values = np.arange(24).reshape(2, 3, 4).astype(kind)
    path = tmp_path / "x.nii.gz"
    path.write_bytes(gzip.compress(volume(order, code, values)))
    assert source.nifti(path).tolist() == values.tolist()
    path.write_bytes(gzip.compress(volume(order, code, values[..., None], 0.5, 4)))
    assert source.nifti(path).tolist() == (values * 0.5 + 7).tolist()


def test_damaged_volumes_are_refused(tmp_path: Path) -> None:
    values = np.arange(24, dtype="u1").reshape(2, 3, 4)
    good, path = volume("<", 2, values), tmp_path / "x.nii.gz"
    flat = np.full((2, 2, 2), np.nan, "f4")
    films = np.zeros((2, 2, 2, 2), "u1")
    cases = {
        "expected a NIfTI-1 file": [good[:100], b"", b"\0" * 400, good[:344] + good[345:]],
        "expected 24 voxels of 1 bytes": [good[:-1], good + b"x"],
        "voxels of type 1536": [volume("<", 1536, values)],
        "three axes": [volume("<", 2, values, rank=2), volume("<", 2, films, rank=4)],
        "not finite": [volume("<", 16, flat)],
    }  # fmt: skip
    broken = bytearray(volume("<", 2, values))
    struct.pack_into("<8h", broken, 40, 3, -2, 3, 4, 1, 1, 1, 1)
    cases["three axes"].append(bytes(broken))
    struct.pack_into("<f", broken, 108, float("nan"))
    struct.pack_into("<8h", broken, 40, 3, 2, 3, 4, 1, 1, 1, 1)
    cases["expected 24 voxels of 1 bytes"].append(bytes(broken))
    for message, files in cases.items():
        for raw in files:
            path.write_bytes(gzip.compress(raw))
            with pytest.raises(FileError, match=message):
                source.nifti(path)
    path.write_bytes(gzip.compress(good)[:-9])
    with pytest.raises(FileError, match="expected a gzip file"):
        source.nifti(path)


def test_the_example_resumes_samples_and_measures(slices: source.Slices) -> None:
    stopped = scans.build(slices, epochs=2, quick=True)
    first = next(stopped.train(2, folder="runs/test"))
    result = scans.main(["--quick", "--folder", "runs/test"])
    assert result["loss"][0] == first, "the first epoch was not trained again"
    assert result["loss"][1] < 0.99 * result["loss"][0]
    assert list(result["error"]) == list(result["nearest"])
    assert len(result["error"]) == 5
    assert 0 < result["nearest of held-out slices"] < 20
    written = json.loads(Path("out/scans/result.json").read_text())
    assert written["loss"] == result["loss"]
    picture = Image.open("out/scans/samples.png")
    assert picture.width > 2 * 4 * 32
    assert picture.height > 5 * 32


def test_the_network_is_asked_the_same_under_its_own_schedule(slices: source.Slices) -> None:
    """Replacing nothing changes nothing, whichever parametrisation the model then reads."""
    model = scans.build(slices, epochs=1, quick=True)
    for value in model.net.parameters():
        torch.nn.init.normal_(value, 0, 0.05)
    other = scans.free(model)
    z = torch.randn(2, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    (*_, goal), (*_, found) = (m.stream(z=z, steps=10) for m in (model, other))
    assert (found - goal).abs().max() < 2e-3 * goal.abs().max()
    choices = scans.schedules(model, slices.images)
    moved = other.replace(schedule=choices["spectrum of slices"], sampler=sampler.DDIM())
    (*_, far) = moved.stream(z=z, steps=10)
    assert (far - goal).abs().max() > 0.005 * goal.abs().max()
    moved.save("model")
    loaded = Model.load("model")
    assert isinstance(loaded.schedule, schedule.Spectral)
    (*_, again) = loaded.stream(z=z, steps=10)
    assert torch.equal(again, far)


def test_the_nearest_slice() -> None:
    real = torch.zeros(2, 1, 2, 2)
    real[1] = 1
    assert scans.nearest(torch.full((1, 1, 2, 2), 0.75), real) == pytest.approx(127.5 / 4)
    assert scans.nearest(real, real) == 0

"""Tensors that are pages of a file: whole, private, and given back when they are dropped."""

import json
import struct
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from diffusion.errors import FileError
from diffusion.folder.mapped import mapped

KINDS = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
    "I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8,
    "U8": torch.uint8, "BOOL": torch.bool,
}  # fmt: skip


def tensors() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    made = {name: (torch.randn(5, 3) * 50).to(kind) for name, kind in KINDS.items()}
    return {**made, "empty": torch.empty(0, 4), "scalar": torch.tensor(2.5)}


@pytest.mark.parametrize("size", [None, 1, 100, 1 << 20])
def test_every_type_and_shape_is_read_as_written(tmp_path: Path, size: int | None) -> None:
    save_file(tensors(), tmp_path / "x.safetensors")
    found = dict(mapped(tmp_path / "x.safetensors", size))
    assert found.keys() == tensors().keys()
    for name, tensor in tensors().items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor)


def test_writing_leaves_the_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_file({"a": torch.zeros(4)}, path)
    before = path.read_bytes()
    dict(mapped(path))["a"].fill_(7)
    assert path.read_bytes() == before
    assert dict(mapped(path))["a"].sum() == 0


def test_a_file_without_padding_is_read(tmp_path: Path) -> None:
    """Other writers do not align: the numbers may start at any byte."""
    numbers = torch.arange(6, dtype=torch.float32)
    for pad in range(4):
        entry = {"dtype": "F32", "shape": [6], "data_offsets": [0, 24]}
        head = json.dumps({"a": entry}).encode() + b" " * pad
        path = tmp_path / f"{pad}.safetensors"
        path.write_bytes(struct.pack("<Q", len(head)) + head + numbers.numpy().tobytes())
        assert torch.equal(dict(mapped(path))["a"], numbers)


def test_what_was_dropped_is_no_longer_mapped(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_file({f"{i:02}": torch.full((1 << 18,), float(i)) for i in range(8)}, path)

    def pages() -> int:
        maps = Path("/proc/self/maps").read_text().splitlines()
        spans = [line.split()[0].split("-") for line in maps if str(path) in line]
        return sum(int(end, 16) - int(start, 16) for start, end in spans)

    most = 0
    for _, tensor in mapped(path, size=1 << 20):
        assert tensor[0] == tensor[-1]
        most = max(most, pages())
        del tensor
    assert most <= (2 << 20) + (1 << 14)
    assert pages() == 0


def test_a_damaged_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_file(tensors(), path)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(FileError, match="truncated"):
        dict(mapped(path))

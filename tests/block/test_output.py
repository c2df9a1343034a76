"""Pictures and videos for people."""

import io
import sys
from typing import Any

import av
import numpy as np
import pytest
import torch

from diffusion import Model, data, net, noise, schedule
from diffusion.block import Output
from diffusion.errors import DiffusionError, InputError

PICTURES = torch.arange(2 * 3 * 4 * 6, dtype=torch.uint8).reshape(2, 3, 4, 6)
VIDEOS = torch.arange(2 * 3 * 2 * 4 * 6).reshape(2, 3, 2, 4, 6).to(torch.uint8)


def test_pictures() -> None:
    first, second = Output()(PICTURES)
    assert first.size == (6, 4)
    assert second.getpixel((5, 2)) == tuple(PICTURES[1, :, 2, 5].tolist())
    assert Output("numpy")(PICTURES)[1, 2, 5].tolist() == PICTURES[1, :, 2, 5].tolist()
    assert torch.equal(Output("tensor")(PICTURES), PICTURES)
    grey = Output()(PICTURES[:, :1])[0]
    assert (grey.mode, grey.getpixel((1, 0))) == ("L", 1)


def test_items_of_other_levels() -> None:
    """Whatever values the items have, pictures are bytes."""
    model: Any = Model(
        data.Images(levels=5), schedule.Cosine(10), noise.Gaussian(), net.UNet((1, 8)),
        shape=(1, 4, 4),
    )  # fmt: skip
    items = torch.tensor([0, 1, 2, 4]).reshape(1, 1, 2, 2)
    assert Output("tensor", model)(items).flatten().tolist() == [0, 64, 128, 255]


def test_videos() -> None:
    films = Output()(VIDEOS)
    assert [len(film) for film in films] == [2, 2]
    assert films[1][1].getpixel((4, 3)) == tuple(VIDEOS[1, :, 1, 3, 4].tolist())
    assert Output("numpy")(VIDEOS).shape == (2, 2, 4, 6, 3)


@pytest.mark.parametrize(
    ("kind", "items", "said"),
    [
        ("mp4", PICTURES, "'pil', 'numpy' or 'tensor' for pictures; got 'mp4'"),
        ("pil", PICTURES.float(), "expected bytes, or the model of the items; got torch.float32"),
        ("pil", PICTURES[:, :2], "with 1, 3 or 4 channels"),
        ("jpeg", PICTURES, "Output.kind: expected"),
    ],
)
def test_bad_outputs(kind: Any, items: torch.Tensor, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Output(kind)(items)


def test_films_need_pyav(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(DiffusionError, match=r"pip install 'diffusion-modules\[video\]'"):
        Output("mp4")(VIDEOS)


def test_films() -> None:
    """A film for each sample, decoded again: its frames, in order, with even sides."""
    videos = torch.zeros(2, 3, 5, 33, 48, dtype=torch.uint8)
    for i in range(5):
        videos[0, 0, i], videos[1, 2, i] = 50 * i, 250 - 50 * i
    films = Output("mp4", rate=24)(videos)
    for film, video in zip(films, videos, strict=True):
        with av.open(io.BytesIO(film)) as container:
            stream = container.streams.video[0]
            assert (stream.average_rate, stream.codec_context.name) == (24, "h264")
            frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
        found = torch.from_numpy(np.stack(frames)).movedim(-1, 0)
        assert found.shape == (3, 5, 32, 48)
        # Flat frames lose a few levels to 4:2:0 colours and their studio range, no more.
        assert (found.int() - video[:, :, :32].int()).abs().max() <= 6


def test_grey_films_are_grey() -> None:
    (film,) = Output("mp4")(torch.full((1, 1, 2, 16, 16), 100, dtype=torch.uint8))
    with av.open(io.BytesIO(film)) as container:
        frame = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert abs(int(frame.mean()) - 100) <= 3
    assert np.ptp(frame, axis=-1).max() <= 3

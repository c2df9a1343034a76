"""Frames as an animated GIF."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import require

if TYPE_CHECKING:
    from PIL import Image

LIMIT = 3_000_000
FEWEST = 8


def animation(
    frames: Sequence[Image.Image],
    path: str | Path,
    *,
    rate: float = 12.0,
    pause: float = 2.0,
    limit: int = LIMIT,
) -> Path:
    """Write frames as a GIF that repeats for ever.

    Args:
        frames: images of one size, e.g. from `grid`.
        rate: frames in a second. pause: seconds that the last frame is shown.
        limit: bytes; while the file is larger, every second frame is left out, the last never.
    """
    require(len(frames) > 0, "animation.frames", "at least one frame", 0)
    sizes = {frame.size for frame in frames}
    require(len(sizes) == 1, "animation.frames", "frames of one size", sorted(sizes))
    require(rate > 0, "animation.rate", "frames in a second, more than 0", rate)
    images, each = _indexed(frames), 1000 / rate
    data = _gif(images, each, pause)
    while len(data) > limit and len(images) > FEWEST:
        images, each = images[::-2][::-1], each * 2
        data = _gif(images, each, pause)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def _indexed(frames: Sequence[Image.Image]) -> list[Image.Image]:
    """Frames in one common palette, so that colours do not flicker: greys, or the last frame's."""
    from PIL import Image

    colours = [frame.convert("RGB") for frame in frames]
    if all(_grey(frame) for frame in colours):
        return [frame.convert("L") for frame in colours]
    both = Image.new("RGB", (colours[0].width, 2 * colours[0].height))
    both.paste(colours[0], (0, 0))
    both.paste(colours[-1], (0, colours[0].height))
    palette = both.quantize(255, method=Image.Quantize.MEDIANCUT)
    return [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in colours]


def _grey(image: Image.Image) -> bool:
    from PIL import ImageChops

    red, green, blue = image.split()
    differ = (ImageChops.difference(red, green), ImageChops.difference(red, blue))
    return all(one.getbbox() is None for one in differ)


def _gif(images: list[Image.Image], each: float, pause: float) -> bytes:
    last = max(round(pause * 1000), round(each))
    durations = [max(20, round(each))] * (len(images) - 1) + [last]
    file = io.BytesIO()
    images[0].save(
        file, "GIF", save_all=True, append_images=images[1:], duration=durations, loop=0,
        optimize=False,
    )  # fmt: skip
    return file.getvalue()

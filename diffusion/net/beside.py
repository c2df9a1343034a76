"""A picture as a condition: its channels after those of x, for the first convolution to see.

Saharia et al. 2021 (SR3), section 2.2, for super-resolution; Saharia et al. 2022 (Palette), section
3, for inpainting, colours and more.
"""

from typing import Any

import torch
from torch import Tensor

from ..errors import require
from .sizes import expect

OWN, PICTURE = "y", "beside"
"""The parts of a condition that is a label or a vector, and a picture."""


def joined(net: str, x: Tensor, y: Any, channels: int) -> tuple[Tensor, Any]:
    """`x` `[b, c, ...]` with a picture's channels after its own, and what else `y` says.

    Args:
        net: the name that errors give.
        y: a floating picture `[b, channels, ...]` of the size of `x`; or labels, or vectors; or a
            dict of two such, `y` and `beside`; or None. No picture is the null picture, zeros.
    """
    own, picture = _parts(net, y)
    if picture is None:
        picture = x.new_zeros(1, channels, *x.shape[2:])
    shape = (channels, *x.shape[2:])
    fits = isinstance(picture, Tensor) and picture.is_floating_point()
    if not fits or picture.shape[0] not in (1, x.shape[0]) or picture.shape[1:] != shape:
        wanted = f"a floating picture y [b, {', '.join(map(str, shape))}], of the size of x"
        fix = "Enlarge a small one: torch.nn.functional.interpolate(y, size=x.shape[2:])."
        expect(False, net, wanted, picture, fix)
    return torch.cat([x, picture.to(x.dtype).expand(x.shape[0], *shape)], 1), own


def _parts(net: str, y: Any) -> tuple[Any, Any]:
    """What is no picture, and the picture."""
    if isinstance(y, dict):
        known = {OWN, PICTURE}
        require(bool(y) and set(y) <= known, net, f"a condition of {OWN!r} and {PICTURE!r}", [*y])
        return y.get(OWN), y.get(PICTURE)
    picture = isinstance(y, Tensor) and y.is_floating_point() and y.dim() > 2
    return (None, y) if picture else (y, None)

"""The size of the picture, as some networks are told it."""

import torch
from torch import Tensor


def sizes(x: Tensor, pixels: int, pooled: bool) -> dict[str, Tensor]:
    """Original size, crop and target size of SDXL (`pooled`), or PixArt-alpha's size and aspect.

    Podell et al. 2023, section 2.2; Chen et al. 2023. `pixels` to a latent, `x` `[b, c, h, w]`.
    """
    height, width = (pixels * side for side in x.shape[-2:])

    def row(*values: float) -> Tensor:
        return torch.tensor([values], dtype=x.dtype, device=x.device).expand(len(x), -1)

    if pooled:
        return {"time_ids": row(height, width, 0, 0, height, width)}
    return {"resolution": row(height, width), "aspect_ratio": row(height / width)}

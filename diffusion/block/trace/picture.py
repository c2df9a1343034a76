"""Pictures of what a block made, where it is pictures or latents, for a page."""

from __future__ import annotations

import base64
import io
from typing import Any

import torch
from torch import Tensor

COUNT, SIDE = 4, 128
"""Pictures of a value, and pixels of their longer side, at most."""


def pictures(value: Any) -> list[str]:
    """`data:` addresses of PNGs of a tensor `[b, c, h, w]`; none if it is something else.

    Bytes are shown as they are. Other numbers are stretched over all greys, each tensor by itself;
    of more than four channels, or of two, the first is shown. NaN and infinity are magenta.
    """
    fits = isinstance(value, Tensor) and value.dim() == 4 and min(value.shape) > 0
    if not fits or value.is_complex() or max(value.shape[2:]) > 4096 or min(value.shape[2:]) < 2:
        return []
    rows = value[:COUNT].detach().cpu()
    step = max(1, -(max(rows.shape[2:]) // -SIDE))
    rows = rows[:, :, ::step, ::step]
    rows = rows if rows.shape[1] in (1, 3, 4) and rows.dtype == torch.uint8 else _colours(rows)
    return [_address(row) for row in rows]


def _colours(rows: Tensor) -> Tensor:
    """Bytes `[b, 3, h, w]` for any numbers."""
    rows = rows.float()
    rows = rows[:, :3] if rows.shape[1] >= 3 else rows[:, :1].expand(-1, 3, -1, -1)
    fine = rows.isfinite()
    values = rows[fine]
    low, high = (values.min(), values.max()) if len(values) else (torch.zeros(()), torch.ones(()))
    greys = (rows - low) / (high - low).clamp_min(1e-12)
    bad = (~fine).any(1, keepdim=True)
    magenta = torch.tensor([1.0, 0.0, 1.0]).reshape(1, 3, 1, 1)
    shown = torch.where(bad, magenta, greys.nan_to_num(0.0, 0.0, 0.0))
    return (shown * 255).round().clamp(0, 255).to(torch.uint8)


def _address(row: Tensor) -> str:
    from PIL import Image

    array = row.permute(1, 2, 0).contiguous().numpy()
    file = io.BytesIO()
    Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array).save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"

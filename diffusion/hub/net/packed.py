"""Flux sees a picture as tokens of 2×2 latents, with their places beside them."""

import torch
from torch import Tensor

from ...base.module import Module
from ...errors import require
from ..part import Part


class Packed(Module):
    """A `FluxTransformer2DModel` of latents `[b, c, h, w]`.

    Labs 2024 gives no paper; the layout is that of the published weights: a token holds the four
    latents of a patch, channel by channel; `timestep` is counted to 1, not to 1,000.

    Args:
        flux: the network. guidance: what distilled networks (`guidance_embeds`) are told, where the
            conditions have none.
    """

    def __init__(self, flux: Part, guidance: float = 3.5) -> None:
        self.flux, self.guidance = flux, guidance
        self.told = bool(flux.config()["guidance_embeds"])

    def forward(
        self, hidden_states: Tensor, timestep: Tensor, encoder_hidden_states: Tensor,
        pooled_projections: Tensor, guidance: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        b, c, h, w = hidden_states.shape
        require(h % 2 == 0 and w % 2 == 0, "Packed", "an even height and width", (h, w))
        patches = hidden_states.reshape(b, c, h // 2, 2, w // 2, 2).permute(0, 2, 4, 1, 3, 5)
        tokens = patches.reshape(b, h // 2 * (w // 2), 4 * c)
        if self.told and guidance is None:
            guidance = torch.full((b,), self.guidance, device=tokens.device)
        text = torch.zeros(encoder_hidden_states.shape[1], 3, device=tokens.device)
        said: Tensor = self.flux(
            hidden_states=tokens, encoder_hidden_states=encoder_hidden_states,
            pooled_projections=pooled_projections, timestep=timestep / 1000, guidance=guidance,
            img_ids=places(h // 2, w // 2, tokens.device), txt_ids=text,
        )  # fmt: skip
        grid = said.reshape(b, h // 2, w // 2, c, 2, 2).permute(0, 3, 1, 4, 2, 5)
        return grid.reshape(b, c, h, w)


def places(height: int, width: int, device: torch.device) -> Tensor:
    """(0, row, column) of every token, `[height·width, 3]`."""
    rows, columns = torch.arange(height, device=device), torch.arange(width, device=device)
    grid = torch.cartesian_prod(rows, columns).float()
    return torch.cat([torch.zeros(len(grid), 1, device=device), grid], dim=1)

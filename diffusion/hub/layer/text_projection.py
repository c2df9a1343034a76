"""Embeddings of text, and of time with them, as transformers take them."""

from torch import Tensor, nn

from .embedding import TimestepEmbedding, sinusoids


class TextProjection(nn.Module):
    """Linear, activation, linear; of tokens or of one vector."""

    def __init__(self, width: int, hidden: int, act: nn.Module) -> None:
        super().__init__()
        self.linear_1 = nn.Linear(width, hidden)
        self.act_1 = act
        self.linear_2 = nn.Linear(hidden, hidden)

    def forward(self, x: Tensor) -> Tensor:
        hidden: Tensor = self.linear_2(self.act_1(self.linear_1(x)))
        return hidden


class TimeText(nn.Module):
    """The sum of embeddings of time `[b]`, pooled text `[b, pooled]` and, if asked, guidance."""

    def __init__(self, width: int, pooled: int, guidance: bool = False) -> None:
        super().__init__()
        self.timestep_embedder = TimestepEmbedding(256, width)
        if guidance:
            self.guidance_embedder = TimestepEmbedding(256, width)
        self.text_embedder = TextProjection(pooled, width, nn.SiLU())

    def forward(self, t: Tensor, pooled: Tensor, guidance: Tensor | None = None) -> Tensor:
        found: Tensor = self.text_embedder(pooled)
        time: Tensor = self.timestep_embedder(sinusoids(t, 256).to(pooled.dtype))
        if guidance is not None:
            time = time + self.guidance_embedder(sinusoids(guidance, 256).to(pooled.dtype))
        return time + found

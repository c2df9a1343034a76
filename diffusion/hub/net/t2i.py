"""A small network that turns a picture of edges, depth … into features. Mou et al. 2023."""

from torch import Tensor, nn

from ...errors import choose, require
from ...net.sizes import expect
from ..part import Part

TYPES = ("full_adapter", "full_adapter_xl", "light_adapter")


class T2IAdapter(Part):
    """Pictures `[b, in_channels, h, w]` to the `down_intrablock_additional_residuals` of a U-Net.

    Args:
        channels: of the features. downscale_factor: pixels of so many rows and columns become
            channels first.
        adapter_type: "full_adapter" halves the size at each feature but the first,
            "full_adapter_xl" only at the third, for the levels of SDXL; "light_adapter" has one
            feature more, of the last width, and narrow blocks.
    """

    in_channels: int = 3
    channels: tuple[int, ...] = (320, 640, 1280, 1280)
    num_res_blocks: int = 2
    downscale_factor: int = 8
    adapter_type: str = "full_adapter"

    def __post_init__(self) -> None:
        choose("T2IAdapter.adapter_type", self.adapter_type, TYPES)
        require(len(self.channels) > 0, "T2IAdapter.channels", "a width or more", self.channels)
        self.adapter = Adapter(
            self.in_channels * self.downscale_factor**2, self.channels, self.num_res_blocks,
            self.downscale_factor, self.adapter_type,
        )  # fmt: skip

    def forward(self, x: Tensor) -> list[Tensor]:
        factor = self.downscale_factor
        fits = x.dim() == 4 and x.shape[1] == self.in_channels
        fits = fits and x.shape[2] % factor == 0 and x.shape[3] % factor == 0
        wanted = f"x [b, {self.in_channels}, h, w], h and w multiples of {factor}"
        expect(fits, "T2IAdapter", wanted, x)
        features: list[Tensor] = self.adapter(x)
        return features


class Adapter(nn.Module):
    """The layers of any type."""

    def __init__(
        self, width: int, widths: tuple[int, ...], count: int, factor: int, kind: str
    ) -> None:
        super().__init__()
        light = kind == "light_adapter"
        self.unshuffle = nn.PixelUnshuffle(factor)
        self.conv_in = nn.Identity() if light else nn.Conv2d(width, widths[0], 3, padding=1)
        ins = (width if light else widths[0], *widths)
        outs = (*widths, widths[-1]) if light else widths
        halved = (2,) if kind == "full_adapter_xl" else range(1, len(outs))
        self.body = nn.ModuleList(
            Stage(a, b, count, i in halved, light)
            for i, (a, b) in enumerate(zip(ins, outs, strict=False))
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.conv_in(self.unshuffle(x))
        features = []
        for stage in self.body:
            x = stage(x)
            features.append(x)
        return features


class Stage(nn.Module):
    """Perhaps half the size, then residual blocks, which are narrow in a light adapter."""

    def __init__(self, width: int, out: int, count: int, halve: bool, light: bool) -> None:
        super().__init__()
        inner = out // 4 if light else out
        enter = light or width != out
        self.downsample = nn.AvgPool2d(2, ceil_mode=True) if halve else nn.Identity()
        self.in_conv = nn.Conv2d(width, inner, 1) if enter else nn.Identity()
        self.resnets = nn.Sequential(*(Residual(inner, 3 if light else 1) for _ in range(count)))
        self.out_conv = nn.Conv2d(inner, out, 1) if light else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.out_conv(self.resnets(self.in_conv(self.downsample(x))))
        return y


class Residual(nn.Module):
    """Two convolutions beside a shortcut; `kernel` is the second's."""

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.block1 = nn.Conv2d(width, width, 3, padding=1)
        self.block2 = nn.Conv2d(width, width, kernel, padding=kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x + self.block2(self.block1(x).relu())
        return y

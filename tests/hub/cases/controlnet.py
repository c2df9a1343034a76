"""Configs of `ControlNetModel` and `T2IAdapter`."""

from collections.abc import Callable
from typing import Any

import torch

from diffusion.hub.net.controlnet import ControlNetModel
from diffusion.hub.net.t2i import T2IAdapter

from ..parity import Case
from .unet2d_condition import SD, SDXL, SMALL, TIMED, WIDE, added

UP = "up_block_types"


def _case(name: str, more: Callable[[], dict[str, Any]] = dict, **config: Any) -> Case:
    config = {**SMALL, "conditioning_embedding_out_channels": (4, 6, 8), **config}
    config.pop(UP)

    def inputs() -> dict[str, Any]:
        made = {"sample": torch.randn(2, 4, 5, 6), "timestep": torch.tensor([3, 900])}
        picture = torch.rand(2, config.get("conditioning_channels", 3), 20, 24)
        text = {"encoder_hidden_states": torch.randn(2, 7, 12), "controlnet_cond": picture}
        return {**made, **text, **more()}

    return Case(name, ControlNetModel, config, inputs)


def _adapter(name: str, shape: tuple[int, ...], **config: Any) -> Case:
    return Case(
        name,
        T2IAdapter,
        config,
        lambda: {"x": torch.rand(2, *shape)},
        lambda module, inputs: module(**inputs),
    )


CASES = [
    _case("sd1", lambda: {"conditioning_scale": 0.7}),
    _case("sdxl", lambda: {"added_cond_kwargs": added()}, **{**WIDE, **TIMED}),
    _case("guess", lambda: {"guess_mode": True, "conditioning_scale": 1.5}, layers_per_block=1),
    _case(
        "pooled", lambda: {"guess_mode": True}, global_pool_conditions=True,
        controlnet_conditioning_channel_order="bgr", only_cross_attention=(True, False),
    ),
    _case("plain-middle", mid_block_type="UNetMidBlock2D", conditioning_channels=1),
    _adapter("full", (3, 20, 28), channels=(8, 12, 16), downscale_factor=4),
    _adapter("xl", (1, 16, 24), channels=(8, 12, 16, 16), downscale_factor=2,
             adapter_type="full_adapter_xl", in_channels=1, num_res_blocks=1),
    _adapter("light", (3, 20, 28), channels=(8, 12, 16), downscale_factor=4,
             adapter_type="light_adapter", num_res_blocks=3),
]  # fmt: skip


CONTROL = {
    "conditioning_embedding_out_channels": [16, 32, 96, 256],
    "controlnet_conditioning_channel_order": "rgb",
}
ONLY_UNET = {
    "center_input_sample", "class_embeddings_concat", "conv_in_kernel", "conv_out_kernel",
    "cross_attention_norm", "dual_cross_attention", "mid_block_only_cross_attention",
    "out_channels", "resnet_out_scale_factor", "resnet_skip_time_act", "sample_size",
    "time_cond_proj_dim", "time_embedding_act_fn", "time_embedding_dim", "time_embedding_type",
    "timestep_post_act", UP,
}  # fmt: skip


def _of(unet: dict[str, Any]) -> dict[str, Any]:
    return {**{key: value for key, value in unet.items() if key not in ONLY_UNET}, **CONTROL}


REAL: dict[str, tuple[Any, dict[str, Any]]] = {
    "lllyasviel/sd-controlnet-canny": (ControlNetModel, _of(SD)),
    "diffusers/controlnet-canny-sdxl-1.0": (ControlNetModel, _of(SDXL)),
    "TencentARC/t2i-adapter-canny-sdxl-1.0": (
        T2IAdapter,
        {
            "adapter_type": "full_adapter_xl",
            "channels": [320, 640, 1280, 1280],
            "downscale_factor": 16,
            "in_channels": 3,
            "num_res_blocks": 2,
        },
    ),
    "TencentARC/t2iadapter_canny_sd14v1": (
        T2IAdapter,
        {
            "adapter_type": "full_adapter",
            "channels": [320, 640, 1280, 1280],
            "downscale_factor": 8,
            "in_channels": 1,
            "num_res_blocks": 2,
        },
    ),
}

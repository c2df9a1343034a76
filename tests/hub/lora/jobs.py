"""Networks, and LoRA files of them in every naming that Diffusers reads."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

import diffusion
from diffusion import data, hub, noise, schedule
from diffusion.hub.lora import save, trainable
from diffusion.hub.lora.layout import original
from diffusion.hub.lora.names import layers

from . import files

Maker = Callable[[nn.Module, Path, int], Path]
XL, SD3, FLUX, WAN = (f"{one}Pipeline" for one in
                      ("StableDiffusionXL", "StableDiffusion3", "Flux", "Wan"))  # fmt: skip


class Job(NamedTuple):
    """A network of `nets` or a text encoder, the pipeline that reads, and the files.

    Attributes:
        make: writes a file for (network, path, seed). strengths: one for each file.
    """

    net: str
    of: str
    make: Maker
    strengths: tuple[float, ...] = (1.0,)


def attention(path: str) -> bool:
    return ".attn" in path


def every(path: str) -> bool:
    return True


def known(path: str) -> bool:
    """Of kohya's names: Diffusers loses this one, and says so in a warning."""
    return "add_embedding" not in path


def inner(name: str) -> bool:
    """kohya's names of Flux: Diffusers loses the layers outside of blocks, whose names it makes
    without the prefix that it then looks for, and knows `linear1` at the published width only."""
    return "blocks" in name and "linear1" not in name and not short(name)


def short(name: str) -> bool:
    """XLabs' names, of those of Flux."""
    return re.search(r"\d\.(qkv|proj)\d?$", name) is not None


def written(
    naming: Callable[[str], tuple[str, str]], chosen: Callable[[str], bool] = every,
    alpha: float | None = None, magnitudes: str = "", said: dict[str, Any] | None = None,
) -> Maker:  # fmt: skip
    """Our names of the chosen layers, with ranks 2 to 4."""

    def make(network: nn.Module, path: Path, seed: int) -> Path:
        of = {}
        for i, one in enumerate(filter(chosen, layers(network))):
            of |= files.factors(network, [one], 2 + i % 3 * (said is None), seed + i)
        more = dict(_magnitudes(network, of, naming, magnitudes)) if magnitudes else {}
        metadata = {} if said is None else _metadata(of, said)
        return files.write(path, of, naming, alpha, metadata, **more)

    return make


def trained(network: nn.Module, path: Path, seed: int) -> Path:
    """What `lora.save` writes of a model that trains one: here, of factors that are drawn."""
    flow = schedule.Flow(1000)
    null = {"encoder_hidden_states": torch.zeros(1, 5, 10), "pooled_projections": torch.zeros(1, 6)}
    net = hub.Denoiser(network, flow, hub.scheduler.Timestep("flow"), null=null)
    model = diffusion.Model(data.Identity(), flow, noise.Gaussian("velocity"), net, shape=(4, 8, 8))
    made = trainable(model, 3, ("to_q", "add_k_proj", "proj", "net.2"), alpha=2)
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for factor in made.trainable():
            factor.normal_(0, 0.3, generator=draw)
    return save(made, path)


def named(
    naming: Callable[[str], tuple[str, str]], chosen: Callable[[str], bool] = every,
    alpha: float | None = None,
) -> Maker:  # fmt: skip
    """Names of the original code, for all layers, or where chosen by that name."""

    def make(network: nn.Module, path: Path, seed: int) -> Path:
        draw = torch.Generator().manual_seed(seed)
        of = {}
        for theirs, ours in original(network, layers(network)):
            if not chosen(theirs):
                continue
            weights = [network.get_submodule(one).weight for one in ours]
            down = torch.randn(3, *weights[0].shape[1:], generator=draw) * 0.3
            of[theirs] = down, torch.randn(sum(map(len, weights)), 3, generator=draw) * 0.3
        return files.write(path, of, naming, alpha)

    return make


def xlabs(path: str) -> tuple[str, str]:
    """`double_blocks.0.qkv1` stands for the processor's `qkv_lora1`."""
    block, _, layer = path.rpartition(".")
    name, stream = (layer[:-1], layer[-1]) if layer[-1].isdigit() else (layer, "")
    return tuple(f"{block}.processor.{name}_lora{stream}.{one}.weight" for one in ("down", "up"))


def te(prefix: str) -> Callable[[str], tuple[str, str]]:
    """kohya's names of text encoders have the `text_model` that transformers dropped."""
    return lambda path: files.kohya(f"text_model.{path.removeprefix('text_model.')}", prefix)


def _magnitudes(
    network: nn.Module, of: files.Factors, naming: Any, name: str
) -> Iterator[tuple[str, Tensor]]:
    draw = torch.Generator().manual_seed(7)
    for path in of:
        weight = network.get_submodule(path).weight
        norm = weight.detach().flatten(1).norm(dim=1) + 0.1
        size = norm * (1 + 0.2 * torch.randn(len(norm), generator=draw))
        if weight.dim() > 2:
            size = size.reshape(1, -1, *(1,) * (weight.dim() - 2))
        yield naming(path)[0].replace("lora_A.weight", name), size


def _metadata(of: files.Factors, said: dict[str, Any]) -> dict[str, str]:
    every = {"r": 2, "target_modules": [*of], **said}
    return {"lora_adapter_metadata": json.dumps({f"unet.{k}": v for k, v in every.items()})}


UNET, TRANSFORMER, ORIGINAL = (
    lambda path, prefix=prefix: files.peft(path, prefix)
    for prefix in ("unet.", "transformer.", "diffusion_model.")
)
DORA = "lora_magnitude_vector"
PATTERN = {
    "lora_alpha": 3,
    "alpha_pattern": {"mid_block.attentions.0.transformer_blocks.0.attn1.to_q": 8},
}
JOBS = {
    "peft, convolutions": Job("sdxl", XL, written(UNET)),
    "peft, alphas of metadata": Job("sdxl", XL, written(UNET, attention, said=PATTERN)),
    "peft, alpha by the root of the rank": Job(
        "sdxl", XL, written(UNET, attention, said={"lora_alpha": 3, "use_rslora": True})
    ),
    "DoRA": Job("sdxl", XL, written(UNET, said={"use_dora": True, "lora_alpha": 3},
                                    magnitudes=DORA)),
    "two": Job("sdxl", XL, written(UNET, attention), (0.7, -0.4)),
    "old Diffusers": Job("sdxl", XL, written(files.old, attention)),
    "kohya": Job("sdxl", XL, written(files.kohya, known, alpha=2)),
    "kohya, original names": Job("sdxl", XL, named(files.kohya, alpha=2)),
    "kohya, 1.5": Job("sd1", XL, written(files.kohya, attention, alpha=1)),
    "SD3": Job("sd3", SD3, written(TRANSFORMER)),
    "what a model trains": Job("sd3", SD3, trained),
    "Flux": Job("flux", FLUX, written(TRANSFORMER)),
    "Flux, kohya": Job("flux", FLUX, named(files.kohya, inner, alpha=2)),
    "Flux, XLabs": Job("flux", FLUX, named(xlabs, short)),
    "Wan": Job("wan", WAN, written(TRANSFORMER)),
    "Wan, original names": Job("wan", WAN, named(ORIGINAL)),
    "CLIP, kohya": Job("text_encoder", XL, written(te("lora_te1_"), alpha=2)),
    "CLIP, peft": Job("text_encoder_2", XL, written(
        lambda path: files.peft(path, "text_encoder_2."))),
}  # fmt: skip

"""Transformers of the Diffusers format: beside Diffusers' own, and against what they must obey."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from diffusion.hub.layer.modulation import clamped
from diffusion.hub.net.dit import DiTTransformer2DModel, transformer2d
from diffusion.hub.net.flux import FluxTransformer2DModel
from diffusion.hub.net.pixart import PixArtTransformer2DModel
from diffusion.hub.net.sd3 import SD3Transformer2DModel
from diffusion.hub.net.wan import WanTransformer3DModel
from diffusion.hub.part import Part

from .cases import dit, flux, pixart, sd3, wan
from .parity import FP32, Case, distance, gaps, outputs, pair, shapes

CASES = [*dit.CASES, *pixart.CASES, *sd3.CASES, *flux.CASES, *wan.CASES]

REAL: dict[str, tuple[type[Part], dict[str, Any]]] = {
    "DiT-XL/2-256": (DiTTransformer2DModel, dit.LARGE),
    "PixArt-Alpha-1024": (PixArtTransformer2DModel, pixart.ALPHA),
    "PixArt-Sigma-1024": (PixArtTransformer2DModel, pixart.SIGMA),
    "SD3-medium": (SD3Transformer2DModel, sd3.MEDIUM),
    "SD3.5-large": (SD3Transformer2DModel, sd3.LARGE_35),
    "SD3.5-medium": (SD3Transformer2DModel, sd3.MEDIUM_35),
    "Flux.1-dev": (FluxTransformer2DModel, flux.DEV),
    "Flux.1-schnell": (FluxTransformer2DModel, flux.SCHNELL),
    "Wan2.1-T2V-1.3B": (WanTransformer3DModel, wan.T2V_1_3B),
    "Wan2.1-I2V-14B": (WanTransformer3DModel, wan.I2V_14B),
    "Wan2.2-TI2V-5B": (WanTransformer3DModel, wan.TI2V_5B),
}


def named(name: str) -> Case:
    return next(case for case in CASES if str(case) == name)


ONE_EACH = [
    named("DiTTransformer2DModel-variance"), named("PixArtTransformer2DModel-sizes"),
    named("SD3Transformer2DModel-3.5-medium"), named("FluxTransformer2DModel-dev"),
    named("FluxTransformer2DModel-control"), named("WanTransformer3DModel-time-per-patch"),
    named("WanTransformer3DModel-i2v"),
]  # fmt: skip


UNUSED = ("blocks.2.attn.add_q_proj", "blocks.2.attn.norm_added_q")
"""Nobody reads what the text asks in the last block of SD3. Keys' biases vanish in the softmax."""


@pytest.mark.parametrize("case", CASES, ids=str)
def test_same_as_diffusers(case: Case) -> None:
    found = gaps(case)
    assert found.fp32 <= FP32
    assert found.ours_bf16 <= 1.5 * found.theirs_bf16 + 1e-3


@pytest.mark.parametrize("name", REAL)
def test_real_size(name: str) -> None:
    """The file's config is read, and what is written in its place builds Diffusers' class."""
    cls, config = REAL[name]
    if config.get("_class_name") == "Transformer2DModel":
        assert transformer2d(config) is cls
    with torch.device("meta"):
        written = cls.build(config).config()
    assert written.pop("_class_name") == cls.__name__
    shapes(cls, written)


def test_wan_keeps_some_weights_in_float32() -> None:
    """As Diffusers loads it: embeddings of time, norms and tables are not cast."""
    case = named("WanTransformer3DModel-i2v")
    ours, theirs = pair(case)
    exact = outputs(case, theirs, torch.float32)
    halves = []
    for module in (ours, theirs):
        module.to(torch.bfloat16)
        for name, parameter in module.named_parameters():
            if any(part in name for part in WanTransformer3DModel.whole):
                parameter.data = parameter.data.float()
        module.to = lambda dtype, module=module: module
        halves.append(distance(outputs(case, module, torch.bfloat16), exact))
    assert halves[0] <= 1.5 * halves[1] + 1e-3


def test_fresh_positions_of_sd3() -> None:
    """They belong to the file, but a network without a file has them, too."""
    import diffusers

    config = sd3.TINY | {"sample_size": 12}
    theirs = diffusers.SD3Transformer2DModel(**config).pos_embed.pos_embed
    ours = SD3Transformer2DModel.build(config).pos_embed.get_buffer("pos_embed")
    assert torch.equal(ours, theirs)


@pytest.mark.parametrize("case", ONE_EACH, ids=str)
def test_trains_after_inference_mode(case: Case) -> None:
    """Tables that inference mode made serve training; every weight that is used gets a gradient."""
    net, given = fresh(case)
    with torch.inference_mode():
        net(**given)
    net(**given).square().mean().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0 or any(part in name for part in UNUSED), name


@pytest.mark.parametrize("case", {case.cls: case for case in ONE_EACH}.values(), ids=str)
@pytest.mark.filterwarnings("ignore:Dynamo detected a call to a `functools.lru_cache`")
def test_compiles_whole(case: Case) -> None:
    shallow = {name: 1 for name in case.config if name in ("num_layers", "num_single_layers")}
    net, given = fresh(case._replace(config=case.config | shallow))
    with torch.no_grad():
        compiled = torch.compile(net, fullgraph=True, backend="eager")
        assert torch.allclose(compiled(**given), net(**given), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("case", ONE_EACH, ids=str)
def test_batch_is_its_samples(case: Case) -> None:
    net, given = fresh(case)
    with torch.no_grad():
        whole, second = net(**given), net(**cut(given))
    assert torch.allclose(whole[1:], second, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("case", ONE_EACH, ids=str)
def test_float64(case: Case) -> None:
    net, given = fresh(case)
    with torch.no_grad():
        single, double = net(**given), net.double()(**each(given, wider))
    assert double.dtype == torch.float64
    assert torch.allclose(single.double(), double, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("case", ONE_EACH, ids=str)
def test_every_input_counts(case: Case) -> None:
    net, given = fresh(case)
    with torch.no_grad():
        before = net(**given)
        for name in given:
            changed = given | {name: each(given[name], lambda x: x.flip(-1) + 1)}
            if name == "class_labels":
                changed[name] = given[name].flip(0)
            assert not torch.allclose(net(**changed), before, atol=1e-6), name


def test_wan_reads_a_text_of_any_length_beside_a_picture() -> None:
    """Diffusers takes all but the last 512 tokens for the picture's. Text is a set of tokens."""
    net, given = fresh(named("WanTransformer3DModel-i2v"))
    text = given["encoder_hidden_states"][:, :7]
    with torch.no_grad():
        one, other = (net(**given | {"encoder_hidden_states": t}) for t in (text, text.flip(1)))
    assert torch.allclose(one, other, atol=1e-5)


def test_float16_stays_finite() -> None:
    """Sums above 65504, as in Diffusers."""
    big = torch.tensor([torch.inf, -torch.inf, 1.0])
    assert clamped(big.half()).tolist() == [65504.0, -65504.0, 1.0]
    assert torch.equal(clamped(big), big)


def fresh(case: Case) -> tuple[Part, dict[str, Any]]:
    """A network whose weights have left their initial values, and inputs."""
    torch.manual_seed(0)
    net = case.cls.build(case.config).eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    return net, case.inputs()


def each(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """A change of every tensor."""
    if isinstance(value, dict):
        return {key: each(one, change) for key, one in value.items()}
    if isinstance(value, list):
        return [each(one, change) for one in value]
    return change(value) if isinstance(value, Tensor) else value


def wider(x: Tensor) -> Tensor:
    return x.double() if x.is_floating_point() else x


def cut(given: dict[str, Any]) -> dict[str, Any]:
    """The second sample of a batch; what has no batch axis stays."""
    shared = {name: given[name] for name in ("img_ids", "txt_ids") if name in given}
    return {**each(given, lambda x: x[1:]), **shared}

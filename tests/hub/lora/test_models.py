"""A new model with LoRAs in it: its own weights where they change, the other's elsewhere."""

from pathlib import Path

import diffusers
import pytest
import torch
from safetensors.torch import load_file, save_file

import diffusion
from diffusion import hub
from diffusion.errors import FileError, InputError, MismatchError
from diffusion.hub.lora import apply, read, refuse
from diffusion.hub.lora.names import inner, layers

from ..pipelines import CASES, PROMPTS, flux
from ..test_load import TRAJECTORY, gap, last
from ..text import tiny
from . import files

SCALE = 0.8 * 2 / 3
"""strength·alpha/r."""


def te(prefix):
    return lambda path: files.kohya(f"text_model.{path.removeprefix('text_model.')}", prefix)


def both(folder, networks, chosen=lambda path: "attn" in path, alpha=2):
    """A file for a denoiser and text encoders, and its factors by part."""
    names = {"denoiser": files.kohya, "text_encoder": te("lora_te1_"),
             "text_encoder_2": te("lora_te2_")}  # fmt: skip
    found, tensors = {}, {}
    for i, (part, network) in enumerate(networks.items()):
        of = files.factors(network, filter(chosen, layers(network)), seed=i)
        tensors |= load_file(files.write(folder / "part", of, names[part], alpha))
        found[part] = of
    save_file(tensors, folder / "lora.safetensors")
    return folder / "lora.safetensors", found


def networks(model):
    prompts = model.data.text
    return {"denoiser": inner(model.net), **dict(prompts.named_children())}


@pytest.mark.parametrize("name", ["sd", "xl"])
def test_a_pipeline_with_text_encoders(name, tmp_path):
    case = CASES[name]
    case.make().save_pretrained(tmp_path / "plain")
    model = hub.load(tmp_path / "plain", shape=case.latents[1:])
    own = networks(model)
    bits = {part: files.state(one) for part, one in own.items()}
    path, of = both(tmp_path, own)
    before = last(model, case.start(), y=PROMPTS)
    made = apply(model, path, strength=0.8)
    for part, network in networks(made).items():
        assert files.gap(network, files.folded(bits[part], of[part], SCALE)) < 2e-6
        assert files.gap(own[part], bits[part]) == 0
        old, new = own[part].state_dict(), network.state_dict()
        changed = {f"{one}.weight" for one in of[part]}
        assert {k for k in old if old[k].data_ptr() != new[k].data_ptr()} == changed
    assert torch.equal(last(model, case.start(), y=PROMPTS), before)
    ours = last(made, case.start(), y=PROMPTS)
    assert gap(ours, before) > 1e-2
    made.save(tmp_path / "ours", format="diffusers")
    theirs = getattr(diffusers, case.pipeline).from_pretrained(tmp_path / "ours")
    theirs.set_progress_bar_config(disable=True)
    with torch.no_grad():
        assert gap(ours, case.theirs(theirs)) < TRAJECTORY


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("flux")
    tiny.pipeline("FluxPipeline", **flux()).save_pretrained(folder)
    return hub.load(folder, shape=(4, 8, 8))


@pytest.fixture
def one(model, tmp_path):
    network = inner(model.net)
    of = files.factors(network, [p for p in layers(network) if "attn" in p])
    return files.write(tmp_path / "one.safetensors", of, files.peft), of


def test_several_at_once(model, one, tmp_path):
    path, first = one
    bits = files.state(inner(model.net))
    second = files.factors(inner(model.net), [*first, "proj_out"], seed=5)
    other = files.write(tmp_path / "two.safetensors", second, files.kohya)
    made = apply(model, [path, read(other)], [0.5, -1.5])
    want = files.folded(files.folded(bits, first, 0.5), second, -1.5)
    assert files.gap(inner(made.net), want) < 2e-6
    assert made.data is not None
    assert files.gap(inner(model.net), bits) == 0


def test_mapped_weights_stay_mapped(model, one):
    """What a LoRA does not change takes no memory, and is written by neither model."""
    made = apply(model, one[0])
    pointers = {p.untyped_storage().data_ptr() for p in model.net.parameters()}
    new = [p for p in made.net.parameters() if p.untyped_storage().data_ptr() not in pointers]
    assert len(new) == len(one[1])


def test_weights_are_still_looked_at_once(model, one):
    """Hooks that find NaN at the first call are the copy's own."""
    made = apply(model, one[0])
    z = torch.randn(2, 4, 8, 8)
    last(made, z, y=PROMPTS)
    assert not any(m._forward_pre_hooks for m in inner(made.net).modules())


def test_an_attached_lora_is_what_a_model_samples_with(model, one):
    z = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    want = last(apply(model, one[0], 0.6), z, y=PROMPTS)
    with read(one[0]).attach(model.net, 0.6) as attached:
        assert gap(last(model, z, y=PROMPTS), want) < TRAJECTORY
        with pytest.raises(MismatchError, match=r"save: .*to_q has a LoRA beside it"):
            refuse(model.net, "save")
        attached.merge()
        refuse(model.net, "save")
        assert gap(last(model, z, y=PROMPTS), want) < TRAJECTORY


def test_a_text_encoder_alone(model, tmp_path):
    encoder = model.data.text.text_encoder
    bits = files.state(encoder)
    of = files.factors(encoder, [p for p in layers(encoder) if "attn" in p])
    path = files.write(tmp_path / "x.safetensors", of, te("lora_te1_"))
    with read(path).attach(encoder, part="text_encoder") as attached:
        attached.merge()
        assert files.gap(encoder, files.folded(bits, of, 1.0)) < 2e-6
    assert files.gap(encoder, bits) == 0
    made = apply(model, path)
    assert files.gap(made.data.text.text_encoder, files.folded(bits, of, 1.0)) < 2e-6
    assert any((v != model.net.null[k]).any() for k, v in made.net.null.items())


def test_what_is_refused(model, one, tmp_path):
    network = inner(model.net)
    clip = tiny.clip(8)
    path, _ = both(tmp_path, {"denoiser": network, "text_encoder": clip})
    pixels = diffusion.load(tmp_path_of_pixels(tmp_path))
    with pytest.raises(FileError, match="it changes text_encoder; this model has denoiser"):
        apply(pixels, path)
    of = files.factors(clip, ["encoder.layers.0.mlp.fc1"])
    only = files.write(tmp_path / "t.safetensors", of, te("lora_te1_"))
    with pytest.raises(FileError, match="it changes text_encoder; this model has denoiser"):
        apply(pixels, only, partial=True)
    for strength in ([1.0, 2.0], [], float("nan"), ["much"]):
        with pytest.raises(InputError, match="1 finite numbers"):
            apply(model, one[0], strength)


def tmp_path_of_pixels(folder: Path) -> Path:
    from ..pipelines import ddim

    tiny.pipeline("DDIMPipeline", **ddim()).save_pretrained(folder / "pixels")
    return folder / "pixels"

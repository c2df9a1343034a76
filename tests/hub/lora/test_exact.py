"""W' = W + strength·alpha/r·B·A, in every class of network and every naming, there and back."""

import pytest
import torch

from diffusion.hub.lora import read
from diffusion.hub.lora.names import layers

from ..parity import outputs
from . import files, nets

NAMINGS = {
    "peft": files.peft,
    "base": lambda path: files.peft(path, "base_model.model."),
    "prefixed": lambda path: files.peft(path, "transformer."),
    "kohya": files.kohya,
    "onetrainer": lambda path: files.kohya(path, "lora_transformer_"),
}
CLOSE = 2e-6


@pytest.mark.parametrize("naming", NAMINGS)
@pytest.mark.parametrize("name", nets.CASES)
def test_it_is_folded_in_and_taken_out(name, naming, tmp_path):
    network, case = nets.build(name), nets.CASES[name]
    before = dict(network.named_parameters())
    bits = {k: v.clone() for k, v in network.state_dict().items()}
    plain = outputs(case, network, torch.float32)
    of = files.factors(network, layers(network), rank=2)
    lora = read(files.write(tmp_path / "x.safetensors", of, NAMINGS[naming], alpha=0.5))
    attached = lora.attach(network, 0.7)
    beside = outputs(case, network, torch.float32)
    attached.merge()
    assert files.gap(network, files.folded(network, {}, 0) | _want(bits, of)) < CLOSE
    inside = outputs(case, network, torch.float32)
    for ours, theirs, old in zip(inside, beside, plain, strict=True):
        assert (ours - theirs).abs().max() < 2e-5 * theirs.abs().max()
        assert (ours - old).abs().max() > 1e-2 * old.abs().max()
    attached.detach()
    after = dict(network.named_parameters())
    assert all(after[k] is v for k, v in before.items())
    assert all(torch.equal(v, bits[k]) for k, v in network.state_dict().items())
    assert all(map(torch.equal, outputs(case, network, torch.float32), plain))


def _want(bits, of):
    holder = torch.nn.Module()
    holder.state_dict = lambda: bits
    return files.folded(holder, of, 0.7 * 0.5 / 2)

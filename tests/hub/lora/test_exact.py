"""W' = W + strength·alpha/r·B·A, in every class of network and every naming, there and back."""

import copy

import pytest
import torch
from torch import nn

from diffusion.errors import InputError
from diffusion.hub.lora import read
from diffusion.hub.lora.names import layers

from ..parity import outputs
from . import files, nets

NAMINGS = {
    "peft": files.peft,
    "raw peft": lambda path: files.peft(path, "base_model.model."),
    "prefixed": lambda path: files.peft(path, "transformer."),
    "kohya": files.kohya,
    "OneTrainer": lambda path: files.kohya(path, "lora_transformer_"),
}
CASES = [*((name, "kohya") for name in nets.CASES), *(("sd3", one) for one in NAMINGS)]
CLOSE = 2e-6
ATTENTION = [f"blocks.{i}.attn{j}.to_{a}" for i in (0, 1) for j in (1, 2) for a in "qkv"]


@pytest.mark.parametrize(("name", "naming"), CASES)
def test_it_is_folded_in_and_taken_out(name, naming, tmp_path):
    network, case = nets.build(name), nets.CASES[name]
    before, bits = dict(network.named_parameters()), files.state(network)
    plain = outputs(case, network, torch.float32)
    of = files.factors(network, layers(network), rank=2)
    lora = read(files.write(tmp_path / "x.safetensors", of, NAMINGS[naming], alpha=0.5))
    attached = lora.attach(network, 0.7)
    beside = outputs(case, network, torch.float32)
    attached.merge()
    assert files.gap(network, files.folded(bits, of, 0.7 * 0.5 / 2)) < CLOSE
    inside = outputs(case, network, torch.float32)
    for ours, theirs, old in zip(inside, beside, plain, strict=True):
        assert (ours - theirs).abs().max() < 2e-5 * theirs.abs().max()
        assert (ours - old).abs().max() > 1e-2 * old.abs().max()
    attached.detach()
    after = dict(network.named_parameters())
    assert all(after[k] is v for k, v in before.items())
    assert files.gap(network, bits) == 0
    assert all(map(torch.equal, outputs(case, network, torch.float32), plain))


def test_old_names_of_attentions(tmp_path):
    network = nets.build("sd1")
    bits = files.state(network)
    paths = [path for path in layers(network) if ".attn" in path]
    of = files.factors(network, paths)
    read(files.write(tmp_path / "x.safetensors", of, files.old)).attach(network).merge()
    assert files.gap(network, files.folded(bits, of, 1.0)) < CLOSE


@pytest.fixture
def wan():
    return nets.build("wan")


@pytest.fixture
def pair(wan, tmp_path):
    """Two LoRAs of the same layers, of ranks 2 and 3, and their factors."""
    some = [files.factors(wan, ATTENTION, rank, seed=rank) for rank in (2, 3)]
    paths = (files.write(tmp_path / f"{len(x)}{i}.safetensors", x, files.peft)
             for i, x in enumerate(some))  # fmt: skip
    return [read(path) for path in paths], some


def test_several_add_up_and_come_and_go_in_any_order(wan, pair):
    (one, two), (first, second) = pair
    bits, before = files.state(wan), dict(wan.named_parameters())
    a, b = one.attach(wan, 0.5).merge(), two.attach(wan, -2.0).merge()
    both = files.folded(files.folded(bits, first, 0.5), second, -2.0)
    assert files.gap(wan, both) < CLOSE
    a.unmerge()
    a.detach()
    assert files.gap(wan, files.folded(bits, second, -2.0)) < CLOSE
    b.unmerge()
    assert all(dict(wan.named_parameters())[k] is v for k, v in before.items())
    b.detach()
    assert files.gap(wan, bits) == 0


def test_merging_for_good(wan, pair):
    """Whoever does not keep what `attach` returns has folded it in, once for each."""
    (one, two), (first, second) = pair
    want = files.state(wan)
    for _ in range(3):
        for lora, of in ((one, first), (two, second)):
            lora.attach(wan, 0.5).merge()
            want = files.folded(want, of, 0.5)
    assert files.gap(wan, want) < CLOSE


def test_strengths_are_set_beside_and_inside(wan, pair):
    (one, _), (first, _) = pair
    case, bits = nets.CASES["wan"], files.state(wan)
    with one.attach(wan, 0.0) as attached:
        (nothing,) = outputs(case, wan, torch.float32)
        attached.strength = 1.5
        (some,) = outputs(case, wan, torch.float32)
        attached.merge()
        (same,) = outputs(case, wan, torch.float32)
        attached.strength = 3.0
        assert files.gap(wan, files.folded(bits, first, 3.0)) < CLOSE
        with pytest.raises(InputError, match="a finite number; got nan"):
            attached.strength = float("nan")
    assert (some - same).abs().max() < 2e-5 * same.abs().max()
    assert torch.equal(nothing, outputs(case, wan, torch.float32)[0])
    assert not torch.equal(nothing, some)


def test_copies_of_a_network_have_branches_of_their_own(wan, pair):
    (one, _), _ = pair
    attached = one.attach(wan)
    other = copy.deepcopy(wan)
    (want,) = outputs(nets.CASES["wan"], wan, torch.float32)
    attached.detach()
    (found,) = outputs(nets.CASES["wan"], other, torch.float32)
    assert torch.equal(found, want)


def test_a_network_that_moved_is_put_back_where_it_is(wan, pair):
    (one, _), _ = pair
    bits = files.state(wan.to(torch.bfloat16))
    attached = one.attach(wan).merge()
    wan.to(torch.float64)
    attached.detach()
    assert all(p.dtype == torch.float64 for p in wan.parameters())
    assert files.gap(wan, bits) == 0


def test_bfloat16_is_rounded_once(wan, pair):
    (one, _), (first, _) = pair
    bits = files.state(wan.to(torch.bfloat16))
    one.attach(wan).merge()
    want, state = files.folded(bits, first, 1.0), wan.state_dict()
    for key in (f"{path}.weight" for path in ATTENTION):
        error = (state[key].double() - want[key]).abs()
        assert (error <= 1.001 * 2**-8 * want[key].abs() + 1e-7).all()


def test_gradients_reach_the_input_and_it_compiles(tmp_path):
    network = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Flatten(), nn.Linear(12, 2))
    of = files.factors(network, ["0", "2"])
    read(files.write(tmp_path / "x.safetensors", of, files.peft)).attach(network)
    x = torch.randn(1, 2, 4, 4, requires_grad=True)
    compiled = torch.compile(network, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), network(x))
    compiled(x).square().mean().backward()
    assert x.grad.abs().sum() > 0

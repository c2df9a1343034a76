"""Networks that attend to further conditions: what is missing changes nothing, to the bit."""

import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from diffusion import Model, data, hub, loss, net, noise, schedule, time, train
from diffusion.base import Net
from diffusion.errors import InputError
from diffusion.net.cross import Cross, Tokens


def shaken(network: Any, size: float = 0.3) -> Any:
    """With weights of which none is zero any more."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(size * torch.randn_like(parameter))
    return network


def unet() -> Net:
    return net.UNet((1, 8, 16), labels=3, hidden=16)


def transformer() -> Net:
    return net.Transformer(1, labels=3, depth=2, width=16, heads=2, patch=2)


def diffusers() -> Net:
    network = hub.net.UNet2DConditionModel(
        sample_size=8, in_channels=1, out_channels=1, cross_attention_dim=6,
        block_out_channels=(8, 16), layers_per_block=1, norm_num_groups=4, attention_head_dim=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
    )  # fmt: skip
    null = {"encoder_hidden_states": torch.zeros(1, 2, 6)}
    return hub.Denoiser(network, schedule.Cosine(100), null=null)


def conditioned(network: Net, **more: Any) -> net.Conditioned:
    encoders = {"text": net.Projection(5, 12, 2), "style": net.Encoder((1, 8, 12))}
    return net.Conditioned(network, encoders, **more)


def inputs(count: int = 3) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    draws = torch.Generator().manual_seed(1)
    x = torch.randn(count, 1, 8, 8, generator=draws)
    told = {
        "text": torch.randn(count, 5, generator=draws),
        "style": torch.randn(count, 1, 8, 8, generator=draws),
    }
    return x, torch.linspace(0.1, 0.9, count), told


@pytest.mark.parametrize("make", [unet, transformer, diffusers])
def test_without_conditions_the_answer_is_the_networks_own(make: Any) -> None:
    torch.manual_seed(0)
    inner = shaken(make())
    outer = shaken(conditioned(inner))
    x, t, told = inputs()
    own: Any = {"encoder_hidden_states": torch.randn(3, 2, 6)}
    y: Any = torch.tensor([1, 2, 3])
    y, named = (own, own) if make is diffusers else (y, {"y": y})
    alone = inner(x, y, t)
    assert torch.equal(outer(x, y, t), alone)
    assert torch.equal(outer(x, dict(named), t), alone)
    none = {name: torch.zeros_like(value) for name, value in told.items()}
    assert torch.equal(outer(x, {**named, **none}, t), alone), "rows of zeros are missing"
    for name in told:
        assert (outer(x, {**named, name: told[name]}, t) - alone).abs().max() > 1e-3, name
    assert {id(p) for p in inner.parameters()} < {id(p) for p in outer.parameters()}


def test_rows_are_missing_one_by_one() -> None:
    torch.manual_seed(0)
    outer = shaken(conditioned(unet()))
    x, t, told = inputs()
    some = {"text": told["text"].clone(), "style": told["style"].clone()}
    some["text"][0], some["style"][1] = 0, 0
    hat = outer(x, some, t)
    for i, names in enumerate((["style"], ["text"], ["style", "text"])):
        row = {name: told[name][i : i + 1] for name in names}  # their order says nothing either
        alone = outer(x[i : i + 1], row, t[i : i + 1])
        torch.testing.assert_close(hat[:, i : i + 1], alone, rtol=1e-4, atol=1e-5)
    one = outer(x, {"text": told["text"][:1]}, t)  # one row serves the batch
    every = outer(x, {"text": told["text"][:1].expand(3, -1)}, t)
    torch.testing.assert_close(one, every, rtol=1e-4, atol=1e-5)


def test_attention_to_a_token_is_a_logistic_function() -> None:
    """exp(s)/(exp(s) + 1) of its value: the other token has key and value zero."""
    torch.manual_seed(0)
    cross = shaken(Cross(4, 6, heads=1))
    h, token = torch.randn(2, 5, 4), torch.randn(2, 1, 6)
    added = cross(h, Tokens(token, torch.tensor([[True], [False]])))
    q = cross.q(torch.nn.functional.layer_norm(h, (4,)))
    k, v = cross.kv(token).chunk(2, -1)
    share = (q @ k.transpose(1, 2) / 2).sigmoid()  # the root of four features
    torch.testing.assert_close(added[0], cross.out(share * v)[0])
    assert not added[1].any()


def test_a_further_condition_beside_others() -> None:
    torch.manual_seed(0)
    first = shaken(conditioned(unet()))
    second = net.Conditioned(first, {"sound": net.Encoder((4, 12), dimensions=1)})
    x, t, told = inputs()
    sound = torch.randn(3, 4, 7)
    y = torch.tensor([1, 2, 3])
    assert torch.equal(second(x, {"y": y, **told}, t), first(x, {"y": y, **told}, t))
    assert torch.equal(second(x, {"sound": sound}, t), first(x, None, t)), "it starts at zero"
    shaken(second)
    with_sound, without = (
        second(x, {"y": y, **told, **more}, t) for more in ({"sound": sound}, {})
    )
    assert (with_sound - without).abs().max() > 1e-3
    assert second.labels == 3


def test_an_encoder_that_joins_the_others_goes_through_their_attention(tmp_path: Path) -> None:
    """One with the weights of another says what that says; the others are untouched, and shared."""
    torch.manual_seed(0)
    first = shaken(conditioned(unet(), heads=2, least=16))
    ear = net.Projection(5, 12, 2)
    ear.load_state_dict(first.encoders["text"].state_dict())
    second = first.with_encoders({"sound": ear})
    x, t, told = inputs()
    alike, both = {"sound": told["text"]}, {**told, "sound": told["text"]}
    assert torch.equal(second(x, alike, t), first(x, {"text": told["text"]}, t))
    assert torch.equal(second(x, told, t), first(x, told, t))
    assert not torch.equal(second(x, both, t), first(x, told, t))
    assert {id(p) for p in first.parameters()} < {id(p) for p in second.parameters()}
    assert [*first.encoders] == ["text", "style"]

    model = Model(data.Images(), schedule.Flow(), noise.Gaussian("x"), second, shape=(1, 8, 8))
    model.save(tmp_path / "model")
    again = Model.load(tmp_path / "model")
    assert torch.equal(again.net(x, both, t), second(x, both, t))
    with pytest.raises(InputError, match="tokens of one width"):
        first.with_encoders({"sound": net.Projection(5, 8)})


def test_threads_see_their_own_conditions() -> None:
    torch.manual_seed(0)
    outer = shaken(conditioned(unet())).eval()
    x, t, told = inputs()
    cases = [told, {}, {"text": told["text"]}, {"style": told["style"]}]
    wanted = [outer(x, case, t) for case in cases]
    wrong = list[int]()

    def work(i: int) -> None:
        wrong.extend(i for _ in range(20) if not torch.equal(outer(x, cases[i], t), wanted[i]))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(cases))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_frozen_model_learns_a_condition_and_is_saved(tmp_path: Path) -> None:
    """The condition says how bright the picture is; a frozen network can't know."""
    torch.manual_seed(0)
    bright = torch.linspace(0, 255, 64).round()
    w = bright.view(-1, 1, 1, 1).expand(-1, 1, 4, 4).to(torch.uint8)
    frozen: Any = net.UNet((1, 8, 8), hidden=16).requires_grad_(False)
    shaken(frozen.exit, 0.1)  # which starts at zero
    before = {name: value.clone() for name, value in frozen.state_dict().items()}
    told = {"bright": torch.stack([bright / 255 + 0.1, torch.ones(64)], 1)}
    model = Model(
        data.Images(w, told, batch=64), schedule.Flow(), noise.Gaussian("x"),
        net.Conditioned(frozen, {"bright": net.Projection(2, 8)}), loss.Simple(),
        time.LogitNormal(), optimizer=train.AdamW(1e-2),
    )  # fmt: skip
    losses = list(model.train(45))
    assert losses[-1] < 0.7 * losses[0]
    assert all(torch.equal(value, before[name]) for name, value in frozen.state_dict().items())
    model.save(tmp_path / "model")
    y = {"bright": told["bright"][::20]}
    again = Model.load(tmp_path / "model")
    assert torch.equal(again.sample(y, steps=3, seed=0), model.sample(y, steps=3, seed=0))


class Plain(nn.Module):
    width = 8

    def forward(self, value: Tensor) -> Tensor:
        return value


def test_misfits_are_named() -> None:
    for encoders, words in (
        ({}, "modules by name"),
        ({"text": nn.Linear(3, 8)}, r"encoders\['text'\].*the attribute width"),
        ({"text": unet()}, r"an nn\.Module from a condition to tokens"),
        ({"y": net.Projection(3, 8)}, "names other than 'y'"),
        ({"a": net.Projection(3, 8), "b": net.Projection(3, 4)}, "tokens of one width"),
    ):
        with pytest.raises(InputError, match=words):
            net.Conditioned(unet(), encoders)
    text = {"text": net.Projection(5, 8)}
    with pytest.raises(InputError, match="a network with layers to attach to"):
        net.Conditioned(net.MLP(4), text)
    with pytest.raises(InputError, match="a network with layers to attach to"):
        net.Conditioned(unet(), text, least=17)
    x, t, told = inputs()
    with pytest.raises(InputError, match=r"no encoder reads the condition 'txt'.*'text'"):
        net.Conditioned(unet(), text)(x, {"txt": told["text"]}, t)
    with pytest.raises(InputError, match=r"the encoder of 'text' must return tokens \[3, n, width"):
        net.Conditioned(unet(), {"text": Plain()})(x, {"text": torch.randn(3, 8)}, t)
    with pytest.raises(InputError, match=r"Projection: expected vectors \[b, 5\].*got float32"):
        net.Conditioned(unet(), text)(x, {"text": torch.randn(3, 6)}, t)
    with pytest.raises(InputError, match=r"Encoder: expected grids \[b, 1, height, width\]"):
        conditioned(unet())(x, {"style": torch.randn(3, 2, 8, 8)}, t)


def test_a_network_inside_is_told_which_process_it_is_under() -> None:
    """A retimed one, under another schedule, alone, with conditions beside it, and in a chain."""
    torch.manual_seed(0)
    trained = Model(
        data.Images(), schedule.Flow(), noise.Gaussian("velocity"), shaken(unet()),
        time=time.Continuous(), shape=(1, 8, 8),
    )  # fmt: skip
    retimed = trained.replace(net=net.Retimed.of(trained), schedule=schedule.Flow(1000, 3.0))
    beside = net.Conditioned(retimed.net, {"text": net.Projection(5, 8)})
    options: dict[str, Any] = {"steps": 3, "seed": 0}
    goal = retimed.sample([1, 2], **options)
    assert torch.equal(retimed.replace(net=beside).sample([1, 2], **options), goal)
    assert torch.equal(
        retimed.replace(net=retimed.net | nn.Identity()).sample([1, 2], **options), goal
    )
    plain = trained.replace(schedule=schedule.Flow(1000, 3.0))
    assert not torch.equal(plain.sample([1, 2], **options), goal)

"""A picture as a condition of a U-Net: what it is and is worth, and errors about wrong ones."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from diffusion import Model, data, guidance, loss, noise, sampler, schedule, time
from diffusion.check import check
from diffusion.errors import InputError, MismatchError
from diffusion.guidance.null import drop
from diffusion.net import UNet

from .cases import LABELS, VECTOR, labels, perturb, times

SIDES = {1: (7,), 2: (5, 6), 3: (3, 4, 5)}


def made(dimensions: int = 2, beside: int = 3, **more: Any) -> Any:
    sizes = {"hidden": 16, "heads": 2, "groups": 4, "dimensions": dimensions}
    return perturb(UNet((2, 8, 12), beside=beside, **{**sizes, **more}))


def inputs(dimensions: int = 2, channels: int = 3) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(1)
    x, y = (torch.randn(4, c, *SIDES[dimensions], generator=rng) for c in (2, channels))
    return x, y


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_no_picture_is_zeros(dimensions: int) -> None:
    net, (x, y) = made(dimensions, labels=LABELS), inputs(dimensions)
    null = net(x, None, times())
    assert torch.equal(net(x, torch.zeros_like(y), times()), null)
    zero = torch.zeros(4, dtype=torch.long)
    assert torch.equal(net(x, {"y": zero, "beside": torch.zeros_like(y)}, times()), null)
    assert torch.equal(net(x, zero, times()), null)


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_each_picture_matters_to_its_own_sample(dimensions: int) -> None:
    net, (x, y) = made(dimensions), inputs(dimensions)
    hat = net(x, y, times())
    changed = y.clone()
    changed[1] *= -1
    moved = (net(x, changed, times()) - hat).abs().flatten(2).amax((0, 2))
    assert moved[1] > 1e-2
    assert moved[[0, 2, 3]].max() < 1e-5


def test_it_is_seen_where_it_is() -> None:
    """Without attention and with one level, a pixel is told to those near it alone."""
    net = perturb(UNet((1, 4), hidden=4, attention=(), groups=1, beside=1))
    x = torch.zeros(1, 1, 1, 40, requires_grad=True)
    y = torch.zeros(1, 1, 1, 40, requires_grad=True)
    net.embed(None, times(1), 1)
    enter = net.enter(torch.cat([x, y], 1))
    (slope,) = torch.autograd.grad(enter[0, :, 0, 20].sum(), y)
    assert slope[0, 0, 0].nonzero().flatten().tolist() == [19, 20, 21]


def test_a_label_or_a_vector_beside_it() -> None:
    net, (x, y) = made(labels=LABELS, condition=VECTOR), inputs()
    both = net(x, {"y": labels(), "beside": y}, times())
    for other in ({"y": labels().roll(1), "beside": y}, {"y": labels(), "beside": -y}, labels(), y):
        assert (net(x, other, times()) - both).abs().max() > 1e-3
    assert torch.equal(net(x, {"beside": y}, times()), net(x, y, times()))
    assert torch.equal(net(x, {"y": labels()}, times()), net(x, labels(), times()))
    vector = {"y": torch.ones(4, VECTOR), "beside": y}
    assert (net(x, vector, times()) - both).abs().max() > 1e-3


def test_one_picture_serves_the_batch_and_any_precision_will_do() -> None:
    net, (x, y) = made(), inputs()
    every = net(x, y[:1].expand(4, -1, -1, -1), times())
    assert torch.equal(net(x, y[:1], times()), every)
    close = net.bfloat16()(x.bfloat16(), y[:1], times())
    assert close.dtype == torch.bfloat16
    assert (close - every).abs().max() < 0.1 * every.abs().max()


def test_without_it_a_network_is_as_before() -> None:
    """The same draws make the same weights; with it, one weight is wider."""
    shapes = []
    for beside in (0, 3):
        torch.manual_seed(0)
        shapes.append({k: v.shape for k, v in UNet((2, 8), beside=beside).named_parameters()})
    assert {k for k in shapes[0] if shapes[0][k] != shapes[1][k]} == {"enter.weight"}
    assert shapes[0]["enter.weight"][1] == 2
    assert shapes[1]["enter.weight"][1] == 5


@pytest.mark.parametrize(
    ("y", "said"),
    [
        (torch.randn(4, 3, 10, 12), r"y \[b, 3, 5, 6\], of the size of x; got float32 \[4, 3, 10"),
        (torch.randn(4, 1, 5, 6), r"\[b, 3, 5, 6\], of the size of x; got float32 \[4, 1, 5, 6\]"),
        (torch.randn(3, 3, 5, 6), r"got float32 \[3, 3, 5, 6\]. Enlarge a small one"),
        ({"beside": torch.ones(4, 3, 5, 6, dtype=torch.uint8)}, "got uint8"),
        ({"beside": [1, 2]}, "got list"),
        ({"picture": torch.randn(4, 3, 5, 6)}, r"of 'y' and 'beside'; got \['picture'\]"),
        ({}, r"of 'y' and 'beside'; got \[\]"),
        ({"y": torch.ones(3, dtype=torch.long)}, r"labels y \[b\] in 0..3; got int64 \[3\]"),
        (torch.ones(4, 2), r"labels y \[b\] in 0..3; got float32 \[4, 2\]"),
    ],
)
def test_wrong_pictures(y: Any, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        made(labels=LABELS)(inputs()[0], y, times())
    assert str(caught.value).startswith("UNet: expected ")


def test_a_network_without_says_how_to_make_one() -> None:
    with pytest.raises(InputError, match=r"Pictures \[b, c, ...\] need a net.UNet made with besid"):
        made(beside=0)(*inputs(), times())
    with pytest.raises(InputError, match=r"UNet.beside: expected the channels of pictures y"):
        UNet((1, 8), beside=-1)


def test_the_exam_of_networks() -> None:
    assert check(made(labels=LABELS)).ok


class Deaf(UNet):
    """Takes pictures, and does not look."""

    def forward(self, x: Tensor, y: Any, t: Tensor) -> Tensor:
        return super().forward(x, y["y"] if isinstance(y, dict) else None, t)


def test_the_exam_finds_a_network_that_does_not_look() -> None:
    net = Deaf((2, 8), labels=3, hidden=8, beside=1)
    assert "conditions count" in [one.name for one in check(net).failures]


def model(y: Any, **more: Any) -> Model[Any]:
    torch.manual_seed(0)
    w = torch.arange(8 * 36, dtype=torch.uint8).reshape(8, 1, 6, 6)
    net = UNet((1, 8), hidden=8, beside=1, **more)
    return Model(
        data.Images(w, y, batch=4), schedule.Flow(), noise.Gaussian("velocity"), perturb(net),
        loss.Simple(), time.LogitNormal(), guidance.ClassifierFree(0.5, 1.0), sampler.DDIM(),
    )  # fmt: skip


def test_a_model_drops_both_parts_together_and_comes_back(tmp_path: Path) -> None:
    y = {"y": torch.arange(8) % 3 + 1, "beside": torch.randn(8, 1, 6, 6)}
    own = model(y, labels=3)
    batch = own.batch(own.data.w, y)
    drop(batch, 0.5)
    lost = batch.y["y"] == 0
    assert 0 < lost.sum() < 8
    assert torch.equal(lost, (batch.y["beside"] == 0).flatten(1).all(1))
    assert all(mean > 0 for mean in own.train(1))
    some = {key: value[:2] for key, value in y.items()}
    found = own.sample(some, steps=3, seed=0)
    assert not torch.equal(found, own.sample([1, 2], steps=3, seed=0)), "pictures matter"
    own.save(tmp_path / "model")
    again = Model.load(tmp_path / "model")
    assert again.net.beside == 1
    assert torch.equal(again.sample(some, steps=3, seed=0), found)


def test_a_model_of_pictures_alone_can_be_guided() -> None:
    own = model(torch.randn(8, 1, 6, 6))
    assert own.sample(batch=2, steps=2, seed=0).shape == (2, 1, 6, 6)
    plain = own.replace(guidance=guidance.ClassifierFree(strength=0.0))
    y = torch.randn(2, 1, 6, 6)
    assert not torch.equal(own.sample(y, steps=3, seed=0), plain.sample(y, steps=3, seed=0))


def test_what_does_not_fit_is_found_when_a_model_is_built() -> None:
    picture = torch.randn(8, 1, 6, 6)
    with pytest.raises(MismatchError, match=r"labels must be 0 \(null\) to 2"):
        model({"y": torch.arange(8), "beside": picture}, labels=2)
    with pytest.raises(InputError, match=r"\[b, 1, 6, 6\], of the size of x"):
        model(picture[..., :3])
    own = model({"y": torch.arange(8) % 3, "beside": picture}, labels=2)
    with pytest.raises(InputError, match=r"class ids must be 0 \(null\) to 2; got 5"):
        own.sample({"y": torch.tensor([5]), "beside": picture[:1]}, steps=2)

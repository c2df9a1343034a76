"""The transformer's own: ids and vectors, patches, rotary positions."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from diffusion.errors import InputError
from diffusion.net import Transformer
from diffusion.net.rotary import rotate, tables

from .cases import perturb

SMALL = {"depth": 2, "width": 16, "heads": 2}
CPU = torch.device("cpu")


@settings(max_examples=20, deadline=None)
@given(
    length=st.integers(1, 40),
    input=st.integers(1, 9),
    output=st.one_of(st.none(), st.integers(1, 9)),
    parameters=st.integers(1, 3),
    ids=st.booleans(),
)
def test_any_length_comes_back(length, input, output, parameters, ids):
    net = perturb(Transformer(input, parameters=parameters, output=output, **SMALL))
    x = torch.randint(input, (2, length)) if ids else torch.randn(2, length, input)
    hat = net(x, None, torch.tensor([3, 700]))
    assert hat.shape == (parameters, 2, length, output or input)
    assert hat.isfinite().all()


@settings(max_examples=20, deadline=None)
@given(
    patch=st.integers(1, 4),
    cells=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    channels=st.integers(1, 3),
    output=st.one_of(st.none(), st.integers(1, 3)),
    parameters=st.integers(1, 2),
)
def test_any_image_comes_back(patch, cells, channels, output, parameters):
    options = {"parameters": parameters, "output": output, "patch": patch}
    net = perturb(Transformer(channels, **options, **SMALL))
    height, width = (patch * n for n in cells)
    hat = net(torch.randn(2, channels, height, width), None, torch.tensor([3, 700]))
    assert hat.shape == (parameters, 2, output or channels, height, width)


def test_patches_return_where_they_came_from():
    """With attention and MLP silent, a pixel is heard in its own patch only, and there first."""
    net = perturb(Transformer(1, patch=2, **SMALL)).double()
    with torch.no_grad():
        net.modulation.weight.zero_()
        net.modulation.bias.zero_()
    x = torch.randn(1, 1, 6, 4, dtype=torch.double, requires_grad=True)
    for row, column in ((0, 0), (3, 1), (5, 3)):
        (grad,) = torch.autograd.grad(net(x, None, torch.tensor([1]))[0, 0, 0, row, column], x)
        heard = grad[0, 0].reshape(3, 2, 2, 2).abs().sum((1, 3))
        assert heard.nonzero().tolist() == [[row // 2, column // 2]]


def test_one_hot_vectors_give_what_ids_give():
    net = perturb(Transformer(7, labels=2, **SMALL))
    ids, t = torch.randint(7, (3, 9)), torch.tensor([1, 2, 3])
    onehot = nn.functional.one_hot(ids, 7).float()
    torch.testing.assert_close(net(ids, None, t), net(onehot, None, t))
    assert torch.equal(net(ids.to(torch.uint8), None, t), net(ids, None, t))


def test_the_order_of_tokens_matters():
    net = perturb(Transformer(5, **SMALL)).double()
    x, t = torch.arange(12).unsqueeze(0) % 5, torch.tensor([9])
    hat = net(x, None, t)
    assert not torch.allclose(net(x.flip(1), None, t).flip(2), hat, atol=1e-3)


@settings(max_examples=20, deadline=None)
@given(first=st.integers(0, 50), second=st.integers(0, 50), shift=st.integers(0, 50))
def test_rotated_products_depend_on_the_distance(first, second, shift):
    turn = tables((101,), 8, 100.0, CPU, torch.float64)
    q, k = torch.randn(2, 1, 1, 8, dtype=torch.double).expand(2, 101, 1, 8)
    q, k = (rotate(v[None], turn)[0, :, 0] for v in (q, k))
    torch.testing.assert_close(q[first] @ k[second], q[first + shift] @ k[second + shift])


def test_rotation_keeps_lengths_and_leaves_the_origin():
    turn = tables((6,), 8, 100.0, CPU, torch.float64)
    x = torch.randn(2, 6, 3, 8, dtype=torch.double)
    turned = rotate(x, turn)
    torch.testing.assert_close(turned.norm(dim=-1), x.norm(dim=-1))
    assert torch.equal(turned[:, 0], x[:, 0])
    a, b = x[0, 5, 0, 0], x[0, 5, 0, 4]  # the fastest pair turns by one radian a position
    cos, sin = torch.tensor(5.0).double().cos(), torch.tensor(5.0).double().sin()
    torch.testing.assert_close(turned[0, 5, 0, 0], a * cos - b * sin)
    torch.testing.assert_close(turned[0, 5, 0, 4], a * sin + b * cos)


def test_axes_of_a_grid_turn_apart():
    cos, sin = tables((3, 4), 8, 100.0, CPU, torch.float64)
    assert cos.shape == sin.shape == (12, 8)
    grid = cos.view(3, 4, 8)
    assert torch.equal(grid[:, 0, :2], grid[:, 3, :2])  # rows turn the first pairs
    assert torch.equal(grid[0, :, 2:4], grid[2, :, 2:4])  # columns the others
    assert not torch.allclose(grid[0, :, :2], grid[1, :, :2])
    assert not torch.allclose(grid[:, 0, 2:4], grid[:, 1, 2:4])


def test_tables_made_in_inference_mode_can_train():
    tables.cache_clear()
    net = perturb(Transformer(5, **SMALL))
    with torch.inference_mode():
        net(torch.randint(5, (1, 33)), None, torch.ones(1))
    net(torch.randint(5, (1, 33)), None, torch.ones(1)).sum().backward()
    assert not any(v.is_inference() for v in tables((33,), 8, 10_000, CPU, torch.float32))


@pytest.mark.parametrize("onehot", [False, True])
def test_the_tutorial_form(onehot):
    net = Transformer(input=12, **SMALL) | nn.Softmax(3)
    x = torch.randn(2, 5, 12) if onehot else torch.randint(12, (2, 5))
    hat = net(x, None, torch.tensor([1, 2]))
    assert hat.shape == (1, 2, 5, 12)
    torch.testing.assert_close(hat, torch.full_like(hat, 1 / 12))


def test_errors_name_the_fix():
    t = torch.ones(2)
    net = Transformer(4, **SMALL)
    with pytest.raises(InputError, match=r"Transformer: expected vectors x \[b, length, 4\]; got "):
        net(torch.randn(2, 5, 3), None, t)
    with pytest.raises(InputError, match=r"ids x \[b, length\] in 0..3; got int64 \[2, 5, 4\]"):
        net(torch.ones(2, 5, 4, dtype=torch.long), None, t)
    net = Transformer(3, patch=4, **SMALL)
    with pytest.raises(InputError, match=r"patch=4 divides; got float32 \[2, 3, 8, 6\]. Pad or"):
        net(torch.randn(2, 3, 8, 6), None, t)
    with pytest.raises(InputError, match=r"floating x \[b, 3, height, width\]"):
        net(torch.randn(2, 5, 3), None, t)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input": 0}, "Transformer.input: expected an integer of at least 1; got 0"),
        ({"input": 4, "depth": 0}, "Transformer.depth"),
        ({"input": 4, "output": 0}, "Transformer.output"),
        ({"input": 4, "patch": -2}, "Transformer.patch"),
        ({"input": 4, "length": -1}, "Transformer.length"),
        (
            {"input": 4, "width": 20, "heads": 3},
            "width: expected a multiple of 2·heads = 6; got 20",
        ),
        ({"input": 4, "width": 20, "heads": 10, "patch": 2}, "multiple of 4·heads = 40"),
        ({"input": 4, "dropout": -0.1}, "Transformer.dropout"),
        ({"input": 4, "labels": True, "condition": -1}, "Transformer.condition"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(InputError, match=message):
        Transformer(**arguments)


def test_equal_tokens_are_told_apart_by_place():
    """All masks, or a flat picture: rotary attention alone would give one answer everywhere."""
    torch.manual_seed(0)
    text, image = (
        Transformer(5, depth=1, width=16, heads=2),
        Transformer(1, depth=1, width=16, heads=2, patch=2),
    )
    for net, x, axes in (
        (text, torch.full((1, 6), 4), (2,)),
        (image, torch.ones(1, 1, 8, 8), (3, 4)),
    ):
        nn.init.normal_(net.exit.weight)
        places = net(x, None, torch.tensor([0.5])).detach()
        spread = places.unfold(axes[0], 2, 2).std(axes[0]) if len(axes) > 1 else places.std(2)
        assert (spread > 1e-3).all()

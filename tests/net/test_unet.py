"""The U-Net's own: any size, any number of dimensions, groups, attention, levels."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from diffusion.errors import InputError
from diffusion.net import UNet
from diffusion.net.attention import GridAttention
from diffusion.net.layers import GroupNorm, divisor
from diffusion.net.residual import Residual

from .cases import perturb

SMALL = {"hidden": 8, "heads": 2, "groups": 4}


@settings(max_examples=25, deadline=None)
@given(
    sides=st.lists(st.integers(1, 13), min_size=1, max_size=3),
    widths=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    data=st.integers(1, 3),
    parameters=st.integers(1, 3),
    blocks=st.integers(1, 2),
)
def test_any_size_comes_back(sides, widths, data, parameters, blocks):
    options = {"parameters": parameters, "blocks": blocks, "dimensions": len(sides), **SMALL}
    net = perturb(UNet((data, *widths), **options))
    x = torch.randn(2, data, *sides)
    hat = net(x, None, torch.tensor([3, 700]))
    assert hat.shape == (parameters, 2, data, *sides)
    assert hat.isfinite().all()


@pytest.mark.parametrize("shape", [(7, 13), (1, 1), (1, 17), (28, 28), (31, 2)])
def test_prime_and_single_sizes(shape):
    net = perturb(UNet((1, 8, 8, 8, 8), **SMALL))
    x = torch.randn(2, 1, *shape, requires_grad=True)
    hat = net(x, None, torch.tensor([10, 20]))
    assert hat.shape == (1, *x.shape)
    hat.square().sum().backward()
    assert x.grad.abs().amin() > 0 or min(shape) == 1


def test_attention_has_no_order_of_its_own():
    layer = perturb(GridAttention(8, heads=2, groups=4)).double()
    x = torch.randn(2, 8, 6, dtype=torch.double)
    order = torch.randperm(6)
    torch.testing.assert_close(layer(x[:, :, order]), layer(x)[:, :, order])
    image = x.view(2, 8, 2, 3)
    torch.testing.assert_close(layer(image).flatten(2), layer(x))


@pytest.mark.parametrize(
    ("attention", "blocks", "count"),
    [((), 1, 0), ((-1,), 1, 1), ((2,), 1, 1), ((0,), 1, 2), ((0, 1, 2), 1, 5), ((1, -1), 2, 7)],
)
def test_levels_with_attention(attention, blocks, count):
    net = UNet((1, 8, 8, 8), attention=attention, blocks=blocks, **SMALL)
    assert sum(isinstance(m, GridAttention) for m in net.modules()) == count
    assert sum(isinstance(m, Residual) for m in net.modules()) == 6 * blocks


@given(width=st.integers(1, 300), most=st.integers(1, 64))
def test_groups_are_a_divisor(width, most):
    found = divisor(width, most)
    assert width % found == 0
    assert found <= most
    assert all(width % d for d in range(found + 1, min(most, width) + 1))


@settings(max_examples=20, deadline=None)
@given(
    batch=st.integers(1, 3),
    width=st.integers(1, 8),
    groups=st.integers(1, 8),
    rows=st.booleans(),
    sides=st.lists(st.integers(1, 4), max_size=3),
)
def test_the_norm_is_a_group_norm_with_its_own_scale_for_each_sample(
    batch, width, groups, rows, sides
):
    norm = GroupNorm(width, groups).double()
    x = 3 + 2 * torch.randn(batch, width, *sides, 2, dtype=torch.double)
    scale, shift = torch.randn(2, batch if rows else 1, width, dtype=torch.double)
    plain = F.group_norm(x, norm.groups)  # which wants two values or more in a group
    ones = (1,) * (x.dim() - 2)
    expected = plain * (1 + scale.view(-1, width, *ones)) + shift.view(-1, width, *ones)
    torch.testing.assert_close(norm(x, scale, shift), expected)
    torch.testing.assert_close(norm(x), plain)


def test_channels_last_gives_the_same():
    net = perturb(UNet((2, 8, 12), **SMALL)).double()
    x, t = torch.randn(3, 2, 5, 6, dtype=torch.double), torch.tensor([1, 2, 3])
    expected = net(x, None, t)
    net = net.to(memory_format=torch.channels_last)
    torch.testing.assert_close(net(x.to(memory_format=torch.channels_last), None, t), expected)


def test_errors_name_the_fix():
    net = UNet((3, 8), labels=4, **SMALL)
    with pytest.raises(
        InputError, match=r"UNet: expected floating x \[b, 3, height, width\]; got "
    ):
        net(torch.randn(2, 1, 4, 4), None, torch.ones(2))
    with pytest.raises(InputError, match=r"\[b, 3, length\]; got float32 \[2, 3, 4, 4\]"):
        UNet((3, 8), dimensions=1, **SMALL)(torch.randn(2, 3, 4, 4), None, torch.ones(2))
    with pytest.raises(InputError, match="got int64"):
        net(torch.ones(2, 3, 4, 4, dtype=torch.long), None, torch.ones(2))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"channels": (3,)}, "a width for each level, such as"),
        ({"channels": 64}, "UNet.channels"),
        ({"channels": (1, 0)}, "UNet.channels"),
        ({"channels": (1, 8), "dimensions": 4}, "UNet.dimensions: expected 1, 2 or 3; got 4"),
        ({"channels": (1, 8), "attention": (1,)}, r"levels in -1..0; got \(1,\)"),
        ({"channels": (1, 8), "attention": True}, "UNet.attention"),
        ({"channels": (1, 8), "groups": 0}, "UNet.groups: expected an integer of at least 1"),
        ({"channels": (1, 8), "heads": 2.0}, "UNet.heads"),
        ({"channels": (1, 8), "labels": -1}, "UNet.labels"),
        ({"channels": (1, 8), "condition": None}, "UNet.condition"),
        ({"channels": (1, 8), "dropout": 1.0}, "UNet.dropout"),
        ({"channels": (1, 8), "blocks": 0}, "UNet.blocks"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(InputError, match=message):
        UNet(**arguments)


def test_unknown_argument_gets_a_suggestion():
    with pytest.raises(TypeError, match="Did you mean 'labels'"):
        UNet((1, 8), label=3)

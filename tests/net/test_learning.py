"""Every network learns, in seconds: what is asked can't be answered without x, y, t or order."""

import pytest
import torch
import torch.nn.functional as F

from diffusion.net import MLP, Transformer, UNet


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)


def fit(net, loss, steps, rate):
    """Losses of training, first to last."""
    optimizer = torch.optim.AdamW(net.parameters(), lr=rate, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        value = loss(net)
        value.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(value.item())
    return losses


def velocity(data, y):
    """Flow matching to a fixed set of states: the loss of Lipman et al. 2023, equation 23."""

    def loss(net, size=64):
        pick = torch.randint(len(data), (size,))
        x, u = data[pick], torch.rand(size)
        epsilon = torch.randn_like(x)
        at = u.view(-1, *(1,) * (x.dim() - 1))
        hat = net((1 - at) * x + at * epsilon, y[pick], u)
        return F.mse_loss(hat[0], epsilon - x)

    return loss


def final(losses, count=10):
    return sum(losses[-count:]) / count


def test_mlp_learns_a_point_for_each_label():
    data = torch.tensor([[2.0, -1.0], [-2.0, 1.0], [0.0, 2.0]])
    net = MLP(2, labels=3, hidden=64)
    losses = fit(net, velocity(data, torch.tensor([1, 2, 3])), 150, 1e-2)
    assert losses[0] > 3
    # Given the label the velocity (z - x)/u is a function of (z, y, u): the floor is zero.
    assert final(losses) < 0.25


@pytest.mark.parametrize("dimensions", [1, 2])
def test_unet_learns_pictures_by_label(dimensions):
    data = torch.randn(4, 1, *((6,) * dimensions)).sign()
    net = UNet((1, 16, 32), labels=4, hidden=32, dimensions=dimensions)
    losses = fit(net, velocity(data, torch.arange(1, 5)), 60, 1e-2)
    assert losses[0] > 1.5
    assert final(losses) < 0.6


def test_patch_transformer_learns_pictures_by_label():
    data = torch.randn(4, 1, 6, 6).sign()
    net = Transformer(1, labels=4, depth=2, width=32, heads=2, patch=2)
    losses = fit(net, velocity(data, torch.arange(1, 5)), 120, 1e-2)
    assert losses[0] > 1.5
    assert final(losses) < 0.8


def test_transformer_fills_in_tokens_by_their_order():
    """Windows of a fixed text with half of it masked: counts alone would cost log 8 = 2.08."""
    text = torch.randperm(8).repeat(6)
    net = Transformer(9, depth=2, width=32, heads=2)

    def loss(net, size=32):
        start = torch.randint(8, (size, 1))
        x = text[start + torch.arange(16)]
        z = torch.where(torch.rand(x.shape) < 0.5, 8, x)
        hat = net(z, None, torch.full((size,), 0.5))
        return F.cross_entropy(hat[0].flatten(0, 1), x.flatten())

    losses = fit(net, loss, 120, 1e-2)
    assert losses[0] > 2
    assert final(losses) < 0.1

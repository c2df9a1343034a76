"""`net | module | module`."""

import copy

import pytest
import torch
from torch import Tensor, nn

from diffusion.base import Net
from diffusion.component import arguments
from diffusion.errors import InputError
from diffusion.net import MLP, Chain

from .cases import perturb

X, T = torch.randn(4, 3), torch.arange(4)


class Half(nn.Module):
    def forward(self, hat: Tensor) -> Tensor:
        return hat / 2


class Own(Net):
    """A user's net: it declares neither labels nor outputs."""

    def __init__(self) -> None:
        self.line = nn.Linear(3, 3)

    def forward(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        return self.line(x).unsqueeze(0)


def test_modules_follow_the_net_in_order():
    net = perturb(MLP(3, labels=2))
    y = torch.tensor([0, 1, 2, 0])
    chain = net | nn.Tanh() | Half()
    torch.testing.assert_close(chain(X, y, T), net(X, y, T).tanh() / 2)
    assert isinstance(chain, Net)


def test_chains_are_flat():
    net, tanh, half = MLP(3), nn.Tanh(), Half()
    for chain in (net | tanh | half, Chain(net, tanh) | half, Chain(Chain(net, tanh), half)):
        assert chain.net is net
        assert list(chain.after) == [tanh, half]
        assert set(dict(chain.named_children())) == {"net", "after"}
    assert arguments(net | tanh | half) == {"net": net, "modules": (tanh, half)}


def test_a_chain_knows_what_its_net_knows():
    chain = MLP(3, labels=5, parameters=2, condition=4) | nn.Tanh() | Half()
    assert (chain.labels, chain.outputs, chain.condition) == (5, 2, 4)
    assert getattr(Own() | Half(), "labels", None) is None


def test_repr_is_what_was_written():
    assert repr(MLP(3, labels=2) | nn.Softmax(1) | Half()) == (
        "MLP(size=3, labels=2) | Softmax(dim=1) | Half()"
    )


def test_a_users_net_chains():
    net = Own()
    torch.testing.assert_close((net | Half())(X, None, T)[0], net.line(X) / 2)


def test_copies_state_and_empty_chains():
    chain = perturb(MLP(3)) | nn.Linear(3, 3)
    twin = copy.deepcopy(chain)
    assert twin.net is not chain.net
    assert twin.net is arguments(twin)["net"]
    assert torch.equal(twin(X, None, T), chain(X, None, T))
    other = MLP(3) | nn.Linear(3, 3)
    other.load_state_dict(chain.state_dict())
    assert torch.equal(other(X, None, T), chain(X, None, T))
    assert torch.equal(Chain(chain.net)(X, None, T), chain.net(X, None, T))


def test_errors_name_the_fix():
    with pytest.raises(InputError, match=r"Chain.net: expected a Net; got Linear"):
        Chain(nn.Linear(3, 3))
    with pytest.raises(InputError, match=r"takes hat alone; got MLP. Only the first module can be"):
        MLP(3) | MLP(3)
    with pytest.raises(
        InputError, match=r"expected an nn.Module that takes hat alone; got builtin"
    ):
        MLP(3) | torch.tanh

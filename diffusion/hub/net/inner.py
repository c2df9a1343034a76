"""Networks of folders, some of which are called through another that prepares their input."""

from torch import nn

from ..part import Part
from .packed import Packed
from .painting import Painting, paints


def wrapped(network: Part) -> nn.Module:
    """A folder's network as one of states `[b, c, h, w]`."""
    config = network.config()
    if config["_class_name"] == "FluxTransformer2DModel":
        return Packed(network)
    return Painting(network) if paints(config) else network


def inner(network: nn.Module) -> nn.Module:
    """The network of the folder itself."""
    if isinstance(network, Packed):
        return network.flux
    return network.unet if isinstance(network, Painting) else network

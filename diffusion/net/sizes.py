"""Checks that every net makes of its arguments and inputs."""

from torch import Tensor

from ..errors import require

AXES = ("length", "height, width", "depth, height, width")
"""Of grids, by their dimensions less one."""


def positive(net: str, **sizes: int) -> None:
    """Raise `InputError` unless every size is an integer of at least 1."""
    for name, value in sizes.items():
        fits = isinstance(value, int) and value >= 1
        require(fits, f"{net}.{name}", "an integer of at least 1", repr(value))


def common(net: str, labels: int, condition: int, dropout: float = 0.0) -> None:
    """Raise `InputError` for conditions or a dropout that make no sense."""
    fits = isinstance(labels, int) and labels >= 0
    require(fits, f"{net}.labels", "a number of classes, or 0 for none", repr(labels))
    fits = isinstance(condition, int) and condition >= 0
    require(fits, f"{net}.condition", "the size d of vectors y [b, d], or 0", repr(condition))
    require(0 <= dropout < 1, f"{net}.dropout", "a probability in [0, 1)", repr(dropout))


def expect(fits: bool, net: str, wanted: str, got: object, fix: str = "") -> None:
    """Raise `InputError` about an input of `forward` unless it `fits`."""
    if not fits:  # described only now: formatting sizes would tie a compiled net to them
        name = type(got).__name__
        shown = f"{got.dtype} {list(got.shape)}" if isinstance(got, Tensor) else name
        require(False, net, wanted, shown.removeprefix("torch."), fix)

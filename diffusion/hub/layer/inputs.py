"""Checks of what transformers are called with."""

from collections.abc import Sequence

from torch import Tensor

from ...net.sizes import expect

AXES = ("frames", "height", "width")


def grid(
    net: str, x: Tensor, channels: int, patch: Sequence[int], most: int | None = None
) -> tuple[int, ...]:
    """How many patches latents `[b, channels, *sizes]` have along each axis; no more than `most`.

    Errors: another number of axes or channels, or sizes that patches do not divide.
    """
    axes = ", ".join(AXES[-len(patch) :])
    fits = x.dim() == len(patch) + 2 and x.shape[1] == channels and x.is_floating_point()
    expect(fits, net, f"floating hidden_states [b, {channels}, {axes}]", x)
    sizes = [*zip(x.shape[2:], patch, strict=True)]
    fits = all(size > 0 and size % p == 0 for size, p in sizes)
    wanted = f"hidden_states whose {axes} are multiples of {', '.join(map(str, patch))}"
    expect(fits, net, wanted, x, "Pad or crop the latents.")
    found = tuple(size // p for size, p in sizes)
    wanted = f"at most {most} patches along each axis: it has no positions for more"
    expect(most is None or max(found) <= most, net, wanted, x)
    return found


def shaped(net: str, name: str, x: Tensor | None, *shape: int | str) -> None:
    """Raise `InputError` unless `x` has a shape, in which a letter stands for any size."""
    fits = x is not None and x.dim() == len(shape)
    fits = fits and all(
        isinstance(want, str) or size == want
        for size, want in zip(x.shape if x is not None else (), shape, strict=True)
    )
    expect(fits, net, f"{name} [{', '.join(map(str, shape))}]", x)


def scalars(net: str, name: str, x: Tensor | None, batch: int) -> None:
    """Raise `InputError` unless `x` is `[batch]`, or `[1]` for all of them."""
    fits = x is not None and x.dim() == 1 and x.shape[0] in (1, batch)
    expect(fits, net, f"{name} [{batch}] or [1]", x)

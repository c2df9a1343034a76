"""Symbolic shapes: read, unified over a composition, and compared with tensors."""

import pytest

from diffusion.block.shape import Shape, Sizes, alike, either, fits
from diffusion.errors import InputError


def shape(text: str) -> Shape:
    return Shape.parse(text, "here")


@pytest.mark.parametrize("text", ["b c h w", "b 3 h w", "b ...", "...", "4", "b n n"])
def test_a_shape_is_written_as_it_is_read(text: str) -> None:
    assert str(shape(text)) == text


@pytest.mark.parametrize("text", ["", "b, c", "b ... w", "b -1", "b 2.5", "b*c", "... ..."])
def test_what_is_no_shape_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="here: expected a shape such as"):
        shape(text)


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("b c h w", "n 3 x y", True), ("b 3 h w", "b 4 h w", False), ("b c h w", "b c h", False),
        ("b ...", "b c h w", True), ("b c ...", "b", False), ("b ...", "b", True),
        ("b ...", "n c ...", True), ("b n n", "b 3 4", False), ("b n n", "b 3 3", True),
        ("b n n", "b x y", True), ("...", "3", True),
    ],
)  # fmt: skip
def test_shapes_unify_where_some_sizes_satisfy_both(a: str, b: str, same: bool) -> None:
    for one, other in ((a, b), (b, a)):
        assert Sizes().unify((shape(one), "here"), (shape(other), "there")) is same
        assert alike(shape(one), shape(other)) is same


def test_what_is_equal_once_is_equal_ever_after() -> None:
    sizes = Sizes()
    assert sizes.unify((shape("b n n"), 1), (shape("b x y"), 2))
    assert sizes.unify((shape("x"), 2), (shape("3"), 3))
    assert not sizes.unify((shape("y"), 2), (shape("4"), 4))
    assert sizes.find((1, "n")) == 3


def test_names_of_two_blocks_are_two_sizes_unless_they_meet() -> None:
    sizes, names = Sizes(), {}
    sizes.unify((shape("b c"), 1), (shape("b 4"), 2))
    assert str(sizes.named(shape("b c"), 1, names)) == "b 4"
    assert str(sizes.named(shape("b c"), 2, names)) == "b c"
    assert str(sizes.named(shape("b c"), 3, names)) == "b2 c2"


@pytest.mark.parametrize(
    ("text", "sizes", "said"),
    [
        ("b c", (2, 3), None), ("b c", (2,), "1 axes"), ("b c", (2, 3, 4), "3 axes"),
        ("b ...", (2, 3, 4), None), ("b ...", (2,), None), ("b c ...", (2,), "1 axes"),
        ("b 3", (2, 4), '[2, 4] for "b 3"'), ("n n", (2, 3), 'for "n n" with n = 2'),
    ],
)  # fmt: skip
def test_a_tensor_has_a_shape_or_the_reason_is_told(text, sizes, said) -> None:
    reason = fits(shape(text), sizes, {})
    assert reason is None if said is None else said in reason


def test_a_name_is_one_size_in_all_of_a_block() -> None:
    known = {"h": 8}
    assert fits(shape("b h"), (2, 8), known) is None
    assert known == {"h": 8, "b": 2}
    assert fits(shape("b 1"), (3, 1), known) == '[3, 1] for "b 1" with h = 8, b = 2'


@pytest.mark.parametrize(
    ("a", "b", "known"),
    [
        ("b c", "b c", "b c"), ("b 3", "b n", "b n2"), ("b x", "b y", "b x2"),
        ("b 3", "b 3", "b 3"),
        ("b c", "b ...", "b ..."), ("b 3 h", "b 4 h", "b n2 h"),
    ],
)  # fmt: skip
def test_of_either_shape_only_what_both_say_is_known(a: str, b: str, known: str) -> None:
    assert str(either(shape(a), shape(b), {"b", "c", "h", "n", "x", "y"})) == known
    assert either(shape(a), None, set()) is None

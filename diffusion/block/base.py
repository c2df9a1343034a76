"""The contract of blocks."""

from __future__ import annotations

import functools
import typing
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

from ..base import Net
from ..component import Component, arguments
from ..errors import InputError, suggest
from ..model import Model
from . import kind
from .port import Ports, declared, name
from .run import Place, check, unwrapped

if TYPE_CHECKING:
    from .pipeline import Pipeline


class Block(Component):
    """A step of an inference graph: a component whose ports are its `__call__` signature.

        class Darken(Block):
            by: float = 0.5

            def __call__(
                self, image: Annotated[Tensor, "b c h w"]
            ) -> Annotated[Tensor, "image: b c h w"]:
                return image * self.by

    Its fields are components and settings; a field's value must be of its declared type. Blocks
    compose by names: `a >> b`, `Pipeline(encode=a, decode=b)`. See `diffusion.block.port` for how
    ports are declared.
    """

    def __post_init__(self) -> None:
        for field, hint in _hints(type(self)).items():
            value = getattr(self, field, None)
            if not kind.holds(value, hint):
                got = f"{type(value).__name__}: {value!r:.200}"
                if isinstance(value, type):
                    got = f"{value.__name__} (a class: call it)"
                raise InputError(
                    f"{type(self).__name__}.{field}: expected {name(hint)}; got {got}."
                )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The work: inputs by name, outputs as the return annotation says."""
        raise NotImplementedError(f"{type(self).__name__}.__call__ is not written.")

    def ports(self) -> Ports:
        """What it reads and makes."""
        return _declared(type(self))

    def sizes(self) -> dict[str, int]:
        """Sizes that its components fix, by their names in the shapes of its ports."""
        return {}

    def children(self) -> dict[str, Block]:
        """The blocks it is made of, by name; none if it is no composition."""
        return {}

    def run(self, given: Mapping[str, Any], at: Place) -> dict[str, Any]:
        """What it makes of its inputs, by name. Compositions write this; others `__call__`.

        Inputs are checked here once more, for what composing can't know: an `Any` that is read as
        a Tensor, a size that the block before chooses.
        """
        sizes = check(self.ports(), given, type(self).__name__, self.sizes())
        return unwrapped(self, self(**given), sizes)

    def foresee(self, given: Mapping[str, Any]) -> None:
        """Raise if inputs are missing that the choice of a branch makes necessary.

        Args:
            given: what is known of the inputs before any work: values, or `Made` for those to come.
        """

    def replace(self, changes: Mapping[str, Any] | None = None, **named: Any) -> Self:
        """A copy with fields or inner blocks replaced; all others are shared, not copied.

        pipe.replace(decode=Decode(model))
        pipe.replace({"denoise.steps": 20, "denoise.sampler": sampler.DDIM()})
        """
        tree: dict[str, Any] = {}
        for path, value in {**(changes or {}), **named}.items():
            first, _, rest = path.partition(".")
            self._known(first)
            if not rest:
                tree[first] = value
                continue
            inner = tree.get(first, self[first])
            if not isinstance(inner, (Component, Model)):
                raise InputError(f"replace: {first} is a {type(inner).__name__}, without {rest!r}.")
            tree[first] = _varied(inner, rest, value)
        return self._with(tree)

    def bind(self, **values: Any) -> Block:
        """This block with some of its inputs given for good: they are ports no more."""
        from .wired import Wired

        return Wired(self, bound=values)

    def rename(self, **names: str) -> Block:
        """This block with ports called otherwise: `decode.rename(image="picture")`.

        A name that is both an input and an output is renamed at both.
        """
        from .wired import Wired

        return Wired(self, names=names)

    def __rshift__(self, other: Block) -> Pipeline:
        from .pipeline import joined

        return joined(self, other)

    def __getitem__(self, name: str) -> Any:
        """A field or an inner block: `pipe["denoise"]["guidance"]`."""
        self._known(name)
        return {**arguments(self), **self.children()}[name]

    def _known(self, name: str) -> None:
        names = {**arguments(self), **self.children()}
        if name not in names:
            raise InputError(
                f"{type(self).__name__} has no part {name!r}; it has {', '.join(names)}."
                f"{suggest(name, names)}"
            )

    def _with(self, changes: dict[str, Any]) -> Self:
        return type(self)(**{**arguments(self), **changes})


@functools.cache
def _declared(cls: type) -> Ports:
    if cls.__call__ is Block.__call__:
        raise InputError(f"{cls.__name__} is a block without __call__: write it, with typed ports.")
    return declared(cls)


@functools.cache
def _hints(cls: type) -> dict[str, Any]:
    """The types of a class's fields, where they can be looked up."""
    try:
        hints = typing.get_type_hints(cls)
    except (NameError, TypeError) as error:
        raise InputError(
            f"{cls.__name__}: the types of its fields can't be read: {error}. Names in them must "
            "be importable where the class is defined."
        ) from None
    known = getattr(cls, "__dataclass_fields__", {})
    return {key: hint for key, hint in hints.items() if key in known and known[key].init}


def _varied(part: Any, path: str, value: Any) -> Any:
    """A block, a model or a component with what stands at `path` replaced."""
    if isinstance(part, Block):
        return part.replace({path: value})
    first, _, rest = path.partition(".")
    if rest:
        value = _varied(getattr(part, first), rest, value)
    if isinstance(part, Model):
        return part.replace(**{first: value})
    if isinstance(part, Net):
        raise InputError(
            f"replace: {type(part).__name__}.{first}: a network made anew has no trained weights; "
            "replace the whole network by one that has."
        )
    if rest:
        return part.vary(**{first: value})
    return type(part)(**{**arguments(part), **_one(part, first, value)})


def _one(part: Component, name: str, value: Any) -> dict[str, Any]:
    if name not in arguments(part):
        raise InputError(
            f"{type(part).__name__} has no argument {name!r}.{suggest(name, arguments(part))}"
        )
    return {name: value}

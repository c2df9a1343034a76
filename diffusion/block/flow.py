"""How the blocks of a composition feed each other: by names, checked without running anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from ..errors import MismatchError, suggest
from . import kind
from .port import REQUIRED, Port, Ports
from .shape import Shape, Sizes, Token

if TYPE_CHECKING:
    from .base import Block

OUTSIDE = ""
"""Who makes what a composition is given."""


class Link(NamedTuple):
    """A value that stands under a name for a while.

    Attributes:
        maker: the block that made it. readers: those that read it.
        place: the block in whose names the port's shape is written.
    """

    port: Port
    maker: str
    place: str
    readers: tuple[str, ...] = ()

    def shaped(self, shape: Shape | None, place: str) -> Link:
        """With the shape that says more."""
        own = self.port.shape
        if shape is None or (own and (not own.open or len(own.sizes) > len(shape.sizes))):
            return self
        return self._replace(port=self.port._replace(shape=shape), place=place)


def flow(
    blocks: Mapping[str, Block], outputs: Sequence[str] = (),
    given: Mapping[str, Port] | None = None, place: str = OUTSIDE,
) -> Ports:  # fmt: skip
    """The ports of blocks that run one after the other, each reading what stands under its names.

    Inputs are what no block before has made; outputs what no block after reads, or `outputs`.

    Args:
        given: values that are there before the first block, whether they are read or not.
        place: the block in whose names their shapes are written.

    Errors: types or shapes that do not fit; a value that is made twice, or after it was read; an
    input that nothing makes, close in name to an output that nothing reads.
    """
    found = _Flow(given or {}, place)
    for name, block in blocks.items():
        found.add(name, block)
    return found.ports(outputs)


def whole(block: Block) -> Ports:
    """A block's ports with the sizes that its components fix written in their shapes."""
    ports = block.ports()
    made = flow({"it": block}, tuple(ports.outputs))
    return made._replace(single=ports.single)


def beside(blocks: Mapping[str, Block]) -> tuple[dict[str, Port], dict[str, dict[str, Port]]]:
    """The inputs of blocks that read the same values, and what each of them makes."""
    found, names = _Flow(), dict[Token, str]()
    for name, block in blocks.items():
        found.read(name, block)
    inputs = {key: found.outer(link, names) for key, link in found.asked.items()}
    made = {
        name: {
            key: found.outer(Link(port, name, name), names)
            for key, port in block.ports().outputs.items()
        }
        for name, block in blocks.items()
    }
    return inputs, made


class _Flow:
    def __init__(self, given: Mapping[str, Port] | None = None, place: str = OUTSIDE) -> None:
        self.sizes, self.given = Sizes(), given or {}
        self.links = {name: Link(port, OUTSIDE, place) for name, port in self.given.items()}
        self.asked: dict[str, Link] = {}
        """What the composition is given: its inputs."""

    def add(self, name: str, block: Block) -> None:
        self.read(name, block)
        ports = block.ports()
        for key, port in ports.outputs.items():
            self._make(name, key, port, key in ports.inputs)

    def read(self, name: str, block: Block) -> None:
        for size, value in block.sizes().items():
            self.sizes.equal((name, size), value)
        for key, port in block.ports().inputs.items():
            self._read(name, key, port)

    def _read(self, name: str, key: str, port: Port) -> None:
        link = self.links.get(key)
        if link is None:
            self.asked[key] = self.links[key] = Link(port, OUTSIDE, name, (name,))
            return
        own, other = link.port.shape, port.shape
        if own and other and not self.sizes.unify((own, link.place), (other, name)):
            self._misshapen(link, name, key, port)
        asked = self.asked.get(key) is link
        if asked:
            link = _shared(link, name, key, port)
        elif not kind.fits(link.port.type, port.type):
            raise MismatchError(
                f"{link.maker or 'the composition'} makes {key} as {link.port}, and {name} reads "
                f"it as {port}."
            )
        self.links[key] = link.shaped(port.shape, name)._replace(readers=(*link.readers, name))
        if asked:
            self.asked[key] = self.links[key]

    def _make(self, name: str, key: str, port: Port, reads: bool) -> None:
        link = self.links.get(key)
        there = link is not None and not link.maker and self.asked.get(key) is not link
        if link is not None and not reads and not there:
            _lost(link, name, key)
        self.links[key] = Link(port, name, name)

    def ports(self, outputs: Sequence[str]) -> Ports:
        made = {key: link for key, link in self.links.items() if link.maker}
        for key in outputs:
            if key not in made:
                raise MismatchError(
                    f"nothing makes the output {key!r}; there are {', '.join(made) or 'none'}."
                    f"{suggest(key, made)}"
                )
        loose = [key for key, link in made.items() if not link.readers]
        self._near([key for key in loose if key not in outputs])
        names: dict[Token, str] = {}
        inputs = {key: self.outer(link, names) for key, link in self.asked.items()}
        found = {key: self.outer(made[key], names) for key in outputs or loose}
        return Ports(inputs, found, single=len(found) == 1)

    def outer(self, link: Link, names: dict[Token, str]) -> Port:
        """A port with its shape in the composition's own names."""
        if link.port.shape is None:
            return link.port
        return link.port._replace(shape=self.sizes.named(link.port.shape, link.place, names))

    def _misshapen(self, link: Link, name: str, key: str, port: Port) -> NoReturn:
        own, other = self.outer(link, {}).shape, self.outer(Link(port, name, name), {}).shape
        who = f"{link.maker} makes" if link.maker else f"{link.place or 'the composition'} takes"
        raise MismatchError(
            f'{who} {key} of shape "{own}", and {name} reads it as "{other}". Change one of them, '
            "or put a block between them."
        )

    def _near(self, loose: list[str]) -> None:
        """Raise where an input and an output that nothing reads differ by a slip of the pen."""
        for key, link in self.asked.items():
            for name in loose:
                if slip(key, name) and (link.port.required or not self.given):
                    reader, maker = link.readers[0], self.links[name].maker
                    raise MismatchError(
                        f"{reader} reads {key!r}, which nothing makes; {maker} makes {name!r}, "
                        f"which nothing reads. If they are one: {reader}.rename({key}={name!r}). "
                        f"If not, name {name!r} among the outputs, or give it another name."
                    )


def _shared(link: Link, name: str, key: str, port: Port) -> Link:
    """An input of the composition that a further block reads: the narrower of both types."""
    own = link.port
    if not (kind.fits(own.type, port.type) or kind.fits(port.type, own.type)):
        raise MismatchError(
            f"{link.readers[0]} and {name} both read {key}, as {own} and as {port}: nothing is "
            f'both. Rename one: {name}.rename({key}="...").'
        )
    narrow = own.type if kind.fits(own.type, port.type) and own.type is not Any else port.type
    default = own.default if kind.holds(own.default, narrow) else port.default
    if own.required or port.required:
        default = REQUIRED
    return link._replace(port=Port(narrow, own.shape, default))


def _lost(link: Link, name: str, key: str) -> None:
    """Raise if `name` makes anew what another made, or what was read before it is made."""
    if link.maker:
        raise MismatchError(
            f"{link.maker} and {name} both make {key}, and {name} does not read it: the first "
            f'would be lost. Rename one: {name}.rename({key}="...").'
        )
    if link.readers:
        first = link.readers[0]
        raise MismatchError(
            f"{first} reads {key} before {name} makes it. Put {name} first; or rename one, "
            f'{first}.rename({key}="..."), if they are two things. If {name} needs what {first} '
            "makes, the two form a cycle."
        )


def slip(a: str, b: str) -> bool:
    """Whether two names differ by a letter, or by two that changed places."""
    if a == b or min(len(a), len(b)) < 4:
        return False
    steps = SequenceMatcher(None, a, b).get_opcodes()
    changed = [a[i:j] + b[k:m] for step, i, j, k, m in steps if step != "equal"]
    letters = "".join(changed)
    return len(letters) <= 2 and letters.isalpha() and letters.islower() == a.islower()

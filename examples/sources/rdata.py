"""What is needed of R's lazy-load data bases: character vectors, without R.

A data base is two files. The index (`.rdx`) is a gzipped serialised list whose `variables` maps
each name to (offset, length) in the data file (`.rdb`). A record there is a big-endian length,
then zlib data that hold one serialised object. Serialised objects ("R Internals", section 1.8) are
big-endian items, each after a flag word: its type in the low byte, and whether attributes follow
(0x200) or a tag precedes (0x400).
"""

import struct
import zlib
from pathlib import Path
from typing import Any

from diffusion.errors import FileError

LIMIT = 64 * 2**20
ATTRIBUTES, TAG = 0x200, 0x400
SYMBOL, PAIRS, CHARACTERS, LOGICAL, INTEGER, REAL = 1, 2, 9, 10, 13, 14
STRINGS, LIST, NULL, REFERENCE = 16, 19, 254, 255


def lazy(index: Path, data: Path) -> dict[str, list[str]]:
    """Every character vector of a lazy-load data base, by name, in the order of its index.

    Raises:
        FileError: a file is damaged, or holds what this reader does not know.
    """
    raw = data.read_bytes()
    try:
        variables = _named(_read(_inflate(index.read_bytes(), 31)))["variables"]
        places = _named(variables)
        records = {name: raw[at + 4 : at + size] for name, (at, size) in places.items()}
        texts = {name: _read(_inflate(record, 15)) for name, record in records.items()}
    except (KeyError, TypeError, ValueError, IndexError, struct.error, zlib.error) as error:
        raise FileError(
            f"{index}, {data}: expected an R lazy-load data base of character vectors; got "
            f"{error!r}. Delete their folder to fetch them again."
        ) from error
    return {name: list(map(str, value)) for name, value in texts.items()}


def _inflate(packed: bytes, bits: int) -> bytes:
    """zlib (`bits` = 15) or gzip (31) data, of a bounded size and complete."""
    stream = zlib.decompressobj(bits)
    plain = stream.decompress(packed, LIMIT)
    if not stream.eof:
        raise ValueError(f"compressed data that end early or exceed {LIMIT:,} bytes")
    return plain


def _named(value: Any) -> dict[str, Any]:
    items, attributes = value
    return dict(zip(attributes["names"], items, strict=True))


def _read(raw: bytes) -> Any:
    if raw[:2] != b"X\n":
        raise ValueError(f"a serialisation that begins with {raw[:2]!r}, not with X")
    reader = _Reader(raw)
    version, _, _ = reader.words(3)
    if version == 3:  # which also names the native encoding
        reader.take(reader.word())
    return reader.item()


class _Reader:
    """Items from a position that moves. A vector with attributes is read as (items, attributes)."""

    def __init__(self, raw: bytes) -> None:
        self.raw, self.at = raw, 2
        self.symbols: list[str] = []

    def take(self, size: int) -> bytes:
        if size < 0 or self.at + size > len(self.raw):
            raise ValueError(f"{size} bytes wanted at {self.at} of {len(self.raw)}")
        self.at += size
        return self.raw[self.at - size : self.at]

    def words(self, count: int) -> tuple[int, ...]:
        return struct.unpack(f">{count}i", self.take(4 * count))

    def word(self) -> int:
        return self.words(1)[0]

    def item(self) -> Any:
        flags = self.word()
        kind = flags & 0xFF
        if kind == NULL:
            return None
        if kind == CHARACTERS:
            size = self.word()
            return "" if size < 0 else self.take(size).decode("utf-8")
        if kind == SYMBOL:
            self.symbols.append(self.item())
            return self.symbols[-1]
        if kind == REFERENCE:
            return self.symbols[(flags >> 8) - 1]
        if kind == PAIRS:
            return self.pairs(flags)
        value = self.vector(kind)
        return (value, self.item()) if flags & ATTRIBUTES else value

    def vector(self, kind: int) -> Any:
        count = self.word()
        if kind in (LOGICAL, INTEGER):
            return self.words(count)
        if kind == REAL:
            return struct.unpack(f">{count}d", self.take(8 * count))
        if kind in (STRINGS, LIST):
            return [self.item() for _ in range(count)]
        raise ValueError(f"an R object of type {kind}, which this reader does not know")

    def pairs(self, flags: int) -> dict[str, Any]:
        """A pairlist as a dict by tag."""
        found: dict[str, Any] = {}
        while flags & 0xFF == PAIRS:
            if flags & ATTRIBUTES:
                self.item()
            tag = self.item() if flags & TAG else str(len(found))
            found[tag] = self.item()
            flags = self.word()
        if flags & 0xFF != NULL:
            raise ValueError(f"a pairlist that ends in type {flags & 0xFF}")
        return found

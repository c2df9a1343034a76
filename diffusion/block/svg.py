"""Boxes as an SVG: below each other as they run, or side by side where they do not meet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from .drawing import Box, Link

PAD, GAP, HEAD, LANE, MARGIN = 18, 46, 46, 26, 24
TITLE, SMALL = 7.6, 6.4
"""Pixels to a letter."""
FILLS = ("#ffffff", "#f4f6f9", "#e9eef5", "#dfe7f1")
STYLE = (
    "text{font-family:Helvetica,Arial,sans-serif;font-size:11px;fill:#5b6675}"
    ".t{font-size:13px;font-weight:bold;fill:#1d2733}.v{fill:#1f5fa8}"
    ".b{stroke:#8a97a8;stroke-width:1.2}.l{stroke:#1f5fa8;stroke-width:1.4;fill:none}"
)


@dataclass
class Placed:
    """A box with the room it takes: on its left what it is given, on its right what leaves."""

    box: Box
    inner: list[Placed]
    left: float = 0.0
    right: float = 0.0
    width: float = 0.0
    height: float = HEAD
    x: float = 0.0
    y: float = 0.0

    @property
    def middle(self) -> float:
        """Of its own width."""
        return self.x + self.width / 2


def draw(root: Box) -> str:
    """The boxes in a box, or the box alone, as one SVG."""
    whole = _sized(root)
    _put(whole, MARGIN + whole.left, MARGIN)
    wide = whole.left + whole.width + whole.right + 2 * MARGIN
    high = whole.height + 2 * MARGIN
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide:.0f}" height="{high:.0f}" '
            f'viewBox="0 0 {wide:.0f} {high:.0f}">',
            f"<style>{STYLE}</style>",
            '<defs><marker id="a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
            'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="#1f5fa8"/></marker>'
            "</defs>",
            f'<rect width="{wide:.0f}" height="{high:.0f}" fill="#ffffff"/>',
            *_box(whole, 1),
            "</svg>\n",
        ]
    )


def given(box: Box) -> list[str]:
    """What stands at the left of a box."""
    more = f"{box.optional} optional" if box.optional else ""
    return [*box.given, *([more] if more else [])]


def _sized(box: Box) -> Placed:
    inner = [_sized(one) for one in box.boxes]
    words = [len(box.name) * TITLE + (len(box.kind) + 3) * SMALL, len(box.note) * SMALL]
    made = Placed(box, inner)
    made.left = max((len(one) * SMALL + LANE for one in given(box)), default=0.0)
    made.right = max((len(one) * SMALL + LANE for one in box.outer), default=0.0)
    made.width = max(120.0, *words) + 2 * PAD
    beside = max(len(given(box)), len(box.outer) + (1 if len(box.outer) > 1 else 0))
    made.height = max(HEAD, 15.0 * beside + 8)
    if not inner:
        return made
    if box.across:
        room = sum(one.left + one.width + one.right for one in inner) + PAD * (len(inner) - 1)
        made.height = HEAD + max(one.height for one in inner) + PAD
    else:
        lanes = [link for link in box.links if not _next(box, link)]
        room = (
            max(one.left for one in inner)
            + max(one.width for one in inner)
            + max([*(one.right for one in inner), _lanes(lanes)])
        )
        made.height = HEAD + sum(one.height for one in inner) + GAP * (len(inner) - 1) + PAD
    made.width = max(made.width, room + 2 * PAD)
    return made


def _next(box: Box, link: Link) -> bool:
    """Whether a link goes to the box right below."""
    names = [one.name for one in box.boxes]
    return names.index(link.reader) == names.index(link.maker) + 1


def _lanes(links: Sequence[Link]) -> float:
    """The room of links that go around boxes: a lane for each, then their words."""
    words = max((len(", ".join(link.values)) * SMALL for link in links), default=0.0)
    return len(links) * LANE + words + (PAD if links else 0)


def _put(placed: Placed, x: float, y: float) -> None:
    """Give a box, and all inside it, their places."""
    placed.x, placed.y = x, y
    top = y + HEAD
    if placed.box.across:
        left = x + PAD
        for one in placed.inner:
            _put(one, left + one.left, top)
            left += one.left + one.width + one.right + PAD
        return
    start = x + PAD + max((one.left for one in placed.inner), default=0.0)
    wide = max((one.width for one in placed.inner), default=0.0)
    for one in placed.inner:
        _put(one, start + (wide - one.width) / 2, top)
        top += one.height + GAP


def _box(placed: Placed, depth: int) -> Iterator[str]:
    box, x, y = placed.box, placed.x, placed.y
    fill = FILLS[min(depth, len(FILLS) - 1)] if placed.inner else FILLS[0]
    yield (
        f'<rect class="b" x="{x:.1f}" y="{y:.1f}" width="{placed.width:.1f}" '
        f'height="{placed.height:.1f}" rx="7" fill="{fill}"/>'
    )
    name = f'<tspan class="t">{escape(box.name)}</tspan>  ' if box.name else ""
    yield f'<text x="{x + PAD:.1f}" y="{y + 19:.1f}">{name}{escape(box.kind)}</text>'
    if box.note:
        yield f'<text x="{x + PAD:.1f}" y="{y + 35:.1f}">{escape(box.note)}</text>'
    yield from _beside(placed)
    for one in placed.inner:
        yield from _box(one, depth + 1)
    yield from _links(placed)


def _beside(placed: Placed) -> Iterator[str]:
    """What is given at the left, and what leaves at the right."""
    for index, value in enumerate(given(placed.box)):
        y, x = placed.y + 16 + 15 * index, placed.x
        yield _word(value, x - LANE, y + 4, "end", index < len(placed.box.given))
        yield _arrow(f"M{x - LANE + 4:.1f} {y:.1f}H{x - 1:.1f}")
    for index, value in enumerate(placed.box.outer):
        y, x = placed.y + 16 + 15 * index, placed.x + placed.width
        yield _arrow(f"M{x:.1f} {y:.1f}H{x + LANE - 5:.1f}")
        yield _word(value, x + LANE, y + 4, "start", True)


def _links(placed: Placed) -> Iterator[str]:
    """Arrows between boxes: straight down to the next, around at the right to those further."""
    inner = {one.box.name: one for one in placed.inner}
    edge = max((one.x + one.width for one in placed.inner), default=0.0)
    lane = 0
    for link in placed.box.links:
        maker, reader, words = inner[link.maker], inner[link.reader], ", ".join(link.values)
        if _next(placed.box, link):
            x, top, end = maker.middle, maker.y + maker.height, reader.y
            yield _arrow(f"M{x:.1f} {top:.1f}V{end - 1:.1f}")
            yield _word(words, x + 8, (top + end) / 2 + 4, "start", True)
            continue
        lane += 1
        x, top, end = edge + LANE * lane, maker.y + maker.height - 7, reader.y + reader.height - 15
        yield _arrow(
            f"M{maker.x + maker.width:.1f} {top:.1f}H{x:.1f}V{end:.1f}"
            f"H{reader.x + reader.width + 1:.1f}"
        )
        yield _word(words, x + 6, (top + end) / 2 + 4, "start", True)


def _arrow(path: str) -> str:
    return f'<path class="l" d="{path}" marker-end="url(#a)"/>'


def _word(text: str, x: float, y: float, anchor: str, strong: bool) -> str:
    shade = ' class="v"' if strong else ""
    return f'<text{shade} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'

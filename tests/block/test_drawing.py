"""Drawings of compositions: what feeds what, and nothing that overlaps or breaks the page."""

import re
from itertools import combinations
from typing import Annotated
from xml.etree import ElementTree

import pytest
from torch import Tensor

from diffusion.block import Block, Branch, Decode, Denoise, Parallel, Pipeline, Repeat
from diffusion.block.drawing import box, mermaid, svg

from .file.blocks import Darken, Shift
from .file.conftest import tiny


class Read(Block):
    def __call__(self, prompt: str, times: int = 1) -> Annotated[str, "text"]:
        return prompt


class Mark(Block):
    sign: str = '<&"]'

    def __call__(self, image: Tensor, text: str) -> Annotated[Tensor, "marked"]:
        return image


@pytest.fixture(scope="module")
def pipe():
    model = tiny()
    return Pipeline(
        read=Read(),
        both=Parallel(a=Darken().rename(image="a"), b=Darken(0.25).rename(image="b")),
        refine=Pipeline(
            denoise=Denoise(model, 7, each={"shift": Shift(), "on": Shift().rename(amount="more")}),
            decode=Decode(model),
        ),
        again=Repeat(Darken(), 2),
        dark=Branch("night", Darken(0.1), Darken(0.2)),
        mark=Mark("<&\"]'"),
    )


def test_what_feeds_what(pipe):
    root = box(pipe)
    links = {(link.maker, link.reader): link.values for link in root.links}
    assert links == {
        ("refine", "again"): ["image"], ("again", "dark"): ["image"], ("dark", "mark"): ["image"],
        ("read", "mark"): ["text"],
    }  # fmt: skip
    inner = {one.name: one for one in root.boxes}
    assert (inner["read"].given, inner["read"].optional) == (["prompt"], 1)
    assert inner["mark"].outer == ["marked"]
    assert inner["both"].outer == ["a", "b"]
    assert [one.outer for one in inner["dark"].boxes] == [["image"], ["image"]]
    denoise = inner["refine"].boxes[0]
    assert denoise.note == "UNet, steps=7"
    assert [(one.maker, one.reader, one.values) for one in denoise.links] == [
        ("shift", "on", ["state"])
    ]


def test_mermaid(pipe):
    text = mermaid(pipe)
    assert text.startswith("flowchart TD\n")
    names = dict(re.findall(r'(?:subgraph )?(b[\d_]+)\["(\w+)<br/>', text))
    assert [*names.values()].count("denoise") == 1
    named = {value: key for key, value in names.items()}
    assert f'{named["read"]} -->|"text"| {named["mark"]}' in text
    assert f'{named["denoise"]} -->|"latents"| {named["decode"]}' in text
    assert text.count("subgraph ") == text.count("\n  end") + text.count("\n    end")
    assert "sign=<#amp;#quot;#93;'" in text
    assert mermaid(Darken()).count("Darken") == 2


def rectangles(text):
    """The boxes of a drawing: left, top, right, bottom."""
    root = ElementTree.fromstring(text)
    found = [one for one in root.iter("{http://www.w3.org/2000/svg}rect") if one.get("class")]
    sizes = [[float(one.get(key)) for key in ("x", "y", "width", "height")] for one in found]
    whole = float(root.get("width")), float(root.get("height"))
    return whole, [(x, y, x + wide, y + high) for x, y, wide, high in sizes]


def test_boxes_are_inside_or_beside_each_other(pipe):
    (wide, high), found = rectangles(svg(pipe))
    assert len(found) == 1 + 6 + 2 + 2 + 2 + 1 + 2
    for a, b in combinations(found, 2):
        beside = a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
        inside = any(
            one[0] < two[0] and one[1] < two[1] and two[2] < one[2] and two[3] < one[3]
            for one, two in ((a, b), (b, a))
        )
        assert beside or inside
    assert min(min(one[:2]) for one in found) > 0
    assert max(one[2] for one in found) < wide
    assert max(one[3] for one in found) < high


def test_words_and_arrows_stay_on_the_page(pipe):
    text = svg(pipe)
    (wide, high), _ = rectangles(text)
    root = ElementTree.fromstring(text)
    for one in root.iter("{http://www.w3.org/2000/svg}text"):
        length = 5 * len("".join(one.itertext()))
        left = float(one.get("x")) - (length if one.get("text-anchor") == "end" else 0)
        assert left >= 0
        assert left + length <= wide
        assert 0 < float(one.get("y")) < high
    arrows = [one.get("d") for one in root.iter("{http://www.w3.org/2000/svg}path")]
    assert sum("V" in one for one in arrows) == 4 + 1 + 1  # between boxes, and within two of them


def test_a_block_alone_is_drawn(pipe):
    (_, _), found = rectangles(svg(pipe["mark"]))
    assert len(found) == 1
    assert "&lt;&amp;" in svg(pipe["mark"])

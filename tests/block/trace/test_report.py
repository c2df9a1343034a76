"""The report in a real browser."""

import re
from pathlib import Path

import pytest
import torch
from PIL import Image

from diffusion.block import BlockError
from diffusion.block.trace import Trace
from diffusion.block.trace.picture import pictures
from diffusion.block.trace.report import html

from ..browser import document, opened
from ..faults import INPUTS, BrokenTint, pipeline


@pytest.fixture(scope="module")
def trace() -> Trace:
    pipe = pipeline()
    with pipe.trace() as made:
        pipe(**INPUTS)
    return made


def test_the_page_runs_in_a_browser(trace: Trace, tmp_path: Path) -> None:
    trace.report(tmp_path / "report.html")
    text = document(tmp_path / "report.html")
    assert f'data-ready="{len(trace.records)}"' in text
    assert text.count('class="step now"') == 1
    assert 'class="scripted few"' in text
    for name in ("encode", "denoise", "denoise.clip, step 3", "decode", "tint"):
        assert f">{name}</" in text
    assert text.count('<img alt="" src="data:image/png;base64,') > 20


def test_the_page_looks_like_something(trace: Trace, tmp_path: Path) -> None:
    trace.report(tmp_path / "report.html")
    shot = tmp_path / "shot.png"
    opened(tmp_path / "report.html", f"--screenshot={shot}", "--window-size=1100,900")
    with Image.open(shot) as image:
        colours = {colour for _, colour in image.convert("RGB").getcolors(1 << 20)}
    assert (0x3B, 0x77, 0xB5) in colours, "the bars of blocks"
    assert len(colours) > 100, "pictures"


def test_nothing_is_asked_for_from_outside(trace: Trace) -> None:
    text = html(trace)
    assert not re.findall(r"(?:src|href)=\"(?!data:|#)", text)
    assert "http:" not in text
    assert "https:" not in text
    assert "default-src 'none'" in text


def test_non_finite_values_and_failures_are_marked() -> None:
    pipe = pipeline(tint=BrokenTint())
    with pipe.trace() as trace, pytest.raises(BlockError):
        pipe(**INPUTS)
    trace["decode"].inputs["latents"][0, 0, 0, 0] = torch.nan
    text = html(trace)
    assert text.count('class="bad"') >= 3
    assert "RuntimeError: no ink" in text
    assert "<b>decode</b>" in text
    assert '<td class="bad">1</td>' in text


def test_names_and_texts_are_no_markup(trace: Trace) -> None:
    pipe = pipeline()
    with pipe.trace() as own:
        pipe(**INPUTS)
    own["denoise"].inputs["conditions"] = "<script>alert(1)</script>"
    own.about["library"] = "<b>"
    text = html(own)
    assert "<script>alert" not in text
    assert "library <b>" not in text


def test_pictures_of_values() -> None:
    assert len(pictures(torch.zeros(9, 3, 8, 8, dtype=torch.uint8))) == 4
    assert len(pictures(torch.randn(2, 4, 300, 200))) == 2
    assert len(pictures(torch.full((1, 1, 8, 8), torch.nan))) == 1
    for value in (torch.zeros(3), torch.zeros(0, 1, 8, 8), "a", None, torch.zeros(1, 1, 8, 1)):
        assert pictures(value) == []

"""Pipelines are edited as values: the original stays as it is, and parts are shared."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from diffusion import sampler
from diffusion.block import Branch, Parallel, Pipeline, Repeat
from diffusion.component import arguments
from diffusion.errors import InputError, MismatchError

from .toys import IMAGE, Blur, Count, Decode, Toy, Twice, port, whole


def test_replacing_leaves_the_original_and_shares_the_rest() -> None:
    pipe = whole()
    other = pipe.replace(blur=Blur(1.0))
    assert torch.equal(other(image=IMAGE), IMAGE)
    torch.testing.assert_close(pipe(image=IMAGE), IMAGE / 2)
    assert other["encode"] is pipe["encode"]
    assert pipe.replace({"blur.by": 0.25})["blur"] == Blur(0.25)
    deep = Pipeline(inner=pipe, count=Count())
    changed = deep.replace({"inner.blur.by": 0.25, "inner.decode": Decode()})
    assert changed["inner"]["blur"].by == 0.25
    assert changed["count"] is deep["count"]
    assert deep["inner"] is pipe
    assert pipe["blur"].by == 0.5


def test_settings_of_components_inside_blocks_are_replaced_too() -> None:
    one = Pipeline(twice=Twice(sampler.DDIM()))
    other = one.replace({"twice.inner.eta": 0.5, "twice.by": 3})
    assert arguments(other["twice"]) == {"inner": sampler.DDIM(0.5), "by": 3}
    assert one["twice"]["inner"].eta == 0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"decoed": Decode()}, "Pipeline has no part 'decoed'; it has .* Did you mean 'decode'"),
        ({"blur.bye": 1.0}, "Blur has no part 'bye'; it has by. Did you mean 'by'"),
        ({"blur.by": "much"}, "Blur.by: expected float"),
        ({"blur.by.more": 1}, "replace: by is a float, without 'more'"),
        ({"decode": Blur}, r"Pipeline.decode: expected a Block; got Blur \(a class: call it\)"),
    ],
)
def test_a_wrong_replacement_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        whole().replace(changes)


def test_inserting_and_removing_blocks() -> None:
    pipe = whole()
    longer = pipe.insert(after="encode", more=Blur(0.25), last=Blur(1.0))
    assert list(longer.blocks) == ["encode", "more", "last", "blur", "decode"]
    assert next(iter(pipe.insert(before="encode", count=Count()).blocks)) == "count"
    torch.testing.assert_close(longer(image=IMAGE), IMAGE / 8)
    assert torch.equal(pipe.remove("blur")(image=IMAGE), IMAGE)
    assert list(pipe.remove("encode").ports().inputs) == ["latents", "strength"]
    assert list(pipe.blocks) == ["encode", "blur", "decode"]


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda p: p.insert(after="encoed", x=Blur()), "no part 'encoed'.*Did you mean 'encode'"),
        (lambda p: p.insert(x=Blur()), "give after= or before="),
        (lambda p: p.insert(after="blur", before="decode", x=Blur()), "give after= or before="),
        (lambda p: p.insert(after="blur", decode=Blur()), "a block 'decode' already; replace it"),
        (lambda p: p.remove("blurr"), "no part 'blurr'.*Did you mean 'blur'"),
        (lambda p: p["decoder"], "no part 'decoder'.*Did you mean 'decode'"),
        (lambda p: p.remove("encode", "blur", "decode"), "at least one block"),
        (lambda p: p.workflow("picture"), r"expected names; write \['picture'\]"),
    ],
)
def test_a_wrong_edit_is_refused(edit: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        edit(whole())


def test_an_edit_is_checked_as_a_composition() -> None:
    with pytest.raises(MismatchError, match="blur makes latents of shape"):
        whole().replace(decode=Toy({"latents": port(Tensor, "b 8 h w")}, {}))


def test_a_workflow_keeps_only_what_its_outputs_need() -> None:
    pipe = whole().insert(before="encode", count=Count())
    assert list(pipe.workflow(["latents"]).blocks) == ["encode", "blur"]
    assert list(pipe.workflow(["picture"]).ports().inputs) == ["image", "strength"]
    assert list(pipe.workflow(["count"]).blocks) == ["count"]
    both = pipe.workflow(["count", "latents"])
    assert list(both.ports().outputs) == ["count", "latents"]
    assert both["encode"] is pipe["encode"]
    with pytest.raises(MismatchError, match=r"no block makes 'latent'.*Did you mean 'latents'"):
        pipe.workflow(["latent"])


def test_parts_are_found_by_name() -> None:
    pipe = Pipeline(inner=Parallel(twice=Twice(sampler.DDIM(0.25))))
    assert pipe["inner"]["twice"]["inner"].eta == 0.25


def test_composites_are_replaced_by_their_parts() -> None:
    branch = Branch("more", Count().bind(text="a"), Count().bind(text="bc"))
    nested = Pipeline(all=Parallel(a=Repeat(Blur(), 2), b=branch))
    other = nested.replace({"all.a.block.by": 1.0, "all.a.times": 3})
    latents = torch.ones(1, 4, 2, 2)
    assert torch.equal(other(latents=latents)["latents"], latents)
    assert torch.equal(nested(latents=latents)["latents"], latents / 4)
    assert other["all"]["b"] is nested["all"]["b"]


def test_a_composition_is_shown_block_by_block() -> None:
    pipe = Pipeline(inner=whole(), twice=Repeat(Blur(0.25), 2).bind(strength=1.0), count=Count())
    assert repr(pipe).splitlines() == [
        "Pipeline",
        "  inner: Pipeline",
        "    encode: Encode",
        "    blur: Blur",
        "    decode: Decode",
        "  twice: Repeat(times=2, strength=1.0)",
        "    block: Blur(by=0.25)",
        "  count: Count",
    ]
    assert repr(Parallel(count=Count())) == "Parallel\n  count: Count"

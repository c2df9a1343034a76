"""Conditions of several kinds as one: any subset, one row for many, and what does not fit."""

import itertools
from pathlib import Path
from typing import Annotated, Any

import pytest
import torch
from torch import Tensor

from diffusion import Model, data, guidance, net, noise, schedule
from diffusion.block import (
    Block,
    BlockError,
    Classes,
    ClassToImage,
    Conditions,
    Decode,
    Denoise,
    Encode,
    Pipeline,
)
from diffusion.errors import InputError, MismatchError


class Words(Block):
    def __call__(self, text: str | list[str]) -> Annotated[Tensor, "words: n d"]:
        """Letters counted."""
        texts = [text] if isinstance(text, str) else text
        return torch.tensor([[float(t.count(c)) for c in "abcde"] for t in texts])


class Sound(Block):
    def __call__(self, waves: Tensor, rate: int = 8000) -> Annotated[Tensor, "heard: n f t"]:
        return waves.unflatten(1, (4, -1)) * rate / 8000


def model() -> Any:
    torch.manual_seed(0)
    network = net.Conditioned(
        net.UNet((1, 8), labels=3, hidden=8),
        {"text": net.Projection(5, 8), "sound": net.Encoder((4, 8), dimensions=1)},
    )
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return Model(
        data.Images(names=("one", "two", "three")), schedule.Cosine(100), noise.Gaussian(),
        network, guidance=guidance.Each({"y": 0.5, "text": 1.0, "sound": 0.0}), shape=(1, 4, 4),
    )  # fmt: skip


def conditions(of: Any) -> Conditions:
    return Conditions(y=Classes(of), text=Words(), sound=Sound())


def test_every_subset_tells_the_network_what_is_there() -> None:
    of = model()
    pipe = Pipeline(told=conditions(of), denoise=Denoise(of, steps=3), decode=Decode(of))
    given = {"label": "two", "text": "abba", "waves": torch.randn(1, 12)}
    made = {"label": "y", "text": "text", "waves": "sound"}
    seen = list[Tensor]()
    for count in range(4):
        for some in itertools.combinations(given, count):
            found = pipe(**{key: given[key] for key in some}, batch=2, seed=0)
            told = conditions(of)(**{key: given[key] for key in some})
            assert [*told] == ([made[key] for key in given if key in some] or ["y"])
            assert torch.equal(found, of.sample(told, batch=2, steps=3, seed=0))
            assert not any(torch.equal(found, other) for other in seen), "each says something"
            seen.append(found)
    assert torch.equal(seen[0], of.sample(batch=2, steps=3, seed=0))


def test_one_row_serves_as_many_as_there_are() -> None:
    told = conditions(model())(label=["one", 3], text="abc", waves=torch.ones(2, 8), rate=4000)
    assert told["y"].tolist() == [1, 3]
    assert told["text"].tolist() == [[1, 1, 1, 0, 0]] * 2
    assert torch.equal(told["sound"], torch.full((2, 4, 2), 0.5))
    with pytest.raises(BlockError, match=r"text has 3 rows, where there are 4: give one, or one"):
        conditions(model())(text=["a", "b", "c"], waves=torch.ones(4, 8))


def test_it_takes_the_place_of_classes_in_a_pipeline(tmp_path: Path) -> None:
    of = model()
    plain = ClassToImage(of, steps=3, output="tensor")
    pipe = plain.replace(classes=conditions(of))
    told = {"y": torch.tensor([1, 1]), "text": Words()(["d", "d"])}
    found = pipe(label="one", text="d", images_per_label=2, seed=0)
    assert torch.equal(found, of.sample(told, steps=3, seed=0))
    assert torch.equal(pipe(label=[1, 2], seed=0), plain(label=[1, 2], seed=0))

    other = pipe.replace({"classes.text": Words().bind(text="a")})
    assert "text" not in other.ports().inputs
    pipe.save(tmp_path / "pipe.yaml", weights=True)
    again = Pipeline.load(tmp_path / "pipe.yaml", custom=[Words, Sound])
    assert torch.equal(again(label="one", text="d", images_per_label=2, seed=0), found)
    with pytest.raises(BlockError, match=r"classes > y: .*no class 'ten'"):
        pipe(label="ten")


def test_what_can_not_be_joined() -> None:

    class Count(Block):
        def __call__(self, text: str) -> Annotated[int, "count"]:
            return len(text)

    of = model()
    both = Pipeline(outputs=("words", "heard"), a=Words(), b=Sound())
    with pytest.raises(MismatchError, match=r"Conditions\.both: .*makes words, heard"):
        Conditions(both=both)
    with pytest.raises(MismatchError, match=r"Conditions\.count: count must be a tensor .*got int"):
        Conditions(count=Count())
    with pytest.raises(InputError, match="expected at least one block"):
        Conditions()
    with pytest.raises(InputError, match=r"Conditions\.text: expected a Block; got Words \(a clas"):
        Conditions(text=Words)  # type: ignore[arg-type]
    with pytest.raises(MismatchError, match="a and b both read image, as"):
        Conditions(a=Encode(of), b=Words().rename(text="image"))

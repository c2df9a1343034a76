"""`Keep` and `Observed`: guidance whose conditions hold more than one condition."""

from typing import Any

import pytest
import torch
from torch import Tensor

from diffusion import guidance
from diffusion.block import Keep, Observed
from diffusion.block.task.keep import with_kept, with_negative
from diffusion.block.task.observed import SEEN
from diffusion.check import check
from diffusion.guidance.operator import Pool

from ..small import ideal


@pytest.mark.parametrize(
    "module", [Keep(), Keep(guidance.ClassifierFree()), Observed(Pool(2))], ids=repr
)
def test_the_exam_of_every_guidance(module: Any) -> None:
    assert check(module).ok


def asked(own: Any, y: Any) -> tuple[Tensor, list[Any]]:
    """What a guidance answers for two samples, and what the network was asked about."""
    seen = list[Any]()

    def predict(z: Any, y: Any, t: Any) -> Any:
        seen.append(y)
        return y["text"].expand(-1, 3).unsqueeze(0)

    noise = ideal().bind()
    found: Any = own(predict, noise)(torch.zeros(2, 3), y, 5)
    return found, seen


def test_it_leads_away_from_the_negative() -> None:
    """hat + s·(hat - hat of the negative), and what is kept is on both sides, row by row."""
    text, other = torch.tensor([[1.0], [2.0]]), torch.tensor([[0.5], [3.0]])
    y = with_negative({"text": text, "given": torch.ones(2)},
                      {"text": other, "given": torch.ones(2)})  # fmt: skip
    y = with_kept(y, edges=torch.tensor([[7.0], [8.0]]))
    found, (told,) = asked(Keep(guidance.ClassifierFree(strength=2.0)), y)
    assert torch.allclose(found[0, :, 0], (text + 2 * (text - other)).flatten())
    assert told["edges"].flatten().tolist() == [7, 8, 7, 8]
    assert told["text"].flatten().tolist() == [1, 2, 0.5, 3]
    assert set(told) == {"text", "given", "edges"}


def test_without_more_conditions_it_is_the_guidance_itself() -> None:
    y = {"text": torch.tensor([[1.0], [2.0]]), "given": torch.ones(2)}
    own = guidance.ClassifierFree(strength=2.0)
    assert torch.equal(asked(Keep(own), y)[0], asked(own, y)[0])
    assert torch.equal(asked(Keep(), y)[0][0, :, 0], torch.tensor([1.0, 2.0]))


def test_an_observation_for_each_sampling() -> None:
    """The same as `Observe` with the observation written into it."""
    model = ideal()
    seen = torch.rand(2, 1, 4, 4)
    y = {"y": torch.zeros(2, dtype=torch.long), SEEN: seen}
    found = model.sample(y=y, steps=5, seed=0, guidance=Observed(Pool(2)))
    wanted = model.sample(batch=2, steps=5, seed=0, guidance=guidance.Observe(Pool(2), seen))
    assert torch.equal(found, wanted)

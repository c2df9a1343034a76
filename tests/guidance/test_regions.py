"""`Regions`: each place by its own condition, exactly, where a network judges places alone."""

from typing import Any

import pytest
import torch
from torch import Tensor

from diffusion import Model, data, guidance, noise, sampler, schedule, tree
from diffusion.base import Net
from diffusion.block import Regional
from diffusion.check import check
from diffusion.errors import InputError, MismatchError
from diffusion.fit import guided
from diffusion.guidance import ClassifierFree, Regions
from diffusion.noise.clock import Clock

HALVES = torch.zeros(2, 8, 8)
HALVES[0, :, :4] = HALVES[1, :, 4:] = 1.0


class Pixels(Net):
    """E[x | z] of pixels x ~ N(y - 2, 1/4), each for itself, for classes y = 1, 2, 3."""

    labels = 3

    def __init__(self, schedule: Any) -> None:
        self.clock = Clock(schedule)

    def forward(self, x: Tensor, y: Any, t: Tensor) -> Tensor:
        signal, sigma = (tree.rows(torch.as_tensor(one), x) for one in self.clock(t))
        mean = tree.rows(y, x) - 2.0
        hat = mean + signal / (signal**2 + 4 * sigma**2) * (x - signal * mean)
        return hat.to(x.dtype).unsqueeze(0)


def pixels(**modules: Any) -> Any:
    cosine = schedule.Cosine(100)
    return Model(
        data.Identity(), cosine, noise.Gaussian("x"), Pixels(cosine), shape=(1, 8, 8), **modules
    )  # fmt: skip


SAMPLERS = [sampler.DDIM(), sampler.Adams(), sampler.UniPC(), sampler.Ancestral(), sampler.Heun()]


@pytest.mark.parametrize("own", SAMPLERS, ids=repr)
def test_halves_are_those_of_their_classes(own: Any) -> None:
    model, said = pixels(sampler=own), {"steps": 6, "seed": [4, 5]}
    found = model.sample(y=[[1, 3], [3, 2]], guidance=Regions(HALVES), **said)
    left, right = model.sample(y=[1, 3], **said), model.sample(y=[3, 2], **said)
    assert torch.allclose(found, torch.where(HALVES[0].bool(), left, right), atol=1e-6)
    assert (left - right).abs().mean() > 0.5


def test_each_region_is_guided_by_itself() -> None:
    model, said = pixels(), {"steps": 6, "seed": 4}
    guided = ClassifierFree(strength=1.5)
    found = model.sample(y=[[1, 3]], guidance=guided | Regions(HALVES), **said)
    one, other = (model.sample(y=[y], guidance=guided, **said) for y in (1, 3))
    assert torch.allclose(found, torch.where(HALVES[0].bool(), one, other), atol=1e-6)
    after = model.sample(y=[[1, 3]], guidance=Regions(HALVES) | guided, **said)
    assert torch.allclose(after, found, atol=1e-5)  # both are linear


def test_one_region_is_the_plain_condition() -> None:
    model, said = pixels(), {"steps": 6, "seed": 4}
    found = model.sample(y=[2], guidance=Regions(torch.full((1, 8, 8), 0.3)), **said)
    assert torch.equal(found, model.sample(y=[2], **said))


def test_a_step_is_the_state_that_fits_all_steps_best() -> None:
    """Equation 5 of MultiDiffusion: it minimises Σ m_i·(z - Φ(z | y_i))², at every place."""
    model, masks = pixels(sampler=sampler.DDIM()), torch.rand(3, 8, 8, dtype=torch.double)
    start = torch.randn(1, 1, 8, 8)

    def step(y: Any, own: Any) -> Tensor:
        first, *_ = list(model.stream(y, steps=[80, 50, 0], z=start, guidance=own))[1:]
        return first.double()

    found = step([[1, 2, 3]], Regions(masks)).requires_grad_()
    wanted = [step([y], None) for y in (1, 2, 3)]
    apart = torch.stack([found - one for one in wanted])[:, 0, 0]
    (slope,) = torch.autograd.grad((masks * apart**2).sum(), found)
    assert slope.abs().max() < 1e-5 < 0.1 < (wanted[0] - wanted[2]).abs().min()


def test_masks_of_pixels_are_averaged_to_latents() -> None:
    model, said = pixels(), {"steps": 3, "seed": 4}
    fine = torch.rand(2, 16, 16)
    fine = fine / fine.sum(0)
    coarse = fine.reshape(2, 8, 2, 8, 2).mean((2, 4))
    found = model.sample(y=[[1, 3]], guidance=Regions(fine), **said)
    assert torch.allclose(found, model.sample(y=[[1, 3]], guidance=Regions(coarse), **said))


@pytest.mark.parametrize("parameter", ["logits", "p"])
def test_tokens_follow_the_mixture_of_laws(parameter: Any) -> None:
    process = noise.Absorbing(4, parameter=parameter).bind(schedule.Linear(10))
    laws = torch.tensor([[0.5, 0.3, 0.1, 0.1], [0.1, 0.7, 0.1, 0.1]])

    def predict(z: Any, y: Any, t: Any) -> Any:
        law = laws[y - 1].unsqueeze(1).expand(-1, 4, -1).unsqueeze(0)
        return law if parameter == "p" else law.log() + 7.0

    masks = torch.tensor([[1.0, 0.0, 1.0, 3.0], [0.0, 2.0, 1.0, 1.0]])
    hat: Any = Regions(masks)(predict, process)(torch.zeros(1, 4).long(), torch.tensor([[1, 2]]), 5)
    share = (masks / masks.sum(0))[0, :, None]
    law = hat[0, 0] if parameter == "p" else hat[0, 0].exp()
    assert torch.allclose(law, share * laws[0] + (1 - share) * laws[1], atol=1e-6)


def test_the_exam_of_every_guidance() -> None:
    assert check(Regions(torch.ones(1, 1))).ok
    assert check(Regional()).ok


@pytest.mark.parametrize(
    ("masks", "said"),
    [
        (torch.ones(4), r"\[n, h, w\]; got \[4\]"),
        (-HALVES, "every place in a region"),
        (HALVES[:1], "add a region of its own"),
        ([HALVES], "expected a tensor"),
    ],
)
def test_bad_masks(masks: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Regions(masks)


def test_what_does_not_fit() -> None:
    with pytest.raises(InputError, match=r"expected 2 conditions for each sample.*got \[1\]"):
        pixels().sample(y=[1], steps=2, guidance=Regions(HALVES))
    with pytest.raises(InputError, match="Put it to the right of Compose or Regions"):
        guidance.Interval(ClassifierFree() | Regions(HALVES))
    with pytest.raises(InputError, match=r"masks of sides \[1, 2, 8, 8\]"):
        pixels().sample(y=[1], steps=2, guidance=Regions(torch.ones(1, 1, 2, 8, 8)))
    joint = noise.Joint({"a": noise.Gaussian(), "b": noise.Gaussian()})
    with pytest.raises(MismatchError, match="no one sheet of places"):
        guided(Regions(HALVES), joint)

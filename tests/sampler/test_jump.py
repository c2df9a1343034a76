"""What can guide a sampler of large steps, and what is told that it can't."""

import pytest
import torch
from torch import Tensor, nn

import diffusion
from diffusion import data, guidance, net, noise, schedule, time
from diffusion.errors import InputError
from diffusion.guidance import ClassifierFree
from diffusion.sampler import Jump


class Judge(nn.Module):
    """A classifier of three classes that looks at the time."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 3)

    def forward(self, z: Tensor, t: Tensor) -> Tensor:
        return self.layer(z) * (1 + t[:, None])


def model() -> diffusion.Model:
    torch.manual_seed(0)
    return diffusion.Model(
        data.Identity(torch.randn(16, 3), torch.randint(1, 4, (16,)), batch=8), schedule.Flow(100),
        noise.Gaussian("velocity"), net.Span(net.MLP(3, labels=3)), time=time.Continuous(),
        sampler=Jump(),
    )  # fmt: skip


@pytest.mark.parametrize(
    "one", [None, ClassifierFree(), guidance.Auto(net.Span(net.MLP(3, labels=3)))], ids=repr
)
def test_it_samples_with_guidance_that_combines_velocities(one) -> None:
    w = model().sample([1, 2, 3, 1], steps=2, seed=0, guidance=one)
    assert w.shape == (4, 3)
    assert w.isfinite().all()


@pytest.mark.parametrize(
    "one",
    [
        guidance.PlusPlus(), guidance.Project(), guidance.Threshold(),
        guidance.Rescale(ClassifierFree()), guidance.Interval(ClassifierFree(), 0.2, 0.8),
        guidance.Classifier(Judge()),
        guidance.Observe(guidance.Mask(torch.tensor([True, False, True])), torch.ones(2)),
    ],
    ids=repr,
)  # fmt: skip
@pytest.mark.parametrize("size", [1, 4])
def test_guidance_that_reads_one_time_is_refused(one, size: int) -> None:
    with pytest.raises(
        InputError, match=r"Jump asks for an average velocity.*ClassifierFree, Auto"
    ):
        model().sample([1] * size, steps=2, seed=0, guidance=one)

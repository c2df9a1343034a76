"""Products of distributions, point masses, and drawing from anything."""

import torch
from torch import Tensor

from diffusion.base import Distribution
from diffusion.distribution import Categorical, Joint, Normal, Point
from diffusion.distribution.draw import draw
from diffusion.rng import samples


class Coin(Distribution):
    """A user's distribution, which knows nothing of generators."""

    p: Tensor

    def sample(self) -> tuple[Tensor, None]:
        return (torch.rand_like(self.p) < self.p).long(), None

    def nll(self, x: Tensor) -> Tensor:
        return -torch.where(x == 1, self.p, 1 - self.p).log()

    def dkl(self, other: "Coin") -> Tensor:
        return torch.zeros_like(self.p)


def parts() -> Joint:
    mu, logits = torch.zeros(3, 2), torch.zeros(3, 4)
    return Joint(
        {"a": Normal(mu, 1.0), "b": Categorical(logits), "c": Coin(torch.full((3, 5), 0.5))}
    )


def test_a_joint_is_its_parts():
    joint = parts()
    value, noise = joint.sample(torch.Generator().manual_seed(0))
    assert value.keys() == noise.keys() == {"a", "b", "c"}
    assert noise["b"] is None
    nats, gap = joint.nll(value), joint.dkl(joint)
    for key, part in joint.parts.items():
        torch.testing.assert_close(nats[key], part.nll(value[key]))
        torch.testing.assert_close(gap[key], torch.zeros_like(gap[key]))
    assert joint.to(torch.float64).parts["a"].mu.dtype == torch.float64


def test_drawing_is_a_function_of_the_seed_for_every_distribution():
    for law in (*parts().parts.values(), parts(), Point(torch.randn(3, 2))):
        one, two = (draw(law, torch.Generator().manual_seed(5))[0] for _ in range(2))
        if isinstance(one, dict):
            assert all(torch.equal(one[key], two[key]) for key in one)
        else:
            assert torch.equal(one, two)


def test_drawing_for_a_user_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    draw(Coin(torch.full((3, 5), 0.5)), torch.Generator().manual_seed(5))
    draw(Coin(torch.full((3, 5), 0.5)), samples(0, 3))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_point_is_where_it_is():
    point = Point(torch.tensor([1.0, 2.0]))
    assert torch.equal(point.sample()[0], point.value)
    assert point.nll(torch.tensor([1.0, 0.0])).tolist() == [0.0, torch.inf]
    assert point.dkl(Point(torch.tensor([1.0, 2.0]))).tolist() == [0.0, 0.0]

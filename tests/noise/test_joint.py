"""Joint noise is its parts, each with its own schedule and, where asked, its own time."""

import pytest
import torch

from diffusion.errors import InputError
from diffusion.noise import Absorbing, Gaussian, Joint
from diffusion.schedule import Cosine, Flow, Linear


@pytest.fixture
def joint():
    parts = {"picture": Gaussian(parameter="v"), "label": Absorbing(5)}
    return Joint(parts, schedules={"label": Flow(20)}).bind(Cosine(20))


@pytest.fixture
def states():
    x = {"picture": torch.randn(3, 2), "label": torch.tensor([[0], [1], [3]])}
    z = {"picture": torch.randn(3, 2), "label": torch.tensor([[4], [1], [4]])}
    hat = {"picture": torch.randn(1, 3, 2), "label": torch.randn(1, 3, 1, 5)}
    return x, z, hat


@pytest.mark.parametrize(
    ("t", "s"), [(9, 4), (0.5, 0.2), (torch.tensor([9, 4, 1]), torch.tensor([4, 3, 0]))]
)
def test_every_law_is_that_of_the_part(joint, states, t, s):
    x, z, hat = states
    alone = {
        "picture": Gaussian(parameter="v").bind(Cosine(20)),
        "label": Absorbing(5).bind(Flow(20)),
    }
    prior, bridge, step = joint.prior(x, t), joint.bridge(x, z, t, s), joint.step(z, t, s, hat)
    inputs, clean = joint.inputs(z, t), joint.predict(z, t, hat)
    for key, part in alone.items():
        for law, own in (
            (prior, part.prior(x[key], t)),
            (bridge, part.bridge(x[key], z[key], t, s)),
            (step, part.step(z[key], t, s, hat[key])),
        ):
            torch.testing.assert_close(
                law.parts[key].sample(torch.Generator().manual_seed(0))[0],
                own.sample(torch.Generator().manual_seed(0))[0],
            )
        torch.testing.assert_close(inputs[key], part.inputs(z[key], t))
        torch.testing.assert_close(clean[key], part.predict(z[key], t, hat[key]))


def test_times_may_differ_by_modality(joint, states):
    """A label at time 0 is known: it stays while the picture moves."""
    _, z, hat = states
    z["label"] = torch.tensor([[0], [1], [3]])
    value, _ = joint.step(z, {"picture": 9, "label": 0}, {"picture": 4, "label": 0}, hat).sample()
    assert torch.equal(value["label"], z["label"])
    assert not torch.equal(value["picture"], z["picture"])


def test_stationary_and_before(joint):
    law = joint.stationary({"picture": (3, 2), "label": (3, 1)})
    value, _ = law.sample()
    assert value["picture"].shape == (3, 2)
    assert (value["label"] == 4).all()
    assert joint.before(7) == {"picture": 6, "label": 6}


def test_faults_are_named():
    with pytest.raises(InputError, match=r"noise.Joint\['a'\]: expected a Bridge"):
        Joint({"a": Linear(10)})
    with pytest.raises(InputError, match=r"schedules\['b'\] names no part"):
        Joint({"a": Gaussian()}, schedules={"b": Flow(10)})

"""Components: constructors, configuration, and the classes users derive from ours."""

from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from torch import Tensor

from diffusion.base import Net, Schedule
from diffusion.component import arguments, same
from diffusion.errors import InputError
from diffusion.net import Transformer
from diffusion.schedule import Flow, Linear


class Doubled(Transformer):
    """A library net with another `forward` and nothing else."""

    factor: ClassVar[float] = 2.0

    def forward(self, x: Tensor, y: Tensor | None, t: Tensor) -> Tensor:
        return self.factor * super().forward(x, y, t)


class Deeper(Doubled):
    pass


@pytest.mark.parametrize("kind", [Doubled, Deeper])
def test_a_subclass_keeps_a_written_constructor_and_its_configuration(kind: type[Net]) -> None:
    net = kind(5, width=16, heads=2, depth=1)
    assert repr(net) == f"{kind.__name__}(input=5, depth=1, width=16, heads=2)"
    assert arguments(net)["width"] == 16
    assert net(torch.zeros(2, 3, dtype=torch.long), None, torch.ones(2)).shape == (1, 2, 3, 5)


def test_a_field_that_a_written_constructor_would_not_see_is_an_error() -> None:
    class Extra(Transformer):
        extra: int = 3

    with pytest.raises(InputError, match=r"Extra\.extra: a field under Transformer, which writes"):
        Extra(5)


def test_a_subclass_adds_fields_to_fields() -> None:
    class Bent(Flow):
        power: float = 2.0

    bent = Bent(10, power=3.0)
    assert arguments(bent) == {"steps": 10, "shift": 1.0, "power": 3.0}
    assert bent.vary(shift=2.0).power == 3.0
    with pytest.raises(TypeError, match="Did you mean 'power'"):
        Bent(10, powr=1.0)


def test_components_are_equal_by_their_configuration() -> None:
    assert Linear(10) == Linear(10, 0.9999)
    assert Linear(10) != Linear(11)
    assert Linear(10) != Flow(10)


@dataclass
class Listed(Schedule):
    """Decorated explicitly, with a tensor: a dataclass's own `==` would raise."""

    alpha: Tensor = None  # type: ignore[assignment]

    def compute(self) -> Tensor:
        return self.alpha


def test_explicit_dataclasses_compare_by_configuration_too() -> None:
    one, two = Listed(2, torch.ones(3)), Listed(2, torch.ones(3))
    assert one == two
    assert one != Listed(2, torch.zeros(3))
    assert hash(one) == hash(two)
    assert same([one], [two])

"""Our networks beside those of the installed Diffusers: the same file, the same output.

A `Case` is a class, a config and inputs. Diffusers makes the network, with every parameter moved
away from its initial value (many start at zero), and writes it; ours is built from that
`config.json` and those tensors.
"""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load_file
from torch import Tensor

from diffusion.hub.part import Part

FP32 = 1e-5
"""Largest difference in float32, relative to the largest number of the output."""


def plain(module: Any, inputs: dict[str, Any]) -> Any:
    """Call a network of either kind."""
    return module(**inputs) if isinstance(module, Part) else module(**inputs, return_dict=False)


class Case(NamedTuple):
    """A config of a class, and what it is called with.

    Attributes:
        name: says what is special. cls: ours; Diffusers' has the same name.
        inputs: made anew for each run, in float32. call: how either network is run.
    """

    name: str
    cls: type[Part]
    config: dict[str, Any]
    inputs: Callable[[], dict[str, Any]]
    call: Callable[[Any, dict[str, Any]], Any] = plain

    def __str__(self) -> str:
        return f"{self.cls.__name__}-{self.name}"


class Gaps(NamedTuple):
    """Relative differences to Diffusers' float32 output: ours in float32, both in bfloat16."""

    fp32: float
    ours_bf16: float
    theirs_bf16: float


def gaps(case: Case, half: bool = True) -> Gaps:
    """Measure a case."""
    ours, theirs = pair(case)
    exact = outputs(case, theirs, torch.float32)
    one = distance(outputs(case, ours, torch.float32), exact)
    if not half:
        return Gaps(one, 0.0, 0.0)
    found = (distance(outputs(case, m, torch.bfloat16), exact) for m in (ours, theirs))
    return Gaps(one, *found)


def pair(case: Case) -> tuple[Part, Any]:
    """Ours, read from what Diffusers wrote, and Diffusers' own."""
    import diffusers

    torch.manual_seed(0)
    theirs = getattr(diffusers, case.cls.__name__)(**case.config).eval()
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.03)
    with tempfile.TemporaryDirectory() as folder:
        theirs.save_pretrained(folder)
        config = json.loads((Path(folder) / "config.json").read_text())
        tensors = load_file(Path(folder) / "diffusion_pytorch_model.safetensors")
    ours = case.cls.build(config)
    ours.load_state_dict(tensors, strict=True)
    return ours.eval(), theirs


def outputs(case: Case, module: Any, dtype: torch.dtype) -> list[Tensor]:
    """What a network says in some precision, as float32 tensors."""
    torch.manual_seed(1)
    cast = {k: _to(v, dtype) for k, v in case.inputs().items()}
    with torch.no_grad():
        return [one.float() for one in _flat(case.call(module.to(dtype), cast))]


def distance(ours: list[Tensor], theirs: list[Tensor]) -> float:
    """The largest difference, relative to the largest number of the same output."""
    assert [t.shape for t in ours] == [t.shape for t in theirs]
    assert all(t.isfinite().all() and t.abs().max() > 0 for t in theirs)
    return max(
        float((a - b).abs().max() / b.abs().max()) for a, b in zip(ours, theirs, strict=True)
    )


def shapes(cls: type[Part], config: dict[str, Any]) -> None:
    """Assert that a config of real size has the keys and shapes of Diffusers' class."""
    import diffusers

    with torch.device("meta"):
        theirs = getattr(diffusers, cls.__name__)(**config)
        ours = cls.build(config)
    mine, other = ({k: tuple(v.shape) for k, v in m.state_dict().items()} for m in (ours, theirs))
    assert mine == other


def _to(value: Any, dtype: torch.dtype) -> Any:
    if isinstance(value, Tensor):
        return value.to(dtype) if value.is_floating_point() else value
    if isinstance(value, dict):
        return {k: _to(v, dtype) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_to(v, dtype) for v in value)
    return value


def _flat(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    return [leaf for one in value for leaf in _flat(one)]

"""Several control networks at once, and what does not go together."""

from pathlib import Path
from typing import Any

import pytest
import torch

from diffusion import hub
from diffusion.block import Attach, BlockError, Control, Pipeline, controlled
from diffusion.errors import InputError, MismatchError

from .conftest import Both
from .controls import adapter, controlnet, seen


def latents(pipe: Pipeline, shown: Any, **given: Any) -> torch.Tensor:
    said = {"prompt": ["a cat", "the sea"], "seed": 1, **given}
    found: Any = pipe.workflow(outputs=["latents"])(control_image=shown, **said)
    return found


def test_both_kinds_by_name(stable: Both, tmp_path: Path) -> None:
    """A ControlNet and an adapter act together; one of scale 0 is as good as absent."""
    controlnet(tmp_path / "edges")
    adapter(tmp_path / "depth")
    both: Any = {name: hub.component(tmp_path / name) for name in ("edges", "depth")}
    images = {"depth": seen(1), "edges": torch.cat([seen(2), seen(3)])}

    def found(**scales: float) -> torch.Tensor:
        return latents(Control(stable.ours, both, 2, scale=scales), images)

    for name in both:
        alone = latents(Control(stable.ours, both[name], 2, scale=0.6), images[name])
        off = {other: 0.6 * (other == name) for other in both}
        assert torch.allclose(found(**off), alone, atol=1e-6)
    together = found(edges=0.6, depth=0.6)
    assert (together - found(edges=0.6, depth=0.0)).abs().max() > 1e-4
    listed = Control(stable.ours, [both["edges"], both["depth"]], 2, scale=[0.6, 0.6])
    assert torch.equal(latents(listed, [images["edges"], images["depth"]]), together)


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        ({"edges": seen()}, "control_image: expected one for each of edges, depth; got edges"),
        ([seen()], "a list of 2, or a map, one for each of edges, depth; got 1"),
        (seen(), "a list of 2, or a map, one for each of edges, depth; got Tensor"),
        ([seen(), seen()[..., :8]], r"control_image, depth: expected 16×16 pixels.*got 16×8"),
        ([torch.cat([seen()] * 3), seen()], "control_image, edges: 3 pictures for 2 samples"),
    ],
)
def test_bad_pictures(stable: Both, tmp_path: Path, shown: Any, said: str) -> None:
    adapter(tmp_path)
    own: Any = {name: hub.component(tmp_path) for name in ("edges", "depth")}
    with pytest.raises(BlockError, match=said):
        latents(Control(stable.ours, own, 2), shown)


def test_what_does_not_fit(stable: Both, tmp_path: Path) -> None:
    adapter(tmp_path)
    own = hub.component(tmp_path)
    with pytest.raises(InputError, match=r"Control.scale: expected a list of 2.*got 3"):
        Control(stable.ours, [own, own], scale=[1.0, 1.0, 1.0])
    with pytest.raises(InputError, match="expected a network or several; got none"):
        Control(stable.ours, [])
    with pytest.raises(InputError, match=r"a ControlNetModel or a T2IAdapter.*got Linear"):
        Control(stable.ours, [own, torch.nn.Linear(1, 1)])  # type: ignore[list-item]
    with pytest.raises(MismatchError, match="no control networks; see `controlled`"):
        Attach(stable.ours)
    with pytest.raises(MismatchError, match="its network is a Controlled"):
        controlled(controlled(stable.ours, own), own)
    other = hub.net.T2IAdapter(channels=(8, 16))
    with pytest.raises(MismatchError, match=r"channels are \(8, 16\), the U-Net's \(16, 32\)"):
        controlled(stable.ours, {"a": own, "b": other})

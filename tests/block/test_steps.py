"""Blocks between the steps of `Denoise`: those that look, those that change, those that stop."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch

from diffusion import rng
from diffusion.block import BlockError, Branch, Denoise, Pipeline
from diffusion.distribution.draw import draw
from diffusion.errors import InputError, MismatchError
from diffusion.sampler import DDIM, Ancestral

from .stepped import (
    Add,
    Bound,
    Deaf,
    Explode,
    Hold,
    Keep,
    Peek,
    Reshape,
    See,
    Stop,
    absorbing,
    joint,
    pictures,
)  # fmt: skip
from .toys import Toy, port

MODEL = pictures()


def by_hand(model: Any, steps: int, seed: int, change: Any) -> Any:
    """Ancestral sampling as one would write it, with `change(z, t)` after each step."""
    times = [model.schedule.steps * i // steps for i in range(steps, -1, -1)]
    bound, draws = model.bind(times=times), rng.samples(seed, 2)
    z = model.cast(draw(bound.pure((2, *model.shape), times[0]), draws)[0])
    with torch.no_grad():
        for t, s in pairwise(times):
            hat = model.net.eval()(bound.inputs(z, t), torch.zeros(2).long(), torch.full((2,), t))
            z = change(draw(bound.step(z, t, s, hat), draws)[0], s)
    return z


def test_blocks_that_look_see_every_step_and_their_outputs_become_lists() -> None:
    seen = Denoise(MODEL, 4, DDIM(), each={"peek": Peek(), "see": See()})(batch=2, seed=0)
    states = list(MODEL.stream(batch=2, seed=0, steps=4, sampler=DDIM()))
    assert seen["steps_seen"] == [0, 1, 2, 3]
    assert seen["times"] == [75, 50, 25, 0]
    assert seen["shares"] == [0.25, 0.5, 0.75, 1.0]
    assert all(torch.equal(a, b) for a, b in zip(seen["picture"], states[1:], strict=True))
    assert torch.equal(seen["latents"], states[-1])
    torch.testing.assert_close(seen["guess"][-1], states[-1])  # at t = 0 the state is the data
    assert not torch.allclose(seen["guess"][0], states[1])


@pytest.mark.parametrize("one", [Ancestral(), DDIM()], ids=repr)
def test_a_clamp_is_that_of_a_loop_by_hand(one: Any) -> None:
    made = Denoise(MODEL, 5, one, each={"bound": Bound()})(batch=2, seed=0, limit=0.3)
    assert float(made.abs().max()) <= 0.3 + 1e-6
    if one == Ancestral():
        hand = by_hand(MODEL, 5, 0, lambda z, t: z.clamp(-0.3, 0.3))
        assert torch.equal(made, hand)


def test_inpainting_is_that_of_a_loop_by_hand() -> None:
    x, where = torch.rand(2, 1, 8, 8), torch.zeros(8, 8, dtype=torch.bool)
    where[:, 2:6] = True
    epsilon, clock = torch.randn(2, 1, 8, 8), MODEL.bind().clock

    def change(z: Any, t: Any) -> Any:
        signal, sigma = clock(t)
        return torch.where(where, signal * x + sigma * epsilon, z)

    denoise = Denoise(MODEL, 5, Ancestral(), each={"hold": Hold(MODEL)})
    made = denoise(batch=2, seed=0, original=x, kept=where, epsilon=epsilon)
    assert torch.equal(made, by_hand(MODEL, 5, 0, change))
    torch.testing.assert_close(made[..., 2:6], x[..., 2:6])


def test_inpainting_of_tokens_equals_known_and_mask() -> None:
    """Unmasked tokens need no draw: the block and the option do the same, draw by draw."""
    tokens = absorbing()
    x, where = torch.randint(0, 4, (3, 6)), torch.tensor([1, 1, 0, 0, 0, 1]).bool()
    z = torch.where(where, x, 4)
    expected = tokens.sample(z=z, known=x, mask=where, steps=6, seed=0)
    made = Denoise(tokens, 6, each={"keep": Keep()})(noise=z, seed=0, tokens=x, places=where)
    assert torch.equal(made, expected)
    assert torch.equal(made[:, where], x[:, where])


def test_several_blocks_run_in_their_order() -> None:
    first = Denoise(MODEL, 4, Ancestral(), each={"add": Add(1.0), "bound": Bound(0.5)})
    other = Denoise(MODEL, 4, Ancestral(), each={"bound": Bound(0.5), "add": Add(1.0)})
    assert torch.equal(first(batch=2, seed=0),
                       by_hand(MODEL, 4, 0, lambda z, t: (z + 1).clamp(-0.5, 0.5)))  # fmt: skip
    assert torch.equal(other(batch=2, seed=0),
                       by_hand(MODEL, 4, 0, lambda z, t: z.clamp(-0.5, 0.5) + 1))  # fmt: skip


def test_what_blocks_read_becomes_an_input_and_may_be_shared() -> None:
    needs = Toy({"mask": port(bool), "seed": port(int)}, {"odd": port(bool)})
    denoise = Denoise(MODEL, 2, each={"needs": needs, "hold": Hold(MODEL)})
    inputs = denoise.ports().inputs
    assert all(inputs[key].required for key in ("mask", "seed", "original", "kept", "epsilon"))
    assert str(inputs["original"].shape) == "b 1 8 8"
    with pytest.raises(InputError, match=r"needs seed .int., mask .bool., original") as found:
        denoise(batch=2)
    assert not isinstance(found.value, BlockError)


def test_a_branch_between_steps_is_asked_before_any_work() -> None:
    side = Toy({"state": port(torch.Tensor), "x": port(int)}, {"state": port(torch.Tensor)})
    denoise = Denoise(MODEL, 2, each={"maybe": Branch("on", side)})
    assert denoise(batch=2, seed=0).shape == (2, 1, 8, 8)
    with pytest.raises(InputError, match="with on, Toy needs x") as found:
        denoise(batch=2, seed=0, on=True)
    assert not isinstance(found.value, BlockError)


def test_stopping_early_returns_the_data_predicted_so_far() -> None:
    calls = 0

    def count(*_: Any) -> None:
        nonlocal calls
        calls += 1

    model = pictures()
    hook = model.net.register_forward_pre_hook(count)
    denoise = Denoise(model, 10, DDIM(), each={"see": See(), "stop": Stop(at=2)})
    made = Pipeline(denoise=denoise)(batch=2, seed=0)
    hook.remove()
    assert calls == 3
    assert len(made["guess"]) == 3
    assert torch.equal(made["latents"], made["guess"][-1])
    assert not torch.equal(made["latents"], made["picture"][-1])
    steered = Denoise(model, 10, DDIM(), each={"add": Add(0.0), "stop": Stop(at=2)})
    assert torch.equal(steered(batch=2, seed=0), made["latents"])


@pytest.mark.parametrize("each", [{}, {"add": Add(0.0)}], ids=["looking", "steering"])
def test_a_block_that_raises_is_named_with_its_step_and_results_are_kept(each: Any) -> None:
    denoise = Denoise(MODEL, 5, DDIM(), each={**each, "peek": Peek(), "bang": Explode(at=2)})
    with pytest.raises(BlockError) as found:
        Pipeline(make=denoise)(batch=2, seed=0)
    error = found.value
    assert str(error) == "make > bang, step 2: RuntimeError: enough"
    assert (error.at.path, error.at.step) == (("make", "bang"), 2)
    assert error.values["steps_seen"] == [0, 1]
    states = list(MODEL.stream(batch=2, seed=0, steps=5, sampler=DDIM()))
    assert torch.equal(error.values["latents"], states[2])
    assert isinstance(error.__cause__, RuntimeError)


def test_a_sampler_that_ignores_what_blocks_make_of_the_state_is_refused() -> None:
    with pytest.raises(BlockError, match=r"Deaf goes on from its own state.*Call noise.keep"):
        Denoise(MODEL, 4, Deaf(), each={"add": Add(1.0)})(batch=2, seed=0)
    looked = Denoise(MODEL, 4, Deaf(), each={"peek": Peek()})(batch=2, seed=0)
    assert looked["steps_seen"] == [0, 1, 2, 3]


def test_joint_states_are_looked_at_only() -> None:
    model = joint()
    maps = Toy({"state": port(dict), "denoised": port(dict)}, {"seen": port(int)})
    assert Denoise(model, 3, each={"maps": maps})(batch=3, seed=0)["seen"] == [3, 3, 3]
    with pytest.raises(MismatchError, match="joint states can be looked at, not changed"):
        Denoise(model, each={"maps": Toy({"state": port(dict)}, {"state": port(dict)})})
    with pytest.raises(MismatchError, match="makes state as dict, and peek reads it as Tensor"):
        Denoise(model, each={"peek": Peek()})


@pytest.mark.parametrize(
    ("makes", "said"),
    [
        ({"time": port(float)}, "time is the sampling's; no block can make it"),
        ({"denoised": port(torch.Tensor)}, "denoised is the sampling's"),
        ({"latents": port(torch.Tensor)}, "latents"),
        ({"state": port(str)}, 'state must be Tensor "b 1 8 8"; got str'),
        ({"state": port(torch.Tensor, "b 3 8 8")}, 'state must be Tensor "b 1 8 8"; got Tensor'),
        ({"stop": port(int)}, "stop must be bool; got int"),
    ],
)
def test_blocks_that_make_what_they_must_not_are_refused(makes: Any, said: str) -> None:
    with pytest.raises(MismatchError, match=said):
        Denoise(MODEL, each={"odd": Toy({}, makes)})


def test_blocks_that_read_another_state_are_refused() -> None:
    reads = {"state": port(torch.Tensor, "b 3 h w")}
    with pytest.raises(MismatchError, match='state of shape "b 1 8 8", and odd reads it as "b 3'):
        Denoise(MODEL, each={"odd": Toy(reads, {})})
    with pytest.raises(MismatchError, match=r"a and b both read x, as int and as str"):
        Denoise(MODEL, each={"a": Toy({"x": port(int)}, {}), "b": Toy({"x": port(str)}, {})})


def test_a_state_of_another_shape_is_refused_at_work() -> None:
    with pytest.raises(BlockError, match=r"step 0: .*the state became \[2, 64\], from \[2, 1, 8"):
        Denoise(MODEL, 3, each={"flat": Reshape()})(batch=2, seed=0)

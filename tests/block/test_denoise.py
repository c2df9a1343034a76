"""`Denoise` runs a model as `Model.stream` does, bit for bit, and refuses what can't be run."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from diffusion import Model, data, guidance, net, noise, schedule, time
from diffusion.block import BlockError, Decode, Denoise, Encode, Pipeline
from diffusion.errors import InputError, MismatchError
from diffusion.sampler import DDIM, SDE, Adams, Ancestral, Euler, Heun, UniPC

from .stepped import Add, Peek, absorbing, joint, pictures
from .toys import Toy, port

MODEL = pictures()
SAMPLERS = [Ancestral(), DDIM(), DDIM(0.5), Adams(), Heun(), Euler(), SDE(), UniPC()]


@pytest.mark.parametrize("one", SAMPLERS, ids=repr)
@pytest.mark.parametrize("each", [{}, {"peek": Peek()}, {"none": Add(0.0)}], ids=" ".join)
def test_equals_the_model_s_own_sampling(one: Any, each: Any) -> None:
    pipe = Pipeline(denoise=Denoise(MODEL, 5, one, each=each), show=Decode(MODEL))
    *_, latents = MODEL.stream(batch=2, seed=3, steps=5, sampler=one)
    image = MODEL.sample(batch=2, seed=3, steps=5, sampler=one)
    assert torch.equal(pipe.workflow(["image"])(batch=2, seed=3), image)
    made = pipe["denoise"](batch=2, seed=3)
    assert torch.equal(made["latents"] if each == {"peek": Peek()} else made, latents)


def test_starts_where_it_is_told() -> None:
    x, z = torch.rand(2, 1, 8, 8), torch.randn(2, 1, 8, 8)
    denoise = Denoise(MODEL, 10, DDIM(0.5))
    own: dict[str, Any] = {"steps": 10, "sampler": DDIM(0.5), "seed": 1}
    *_, partial = MODEL.stream(x=x, strength=0.4, **own)
    assert torch.equal(denoise(latents=x, strength=0.4, seed=1), partial)
    *_, given = MODEL.stream(z=z, **own)
    assert torch.equal(denoise(noise=z, seed=1), given)
    image = MODEL.data.decode(x)
    first = Encode(MODEL).rename(image="init")
    pipe = Pipeline(encode=first, denoise=denoise.bind(strength=0.4), show=Decode(MODEL))
    *_, partial = MODEL.stream(start=image, strength=0.4, **own)
    assert torch.equal(pipe(init=image, seed=1), MODEL.data.decode(partial))


def test_known_places_are_kept() -> None:
    known, mask = MODEL.data.decode(torch.rand(2, 1, 8, 8)), torch.zeros(8, 8, dtype=torch.bool)
    mask[:4] = True
    made = Denoise(MODEL, 5)(known=known, mask=mask, seed=0)
    *_, latents = MODEL.stream(known=known, mask=mask, steps=5, seed=0)
    assert torch.equal(made, latents)
    torch.testing.assert_close(made[..., :4, :], MODEL.data.encode(known)[..., :4, :])


def test_conditions_and_guidance() -> None:
    model = pictures(labels=3, guidance=guidance.ClassifierFree(strength=2.0))
    own: dict[str, Any] = {"steps": 5, "seed": 0}
    *_, guided = model.stream([1, 3], **own)
    assert torch.equal(Denoise(model, 5)(conditions=[1, 3], seed=0), guided)
    weaker = guidance.ClassifierFree(strength=0.5)
    *_, other = model.stream([1, 3], guidance=weaker, **own)
    assert torch.equal(Denoise(model, 5, guidance=weaker)(conditions=[1, 3], seed=0), other)
    assert not torch.equal(guided, other)


def test_states_that_are_no_pictures() -> None:
    vectors = Model(
        data.Identity(), schedule.Flow(20), noise.Gaussian("x"), net.MLP(2), shape=(2,),
        time=time.Continuous(),
    )  # fmt: skip
    denoise = Denoise(vectors, 4)
    assert str(denoise.ports().outputs["latents"]) == 'Tensor "b 2"'
    *_, latents = vectors.stream(batch=3, steps=4, seed=0)
    assert torch.equal(denoise(batch=3, seed=0), latents)
    assert torch.equal(denoise(noise=torch.ones(3, 2), seed=0), denoise(noise=torch.ones(3, 2)))
    with pytest.raises(InputError, match=r"input noise: got \[3, 4\] for \"b 2\""):
        denoise(noise=torch.ones(3, 4))


def test_joint_states_are_maps_of_tensors() -> None:
    model = joint()
    made = Denoise(model, 4)(batch=3, seed=0)
    *_, latents = model.stream(batch=3, steps=4, seed=0)
    assert all(torch.equal(made[key], latents[key]) for key in latents)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"sed": 1}, "no input 'sed'; .* Did you mean 'seed'"),
        ({"batch": "two"}, "input batch: expected int . None; got str"),
        ({"noise": torch.zeros(2, 3, 8, 8)}, r'input noise: got \[2, 3, 8, 8\] for "b 1 8 8"'),
        ({"noise": torch.zeros(2, 1, 8, 8), "latents": torch.zeros(3, 1, 8, 8)}, "latents: got"),
        ({"strength": torch.zeros(2)}, "input strength: expected float"),
    ],
)
def test_a_call_is_checked_before_any_work(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said) as found:
        Denoise(MODEL, 3)(**given)
    assert not isinstance(found.value, BlockError)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"model": "digits"}, "Denoise.model: expected a Model; got str"),
        ({"sampler": guidance.ClassifierFree()}, "Denoise.sampler: expected a Sampler; got Cl"),
        ({"sampler": DDIM}, "Denoise.sampler: expected a Sampler"),
        ({"guidance": DDIM()}, "Denoise.guidance: expected a Guidance; got DDIM"),
        ({"each": {"peek": Peek}}, r"Denoise.each.peek: expected a Block; got Peek \(a class"),
    ],
)
def test_modules_of_the_wrong_kind_are_refused(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Denoise(**{"model": MODEL, **arguments})


def test_modules_that_do_not_fit_are_refused_while_composing() -> None:
    tokens = absorbing()
    with pytest.raises(MismatchError, match=r"sampler and noise: .*Use sampler=Ancestral"):
        Denoise(tokens, sampler=DDIM())
    with pytest.raises(MismatchError, match='show reads it as "b 3 8 8"'):
        Pipeline(denoise=Denoise(MODEL), show=Decode(pictures(channels=3)))
    with pytest.raises(MismatchError, match="denoise makes latents as dict, and show reads it as"):
        Pipeline(denoise=Denoise(joint()), show=Decode(MODEL))


class Broken(net.UNet):
    calls = 0

    def forward(self, x: Any, y: Any, t: Any) -> Any:
        Broken.calls += 1
        if Broken.calls == 3:
            raise RuntimeError("out of memory")
        return super().forward(x, y, t)


def test_a_failure_of_the_network_says_in_which_step_and_keeps_the_state_before() -> None:
    broken = Model(
        data.Images(), schedule.Cosine(100), noise.Gaussian(), Broken((1, 8)), shape=(1, 8, 8)
    )
    Broken.calls = 0
    with pytest.raises(BlockError) as found:
        Pipeline(denoise=Denoise(broken, 5, DDIM(), each={"peek": Peek()}))(batch=2, seed=0)
    assert str(found.value) == "denoise, step 2: RuntimeError: out of memory"
    assert isinstance(found.value.__cause__, RuntimeError)
    assert found.value.values["steps_seen"] == [0, 1]
    *states, _ = zip(MODEL.stream(batch=2, seed=0, steps=5), range(3), strict=False)
    assert found.value.values["latents"].shape == states[-1][0].shape


def test_settings_are_replaced_from_outside() -> None:
    pipe = Pipeline(denoise=Denoise(MODEL, 3, each={"add": Add(1.0)}))
    other = pipe.replace({"denoise.steps": 5, "denoise.sampler": Heun(), "denoise.add.by": 0.0})
    *_, latents = MODEL.stream(batch=2, seed=0, steps=5, sampler=Heun())
    assert torch.equal(other(batch=2, seed=0), latents)
    assert other["denoise"].model is MODEL
    assert pipe["denoise"]["add"].by == 1.0
    assert pipe["denoise"].steps == 3


def test_what_it_is_given_is_checked_against_its_neighbours() -> None:
    first = Toy({}, {"latents": port(Tensor, "b 1 4 4")})
    with pytest.raises(MismatchError, match=r'first makes latents .* reads it as "b 1 8 8"'):
        Pipeline(first=first, denoise=Denoise(MODEL))

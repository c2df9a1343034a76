"""What a call of `TextToImage` may ask for, and what it may not."""

import pytest
import torch

from diffusion import guidance, sampler
from diffusion.block import BlockError, Describe, Pipeline, TextToImage, scheduled
from diffusion.errors import InputError, MismatchError

from ..small import ideal
from ..small import model as own
from .conftest import Both


def test_it_is_an_ordinary_pipeline(stable: Both) -> None:
    pipe = TextToImage(stable.ours, steps=2)
    assert isinstance(pipe, Pipeline)
    assert [*pipe.children()] == ["describe", "avoid", "several", "denoise", "decode", "output"]
    assert isinstance(pipe["describe"], Describe)
    assert pipe["denoise"]["guidance"].guidance == stable.ours.guidance
    other = guidance.ClassifierFree(strength=2.0)
    quick = pipe.replace({"denoise.steps": 3, "denoise.guidance.guidance": other})
    assert (quick["denoise"].steps, quick["denoise"].guidance.guidance.strength) == (3, 2.0)


def test_an_image_depends_on_its_own_seed(stable: Both) -> None:
    pipe = TextToImage(stable.ours, steps=2, output="tensor")
    four = pipe(prompt=["a cat", "a dog"], negative_prompt="a tree", images_per_prompt=2,
                seed=[5, 6, 7, 8])  # fmt: skip
    assert four.shape == (4, 3, 16, 16)
    alone = pipe(prompt="a dog", negative_prompt="a tree", seed=[7])
    assert (four[2:3].int() - alone.int()).abs().max() <= 1
    again = pipe(prompt="a dog", negative_prompt="a tree", seed=[8])
    assert (alone.int() - again.int()).abs().max() > 1


def test_outputs(stable: Both) -> None:
    given = {"prompt": "a cat", "images_per_prompt": 2, "seed": 3}
    pictures = TextToImage(stable.ours, 2)(**given)
    array = TextToImage(stable.ours, 2, output="numpy")(**given)
    tensor = TextToImage(stable.ours, 2, output="tensor")(**given)
    assert [one.size for one in pictures] == [(16, 16)] * 2
    assert array.shape == (2, 16, 16, 3)
    assert torch.equal(torch.from_numpy(array).permute(0, 3, 1, 2), tensor)
    assert pictures[1].getpixel((3, 1)) == tuple(array[1, 1, 3])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"prompt": ["a", "b"], "negative_prompt": ["c"] * 3}, "one for each of 2 prompts; got 3"),
        ({"prompt": "a", "images_per_prompt": 0}, "images_per_prompt: expected a whole number"),
        ({"prompt": ["a", "b"], "seed": [1, 2, 3]}, "3 seeds for 2 samples"),
    ],
)
def test_bad_calls(stable: Both, given: dict[str, object], said: str) -> None:
    with pytest.raises(BlockError, match=said):
        TextToImage(stable.ours, steps=2)(**given)


def test_a_negative_prompt_needs_guidance(stable: Both) -> None:
    pipe = TextToImage(stable.ours.replace(guidance=None), steps=2)
    pipe(prompt="a cat", seed=0)
    with pytest.raises(BlockError, match=r"give guidance=diffusion\.guidance.ClassifierFree"):
        pipe(prompt="a cat", negative_prompt="a dog", seed=0)


def test_a_model_without_a_text_encoder() -> None:
    with pytest.raises(MismatchError, match=r"no text encoder .* Use diffusion\.block\.Denoise"):
        TextToImage(own())
    with pytest.raises(MismatchError, match="Use ClassToImage"):
        TextToImage(own(labels=3))
    with pytest.raises(InputError, match=r"TextToImage.model: expected a Model; got str"):
        TextToImage("stable-diffusion")  # type: ignore[arg-type]


def test_schedulers_that_are_not_there(stable: Both) -> None:
    with pytest.raises(InputError, match="Did you mean 'EulerDiscreteScheduler'"):
        TextToImage(stable.ours, sampler="EulerDiscretScheduler")
    with pytest.raises(InputError, match="no scheduler is called None"):
        TextToImage(stable.ours, sampler={"timestep_spacing": "trailing"})
    with pytest.raises(MismatchError, match="walks straight paths, and the model's schedule is"):
        TextToImage(stable.ours, sampler="FlowMatchEulerDiscreteScheduler")


def test_a_scheduler_for_our_own_models() -> None:
    """Their DDIM on every step is ours, and a model's own time, noise and schedule stay."""
    model = ideal()
    under = scheduled(model, {"_class_name": "DDIMScheduler", "timestep_spacing": "trailing"})
    assert (under.schedule, under.noise, under.net) == (model.schedule, model.noise, model.net)
    ours = model.sample(batch=2, steps=100, sampler=sampler.DDIM(), seed=0)
    assert torch.equal(under.sample(batch=2, steps=100, seed=0), ours)
    for name in ("EulerDiscreteScheduler", "UniPCMultistepScheduler"):
        near = scheduled(model, name).sample(batch=2, steps=50, seed=0)
        assert (near.float() - ours.float()).abs().mean() < 4  # of 255: one ODE, other steps


def test_a_sampler_for_a_scheduler(stable: Both) -> None:
    assert scheduled(stable.ours, sampler.DDIM()).sampler == sampler.DDIM()
    assert scheduled(stable.ours, None) is stable.ours

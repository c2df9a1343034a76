"""Every scheduler that Diffusers exports is read, or names what is nearest."""

import functools
import inspect
import re
from itertools import pairwise
from typing import Any

import diffusers
import pytest

import diffusion
from diffusion import errors
from diffusion.hub.scheduler import read
from diffusion.hub.scheduler.nearest import NEAREST
from diffusion.hub.scheduler.read import ELSEWHERE, SETTINGS

from .runs import config, peer

EXPORTED = sorted(name for name in dir(diffusers) if name.endswith("Scheduler"))
WANTING = {"PNDMScheduler": {"skip_prk_steps": True}}
"""Settings that make a class supported whose defaults are not."""


@functools.cache
def made(name: str) -> Any:
    """One of their schedulers, of the defaults that are supported."""
    return peer(name.removesuffix("Scheduler"), **WANTING.get(name, {}))


def defaults(name: str) -> dict[str, Any]:
    """The keys of their class, and its defaults."""
    found = inspect.signature(type(made(name)).__init__).parameters.values()
    return {p.name: p.default for p in found if p.name not in ("self", "kwargs")}


def test_there_are_many() -> None:
    assert len(EXPORTED) >= 49
    assert not set(SETTINGS) & set(NEAREST)
    assert set(SETTINGS) <= set(EXPORTED)
    assert all(ELSEWHERE.isdisjoint(cls.keys()) for cls in SETTINGS.values())


@pytest.mark.parametrize("name", EXPORTED)
def test_is_read_or_names_the_nearest(name: str) -> None:
    given = {"_class_name": name, **WANTING.get(name, {})}
    if name in SETTINGS:
        plan = read(given)
        assert plan.sampler.fits(plan.noise) is None
        times = plan.times(5)
        assert len(times) == 6 or times[-1] > 0
        assert all(a > b for a, b in pairwise(times))
    else:
        with pytest.raises(errors.FileError, match=f"not supported: {name}; nearest: "):
            read(given)


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_keys_and_defaults_are_theirs(name: str) -> None:
    theirs = defaults(name)
    ours = SETTINGS[name]().config()
    assert ours.pop("_class_name") == name
    assert set(ours) == set(theirs)
    assert {k: v for k, v in ours.items() if v != theirs[k]} == {}


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_what_they_save_is_read_whole(name: str) -> None:
    saved = config(made(name))
    plan = read(saved)
    assert plan.config == saved
    assert plan.ignored == ()


@pytest.mark.parametrize("name", sorted(NEAREST))
def test_the_nearest_exists(name: str) -> None:
    """Every name in the message is one of ours, or a scheduler that is read."""
    text = NEAREST[name]
    found = re.findall(r"\b(noise|sampler|schedule|grid)\.([A-Z]\w+)", text)
    assert all(hasattr(getattr(diffusion, kind), cls) for kind, cls in found)
    classes = re.findall(r"\b\w+Scheduler\b", text)
    assert all(cls in SETTINGS for cls in classes)
    assert found or classes

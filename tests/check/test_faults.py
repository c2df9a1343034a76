"""Planted faults: each is found, and by the exam that names it."""

import functools

import pytest

from diffusion.check import check

from .faults import FAULTS


@functools.cache
def report(index):
    return check(FAULTS[index][0])


IDS = [f"{type(module).__name__}: {name}" for module, name in FAULTS]


@pytest.mark.parametrize("index", range(len(FAULTS)), ids=IDS)
def test_a_fault_is_found_by_name(index):
    found, name = report(index), FAULTS[index][1]
    assert not found.ok
    assert name in [result.name.split(": ")[-1] for result in found.failures], str(found)


@pytest.mark.parametrize("index", range(len(FAULTS)), ids=IDS)
def test_a_fault_says_what_was_measured_and_what_to_do(index):
    for failure in report(index).failures:
        assert failure.figure
        assert failure.promise
        assert failure.fix or failure.name == "can be examined"
        assert failure.name in str(failure)


def test_there_are_many():
    assert len({type(module) for module, _ in FAULTS}) >= 50

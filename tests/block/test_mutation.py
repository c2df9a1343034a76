"""Promise R13: what composes, and whose call is accepted, never fails on a link.

Programs are drawn at random. Toy blocks look at what reaches them by rules of their own, so that
neither composing nor running can be wrong unnoticed.
"""

from __future__ import annotations

import random
from typing import Any

import pytest

from diffusion.block import Block, BlockError, Pipeline
from diffusion.errors import InputError, MismatchError

from .programs import BREAKS, Program, doubled, swapped
from .toys import drawn
from .wild import Wild


@pytest.mark.parametrize("seed", range(3))
def test_valid_programs_compose_and_run(seed: int) -> None:
    for index in range(50):
        program = Program(1000 * seed + index)
        pipe = Pipeline(**program.toys)
        pipe(**program.given)
        assert len(program.log) == len(program.toys)


@pytest.mark.parametrize("mutation", BREAKS, ids=lambda one: one.__name__)
def test_a_broken_link_is_found_before_any_work(mutation: Any) -> None:
    caught = 0
    for seed in range(100):
        program = Program(seed)
        blocks = mutation(program)
        if not blocks:
            continue
        caught += 1
        with pytest.raises((MismatchError, InputError)) as found:
            Pipeline(**blocks)(**program.given)
        assert not isinstance(found.value, BlockError), seed
        assert not program.log, seed
    assert caught > 40


@pytest.mark.parametrize("mutation", BREAKS, ids=lambda one: one.__name__)
def test_what_composes_all_the_same_runs_on_all_that_its_call_accepts(mutation: Any) -> None:
    ran = 0
    for seed in range(100):
        program = Program(seed)
        blocks = mutation(program)
        try:
            pipe = Pipeline(**(blocks or program.toys))
        except MismatchError:
            continue
        call(pipe, program.chance)
        ran += 1
    assert ran > 5 or mutation in (swapped, doubled)


def call(pipe: Block, chance: random.Random) -> None:
    sizes: dict[str, int] = {}
    pipe(**{
        key: drawn(port, sizes, chance)
        for key, port in pipe.ports().inputs.items()
        if port.required or chance.random() < 0.5
    })  # fmt: skip


@pytest.mark.parametrize("seed", range(5))
def test_any_composition_of_exact_ports_that_is_accepted_runs(seed: int) -> None:
    ran = 0
    for index in range(200):
        wild = Wild(1000 * seed + index, rigid=True)
        try:
            block = wild.block(3)
        except (MismatchError, InputError):
            continue
        pipe = Pipeline(it=block)
        call(pipe, wild.chance)
        ran += 1
    assert ran > 20


@pytest.mark.parametrize("seed", range(5))
def test_nothing_wrong_reaches_the_inside_of_a_block(seed: int) -> None:
    """With `Any`, sizes that a block chooses, and branches, links may turn out wrong at work.

    Then it is said at the block that would read the value, before that block begins.
    """
    ran, causes, early = 0, list[Any](), list[int]()
    for index in range(200):
        wild = Wild(50_000 + 1000 * seed + index, rigid=False)
        try:
            pipe = Pipeline(it=wild.block(3))
        except (MismatchError, InputError):
            continue
        try:
            call(pipe, wild.chance)
            ran += 1
        except BlockError as error:
            causes.append(error.__cause__)
        except InputError:
            early.append(len(wild.log))
    assert ran > 20
    assert all(isinstance(cause, InputError) for cause in causes), causes
    assert not any(early), "work was done before a call was refused"

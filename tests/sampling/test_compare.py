"""Comparing samplers, whatever the model and the numbers of calls."""

import math
from collections.abc import Sequence

import pytest
import torch

import diffusion
from diffusion import data, guidance, net, noise, schedule, time
from diffusion.base import Net, Sampler
from diffusion.errors import InputError
from diffusion.exact import beds
from diffusion.sampler import Adams
from diffusion.sampling import compare as comparing
from diffusion.sampling.compare import SOLVERS, Compared, compare, late, ranked, reference, times
from diffusion.sampling.exact import HIGH, mean, on_laws, stages

from .oracle import BED, model

FEW = ("Adams", "DDIM", "DEIS", "Heun", "RK4", "RES3S")


@pytest.fixture(autouse=True)
def swift(monkeypatch: pytest.MonkeyPatch) -> None:
    """The beds say the same for every model: no need to measure them each time."""
    monkeypatch.setattr(comparing, "on_laws", lambda one, calls: quick(one, calls))


def quick(one: Sampler, calls: Sequence[int]) -> tuple:
    own = tuple(c for c in calls if c >= stages(one))
    return own, {"bed": tuple(1 / c for c in own)}, 1.0


def some(*names: str) -> dict:
    return {name: SOLVERS[name] for name in names}


def small(**modules: object) -> diffusion.Model:
    torch.manual_seed(0)
    own: dict = {
        "data": data.Identity(torch.randn(16, 3), batch=8), "schedule": schedule.Cosine(20),
        "noise": noise.Gaussian(), "net": net.MLP(3, hidden=8),
    }  # fmt: skip
    found = diffusion.Model(**{**own, **modules})
    for weight in found.net.parameters():  # new nets say zero
        torch.nn.init.normal_(weight, std=0.2)
    return found


def test_few_calls_leave_out_what_has_no_step_of_so_few() -> None:
    found = compare(model(), (1, 2, 5), batch=2, solvers=some(*FEW))
    assert [one.calls for one in (found["Adams"], found["Heun"], found["RES3S"], found["RK4"])] == [
        (1, 2, 5), (2, 5), (5,), (5,),
    ]  # fmt: skip
    assert "at 1 calls: RK4: expected 4 network calls" in found["RK4"].reason
    assert found["RK4"].bed_calls == (5,)
    assert found["Adams"].reason == ""
    one = compare(model(), (2,), batch=2, solvers=some("RK4", "DDIM"))
    assert list(one) == ["DDIM", "RK4"]
    assert one["RK4"].calls == ()
    assert one["RK4"].bed == ()


@pytest.mark.parametrize("top", [1, 2, 7, 20])
def test_few_times_leave_out_more_steps_than_there_are(top: int) -> None:
    found = compare(small(schedule=schedule.Cosine(top)), (1, 5, 12), batch=2, solvers=some(*FEW))
    fits = tuple(c for c in (1, 5, 12) if c <= top)
    assert found["Adams"].calls == fits
    assert all(math.isfinite(error) for one in found.values() for error in one.model)
    if top < 12:
        assert f"than the schedule's {top} steps" in found["Adams"].reason
    assert found["Adams"].bed_calls == (1, 5, 12)


def test_no_number_of_calls_that_the_model_has_is_an_error() -> None:
    with pytest.raises(InputError, match=r"none can be run. at 8 calls: .* the schedule's 5 steps"):
        compare(small(schedule=schedule.Cosine(5)), (8,), batch=2, solvers=some("Adams", "DDIM"))


def test_what_cannot_start_at_pure_noise_starts_on_the_fine_trajectory() -> None:
    one = model()
    assert [late(one, SOLVERS[name]) for name in FEW] == [False, False, True, True, False, False]
    visited = times(one, SOLVERS["Heun"], 8)
    assert len(visited) == 5
    assert visited[0] == pytest.approx(HIGH / (1 + HIGH), abs=1e-12)
    known = reference(one, None, 32, None, 0, 200)
    assert known.late == visited[0]
    exact = BED.flow(known.z, (0.0, 1.0), (1 - known.late, known.late))
    torch.testing.assert_close(known.late_z, exact, rtol=1e-4, atol=1e-4)
    found = compare(one, (8, 32), batch=32, solvers=some("DEIS", "Heun", "Adams"))
    assert found["DEIS"].late
    assert found["DEIS"].model[1] < 0.01
    assert not found["Adams"].late


@pytest.mark.parametrize("continuous", [True, False])
def test_where_the_schedule_begins_with_signal_nobody_is_late(continuous: bool) -> None:
    own = time.Continuous() if continuous else time.Discrete()
    one = small(schedule=schedule.Linear(100, 0.9999, 0.95), time=own)
    assert not any(late(one, sampler) for sampler in SOLVERS.values())
    assert times(one, SOLVERS["Heun"], 8)[0] == (1.0 if continuous else 100)


def test_every_sampler_has_numbers_or_a_reason() -> None:
    found = compare(small(schedule=schedule.Flow(40)), (5, 8), batch=2)
    assert set(found) == set(SOLVERS)
    assert all(one.reason for one in found.values() if not one.calls)
    assert "draws noise" in found["SDE"].reason
    assert "draws noise" in found["Ancestral"].reason
    assert "Adaptive: steps of any length need continuous times" in found["Adaptive 0.01"].reason
    assert found["Heun"].calls == (5, 8)


def test_adaptive_steps_have_the_calls_that_they_make() -> None:
    found = compare(
        model(), (8,), batch=8, solvers=some("Adams", "Adaptive 0.01", "Adaptive 0.001")
    )
    loose, tight = found["Adaptive 0.01"], found["Adaptive 0.001"]
    assert 10 < loose.calls[0] < tight.calls[0]
    assert tight.model[0] < 0.2 * loose.model[0]
    assert loose.beds == {}


def test_every_bed_counts() -> None:
    calls, errors, order = on_laws(Adams(), (8, 16))
    assert calls == (8, 16)
    assert set(errors) == set(beds())
    assert order == pytest.approx(3, abs=0.3)
    found = Compared(bed_calls=calls, beds=errors)
    assert found.bed[1] == pytest.approx(math.prod(e[1] for e in errors.values()) ** 0.2)
    assert all(coarse > fine for coarse, fine in errors.values())
    assert mean((0.01, 1.0)) == pytest.approx(0.1)


def test_ranks_are_by_the_calls_that_all_have() -> None:
    every = {
        "a": Compared((4, 8, 16), (1.0, 0.3, 0.01)), "b": Compared((8, 16), (0.2, 0.02)),
        "c": Compared((16,), (0.005,)), "adaptive": Compared((37,), (0.001,)),
        "none": Compared(reason="of chance"),
    }  # fmt: skip
    assert list(ranked(every, (4, 8, 16))) == ["c", "a", "b", "adaptive", "none"]
    del every["c"]  # now at 8 and 16 calls: 0.003 and 0.004 in product
    assert list(ranked(every, (4, 8, 16)))[:2] == ["a", "b"]


class Both(Net):
    """Two modalities."""

    def __init__(self):
        self.picture, self.word = torch.nn.Linear(3, 3), torch.nn.Embedding(4, 4)

    def forward(self, x, y, t):
        return {"picture": self.picture(x["picture"])[None], "word": self.word(x["word"])[None]}


def test_a_joint_model_is_compared_by_its_gaussian_parts() -> None:
    w = {"picture": torch.randn(16, 3), "word": torch.randint(0, 4, (16, 2))}
    parts = {"picture": data.Identity(), "word": data.Identity()}
    one = small(
        data=data.Joint(w, batch=8, parts=parts), net=Both(),
        noise=noise.Joint({"picture": noise.Gaussian(), "word": noise.Uniform(4)}),
    )  # fmt: skip
    found = compare(one, (4, 8), batch=4, solvers=some("Adams", "DDIM", "LMS", "Heun", "RK4"))
    assert found["Adams"].calls == found["DDIM"].calls == found["LMS"].calls == (4, 8)
    assert found["Heun"].calls == ()
    assert "Heun integrates an ODE, which Joint has not" in found["Heun"].reason
    assert list(found)[-2:] == ["Heun", "RK4"]


def test_tokens_have_no_ode() -> None:
    tokens = small(
        data=data.Identity(torch.randint(0, 4, (8, 5))), noise=noise.Absorbing(5),
        net=net.Transformer(5, width=8, heads=2),
    )  # fmt: skip
    with pytest.raises(InputError, match=r"Absorbing has none.*TauLeap.*benchmarks/discrete.py"):
        compare(tokens)


def test_conditions_and_guidance_are_those_of_the_reference() -> None:
    own = data.Identity(torch.randn(16, 3), torch.arange(16) % 2 + 1, batch=8)
    one = small(data=own, net=net.MLP(3, labels=2, hidden=8), guidance=guidance.ClassifierFree())
    found = compare(one, (4, 20), y=2, batch=3, solvers=some("Adams"))
    assert found["Adams"].model[1] == pytest.approx(0, abs=1e-6)  # T = 20: the reference itself
    strong = guidance.ClassifierFree(strength=3.0)
    other = compare(one, (4,), y=2, batch=3, guidance=strong, solvers=some("Adams"))
    assert other["Adams"].model[0] != found["Adams"].model[0]


def test_a_step_may_be_several_calls() -> None:
    assert [stages(SOLVERS[name]) for name in ("Adams", "Midpoint", "RES3S", "RK4")] == [1, 2, 3, 4]

"""Unmasking in the network's order, known positions, bad input, and whole models."""

import math

import pytest
import torch

import diffusion
from diffusion import data, guidance, net, rng, sampler, schedule, time
from diffusion.errors import InputError, MismatchError
from diffusion.noise import Absorbing, Gaussian, Joint, Structured, Uniform
from diffusion.noise.fixed import Fixed
from diffusion.sampler import Confident, EntropyBound, Remask, TauLeap, Trapezoidal
from diffusion.sampler.discrete.unmask import View
from diffusion.schedule import LogLinear

from .beds import bed, chance, counted, times

UNMASKING = [Confident(), Confident(0.0, "margin"), EntropyBound(0.2)]
EVERY = [*UNMASKING, Remask(0.4), TauLeap(), Trapezoidal()]
EXACT = [
    Confident(0.0, "peak"), Confident(2.0, "margin"), Confident(0.0, "entropy"), EntropyBound(0.0),
]  # fmt: skip


@pytest.mark.parametrize("one", EXACT, ids=repr)
def test_one_token_at_a_time_is_exact_in_any_order(one):
    noise, size = Absorbing(4).bind(LogLinear()), 20_000
    law = bed(3, noise)
    error = law.variation(counted(law, noise, one, 3, size))
    assert error < chance(law.p, size) < law.variation(law.law(noise, law.oracle(noise), times(3)))


def test_an_order_that_looks_at_what_was_drawn_is_not():
    """MaskGIT's own prefers likely draws."""
    noise, size = Absorbing(4).bind(LogLinear()), 20_000
    law = bed(3, noise)
    found = counted(law, noise, Confident(0.0), 3, size)
    assert law.variation(found) > 3 * chance(law.p, size)
    entropy = float(torch.special.entr(found).sum())
    assert entropy < 0.8 * law.entropy


def view(p: list[list[float]], left: float = 1) -> View:
    """Predictions for one sample, all of whose tokens but the last are masked."""
    log_p = torch.tensor([p], dtype=torch.float64).log()
    hidden = torch.tensor([[True] * (len(p) - 1) + [False]])
    return View(log_p, log_p.argmax(-1), hidden, torch.tensor([[float(left)]]), 0.5)


TOKENS = [[0.5, 0.5, 0.0], [1.0, 0.0, 0.0], [0.9, 0.1, 0.0], [0.96, 0.02, 0.02], [1.0, 0.0, 0.0]]


def test_the_entropy_bound_is_kept_and_used_up():
    entropies = sorted(-sum(v * math.log(v) for v in p if v > 0) for p in TOKENS[:-1])
    for bound in (0.0, 0.1, 0.25, 0.6, 2.0):
        shown = EntropyBound(bound).reveal(view(TOKENS), None)[0, :-1]
        count = int(shown.sum())
        # Those of least entropy: the first `count` of 0, 0.19, 0.33, 0.69 nats.
        assert shown.tolist() == [i in [1, 3, 2, 0][:count] for i in range(4)]
        assert sum(entropies[: count - 1]) <= bound
        assert count == 4 or sum(entropies[:count]) > bound


def test_the_last_step_reveals_what_is_left():
    assert EntropyBound(0.0).reveal(view(TOKENS, left=0), None)[0, :-1].all()
    # Before it, what is certain and one more.
    assert EntropyBound(0.0).reveal(view(TOKENS, left=0.1), None)[0, :-1].sum() == 2


@pytest.mark.parametrize(
    ("order", "first"), [("drawn", 1), ("peak", 1), ("margin", 1), ("entropy", 1)]
)
def test_the_surest_comes_first(order, first):
    one = Confident(0.0, order)
    assert one.reveal(view(TOKENS, left=3), None)[0, :-1].nonzero().tolist() == [[first]]
    assert one.reveal(view(TOKENS, left=2), None)[0, :-1].tolist() == [False, True, False, True]


def test_peak_margin_and_entropy_differ():
    """0.5 beside 0.5 has a small margin; 0.4 beside six of 0.1 has a large entropy."""
    p = [[0.5, 0.5, 0, 0, 0, 0, 0], [0.4, *[0.1] * 6], [1.0, 0, 0, 0, 0, 0, 0]]
    found = {o: Confident(0.0, o).reveal(view(p), None)[0, :2].tolist() for o in
             ("drawn", "peak", "margin", "entropy")}  # fmt: skip
    assert found == {
        "drawn": [True, False], "peak": [True, False], "margin": [False, True],
        "entropy": [True, False],
    }  # fmt: skip


def test_as_many_tokens_as_the_schedule_asks_for():
    noise = Absorbing(4).bind(LogLinear())
    z, draws = torch.full((5, 2, 6), 3), rng.samples(0, 5)
    predict = lambda z, y, t: torch.zeros(1, *z.shape, 4)  # noqa: E731
    states = list(Confident()(noise, predict, z, None, times(4), draws))
    assert [(z == 3).flatten(1).sum(1).tolist() for z in states] == [[n] * 5 for n in (9, 6, 3, 0)]


def test_the_network_is_not_called_once_all_is_known():
    noise = Absorbing(3).bind(LogLinear())
    law = bed(3, noise)
    oracle, calls = law.oracle(noise), []

    def predict(z, y, t):
        calls.append(t)
        return oracle(z, y, t)

    z = torch.full((50, 3), 2)
    states = list(EntropyBound(9.0)(noise, predict, z, None, times(7), rng.generator(0)))
    assert calls == [1.0]  # log 2 nats for each token: all fit
    assert len(states) == 7
    assert (states[0] != 2).all()
    assert all(torch.equal(states[0], state) for state in states)
    calls.clear()
    *_, last = EntropyBound(0.0)(noise, predict, z, None, times(7), rng.generator(0))
    assert len(calls) == 3
    assert (last != 2).all()


@pytest.mark.parametrize("one", EVERY, ids=repr)
@pytest.mark.parametrize("onehot", [False, True], ids=["ids", "onehot"])
def test_known_positions_stay_and_the_rest_is_conditional(one, onehot):
    """The law of the free tokens given the known one, where that is exact: for absorbing noise."""
    noise = Absorbing(3).bind(LogLinear())
    law, size = bed(2, noise), 2000
    known = torch.tensor([[1, 0]]).expand(size, 2)
    kept = torch.tensor([[True, False]]).expand(size, 2)
    eye, draws = torch.eye(3, dtype=torch.float64), rng.generator(0)
    x, mask = (eye[known], kept.unsqueeze(-1).expand(size, 2, 3)) if onehot else (known, kept)
    fixed = Fixed(noise, x, mask)
    start, oracle = torch.full((size, 2), 2), law.oracle(noise)
    z = fixed.keep(eye[start] if onehot else start, 1.0, draws)

    def predict(z, y, t):  # at t = 1 a known token has probability 0, and tells the oracle nothing
        return oracle(z, y, min(t, 0.99))

    tokens = start
    for state in one(fixed, predict, z, None, times(5), draws):
        assert state.dtype == z.dtype
        tokens = state.argmax(-1) if onehot else state
        assert (tokens[:, 0] == 1).all()
        if one in UNMASKING or isinstance(one, (TauLeap, Trapezoidal)):
            before = z.argmax(-1) if onehot else z
            assert ((tokens == before) | (before == 2)).all()  # what is revealed stays
        z = state
    share = float((tokens[:, 1] == 0).double().mean())
    exact = float(law.p[1, 0] / law.p[1].sum())
    # One token is left, which is drawn alone: only chance remains, 4.5 standard errors.
    assert share == pytest.approx(exact, abs=4.5 * (exact * (1 - exact) / size) ** 0.5)


@pytest.mark.parametrize("one", [TauLeap(), Trapezoidal()], ids=repr)
def test_known_positions_under_uniform_noise(one):
    noise = Uniform(3).bind(LogLinear())
    law, draws = bed(2, noise), rng.samples(1, 300)
    x = torch.tensor([[1, 0]]).expand(300, 2)
    fixed = Fixed(noise, x, torch.tensor([[True, False]]).expand(300, 2))
    z = fixed.keep(noise.stationary((300, 2)).sample(draws)[0], 1.0, draws)
    states = list(one(fixed, law.oracle(noise), z, None, times(6), draws))
    assert (states[-1][:, 0] == 1).all()
    assert not (states[0][:, 0] == 1).all()  # known, but noised
    assert len(set(states[-1][:, 1].tolist())) > 1


def model(kind, discrete: bool = False, **options) -> diffusion.Model:
    torch.manual_seed(0)
    return diffusion.Model(
        data.Identity(torch.randint(4, (16, 6)), batch=8), schedule.LogLinear(20), kind,
        net.Transformer(5, width=8, heads=2), time=time.Discrete() if discrete else
        time.Continuous(), **options,
    )  # fmt: skip


@pytest.mark.parametrize("one", EVERY, ids=repr)
@pytest.mark.parametrize("discrete", [False, True], ids=["continuous", "discrete"])
def test_models_sample_with_them(one, discrete):
    """Guided, seeded, sample by sample, and with positions kept."""
    trained = model(Absorbing(5), discrete, guidance=guidance.Temperature(0.8))
    options = {"steps": 8, "sampler": one, "seed": 3}
    w = trained.sample(batch=5, **options)
    assert (w < 4).all()
    assert torch.equal(trained.sample(batch=2, **options), w[:2])
    mask = torch.arange(6) < 2
    kept = trained.sample(known=w, mask=mask.expand(5, 6), steps=8, sampler=one, seed=4)
    assert torch.equal(kept[:, :2], w[:, :2])
    assert not torch.equal(kept, w)


def test_the_second_call_is_where_theta_says():
    asked = []
    noise = Uniform(5).bind(LogLinear(20))

    def predict(z, y, t):
        asked.append(t)
        return torch.zeros(1, *z.shape, 5)

    z = torch.zeros(2, 3, dtype=torch.long)
    list(Trapezoidal(0.25)(noise, predict, z, None, [1.0, 0.6, 0.0], rng.generator(0)))
    assert asked == pytest.approx([1.0, 0.9, 0.6, 0.45])
    asked.clear()
    list(Trapezoidal(0.25)(noise, predict, z, None, [20, 10, 8, 7, 0], rng.generator(0)))
    assert asked == [20, 18, 10, 9, 8, 7, 5]  # between 8 and 7 there is no step


@pytest.mark.parametrize("one", EVERY, ids=repr)
def test_another_noise_is_an_error_that_says_what_to_use(one):
    joint = Joint({"a": Absorbing(3), "b": Gaussian()})
    for other in (Gaussian(), Structured.gaussian(4), joint):
        reason = one.fits(other)
        assert reason is not None
        assert type(one).__name__ in reason
        assert type(other).__name__ in reason
        assert "sampler=Ancestral()" in reason
    unmasks = one in UNMASKING or isinstance(one, Remask)
    assert (one.fits(Uniform(3)) is not None) == unmasks
    assert one.fits(Absorbing(3)) is None
    if unmasks:
        with pytest.raises(MismatchError, match="unmasks tokens, and Uniform has no mask"):
            model(Uniform(5)).sample(batch=1, steps=2, sampler=one)


def test_wrong_settings_are_errors():
    for make, message in (
        (lambda: Trapezoidal(1.0), r"Trapezoidal.theta: expected a number in \(0, 1\); got 1.0"),
        (lambda: Confident(order="sure"), r"Confident.order: expected one of drawn, peak"),
        (lambda: Confident(-1.0), r"Confident.scatter"),
        (lambda: EntropyBound(-0.1), r"EntropyBound.bound: expected a number >= 0"),
        (lambda: Remask(1.5), r"Remask.strength"),
        (lambda: Remask(0.5, "loop"), r"Remask.how: expected one of cap, rescale"),
    ):
        with pytest.raises(InputError, match=message):
            make()


def test_they_are_in_the_catalogue():
    assert sampler.TauLeap is TauLeap
    assert {"Confident", "EntropyBound", "Remask", "Trapezoidal"} <= set(sampler.__all__)

"""Guidance around guidance, thresholds, and several in a row."""

import pytest
import torch
from torch import nn

from diffusion import noise, schedule
from diffusion.errors import InputError
from diffusion.guidance import (
    Auto,
    Classifier,
    ClassifierFree,
    Compose,
    Interval,
    Nucleus,
    Observe,
    PlusPlus,
    Project,
    Rescale,
    Threshold,
)
from diffusion.noise.split import Split

from .bed import BED, CLOSE, Oracle, Posterior, Y, Z, asked, bound

T = 40
FREE = ClassifierFree(strength=2.0)


def test_an_interval_that_is_everything_is_the_inner_guidance() -> None:
    process = bound()
    predict = BED.oracle(process)
    for t in (0.01, 40, 1.0, torch.full((6,), T)):
        inner, whole = (one(predict, process)(Z, Y, t) for one in (FREE, Interval(FREE)))
        torch.testing.assert_close(whole, inner, **CLOSE)


@pytest.mark.parametrize("scale", [1, 0.01], ids=["index", "float"])
def test_outside_the_interval_only_the_plain_prediction_is_asked_for(scale: float) -> None:
    process = bound()
    predict, sizes = asked(BED.oracle(process))
    guided = Interval(FREE, 0.3, 0.6)(predict, process)
    times = [round(t * scale, 2) if scale != 1 else t for t in (70, 60, 45, 30, 20)]
    found = [guided(Z, Y, t) for t in times]
    assert sizes == [6, 12, 12, 12, 6]  # both ends belong to it
    for t, hat in zip(times, found, strict=True):
        chosen = FREE(predict, process) if 0.3 <= t / (100 * scale) <= 0.6 else predict
        torch.testing.assert_close(hat, chosen(Z, Y, t), **CLOSE)


@pytest.mark.parametrize("inner", [FREE, PlusPlus(0.5)], ids=repr)
def test_times_of_a_tensor_are_chosen_sample_by_sample(inner) -> None:
    process = bound()
    predict = BED.oracle(process)
    rows = torch.tensor([10, 40, 90, 35, 61, 60])
    hat = Interval(inner, 0.3, 0.6)(predict, process)(Z, Y, rows)
    inside = torch.tensor([False, True, False, True, False, True])
    guided, plain = inner(predict, process)(Z, Y, rows), predict(Z, Y, rows)
    for of in ("x", "epsilon") if isinstance(hat, Split) else ("",):
        mixed, one = (getattr(v, of) if of else v for v in (hat, guided))
        torch.testing.assert_close(mixed[:, inside], one[:, inside], **CLOSE)
        torch.testing.assert_close(mixed[:, ~inside], plain[:, ~inside], **CLOSE)


def test_modalities_count_by_the_noisiest_and_parts_of_time_by_their_step() -> None:
    joint = noise.Joint({"a": noise.Gaussian("x"), "b": noise.Gaussian("x")})
    process = joint.bind(schedule.Flow(100))

    def predict(z, y, t):
        return {key: (value * (1 + y[:, None]))[None] for key, value in z.items()}

    z, guided = {"a": Z, "b": Z}, Interval(FREE, 0.3, 0.6)(predict, process)
    for t, inside in (({"a": 0, "b": 50}, True), ({"a": 50, "b": 70}, False), (50, True)):
        chosen = FREE(predict, process) if inside else predict
        torch.testing.assert_close(guided(z, Y, t), chosen(z, Y, t))
    rows = {"a": torch.full((6,), 50), "b": torch.tensor([70, 0, 0, 0, 0, 0])}
    first = guided(z, Y, rows)["a"][0]
    torch.testing.assert_close(first[0], predict(z, Y, 50)["a"][0, 0])
    torch.testing.assert_close(first[1:], FREE(predict, process)(z, Y, 50)["a"][0, 1:])


@pytest.mark.parametrize("parameter", ["x", "v", "velocity"])
def test_rescaling_keeps_the_spread_of_the_plain_x_in_one_call(parameter: str) -> None:
    process = bound(parameter)
    predict, sizes = asked(BED.oracle(process))

    def spread(hat):
        return process.predict(Z, T, hat).std(1, correction=0)

    found = [Rescale(FREE, amount)(predict, process)(Z, Y, T) for amount in (0.0, 0.4, 1.0)]
    assert sizes == [12, 12, 12]
    guided, plain = FREE(predict, process)(Z, Y, T), predict(Z, Y, T)
    torch.testing.assert_close(found[0], guided, **CLOSE)
    torch.testing.assert_close(spread(found[2]), spread(plain), **CLOSE)
    x = process.predict(Z, T, guided)
    ratio = (spread(plain) / spread(guided)).unsqueeze(1)
    torch.testing.assert_close(process.predict(Z, T, found[1]), x * (0.6 + 0.4 * ratio), **CLOSE)


def test_rescaling_asks_for_the_plain_prediction_where_the_guidance_does_not() -> None:
    process = bound()
    predict, sizes = asked(BED.oracle(process))
    blind = Classifier(Posterior(), 2.0, blind=True)
    hat = Rescale(blind, 1.0)(predict, process)(Z, Y, T)
    assert sizes == [6, 6]
    spreads = [process.predict(Z, T, v).std(1) for v in (hat, predict(Z, Y, T))]
    torch.testing.assert_close(*spreads, **CLOSE)


def test_a_threshold_keeps_x_in_the_range_of_data_and_z_as_it_is() -> None:
    process = bound("v")
    predict = BED.oracle(process)
    x = process.predict(Z, T, predict(Z, Y, T))
    limit = float(x.abs().max()) / 2
    for one in (Threshold("static", limit=limit), Threshold(quantile=0.9, limit=limit)):
        hat = one(predict, process)(Z, Y, T)
        clipped = process.predict(Z, T, hat)
        assert float(clipped.abs().max()) == pytest.approx(limit)
        epsilon = process.predict_epsilon(Z, T, hat)
        torch.testing.assert_close(0.6 * clipped + 0.4 * epsilon, Z, **CLOSE)
    torch.testing.assert_close(
        process.predict(Z, T, Threshold("static", limit=limit)(predict, process)(Z, Y, T)),
        x.clamp(-limit, limit), **CLOSE,
    )  # fmt: skip
    wide = Threshold(limit=10.0)(predict, process)(Z, Y, T)
    torch.testing.assert_close(wide, predict(Z, Y, T), **CLOSE)


def test_the_dynamic_threshold_scales_each_sample_by_its_own_quantile() -> None:
    process = bound("x")
    x = torch.tensor([[0.1, -0.2, 3.0, 1.0], [0.5, -0.5, 0.2, 0.1]]).double()
    guided = Threshold(quantile=0.75)(lambda z, y, t: x[None], process)
    expected = torch.tensor([[0.1, -0.2, 1.0, 1.0], [0.5, -0.5, 0.2, 0.1]]).double()
    torch.testing.assert_close(guided(x, None, T)[0], expected, **CLOSE)
    hat = Threshold(quantile=1.0)(lambda z, y, t: x[None], process)(x, None, T)[0]
    torch.testing.assert_close(hat[0], x[0] / 3, **CLOSE)


def test_a_row_of_guidances_is_applied_left_to_right() -> None:
    process = bound("x")
    predict = BED.oracle(process)
    row = FREE | Threshold("static", limit=0.3)
    hat = row(predict, process)(Z, Y, T)
    torch.testing.assert_close(hat, FREE(predict, process)(Z, Y, T).clamp(-0.3, 0.3), **CLOSE)
    three = row | Rescale(FREE)
    assert len(three.parts) == 3
    assert three.conditional
    assert not (Threshold() | Threshold()).conditional


SPLITS = [FREE, PlusPlus(), Project(2.0), Threshold(limit=0.2), Rescale(FREE), Interval(FREE),
          Compose((2.0,)), Classifier(Posterior()), Observe(lambda x: x[:, :1], torch.ones(1)),
          Auto(Oracle(bound()), 1.0)]  # fmt: skip


@pytest.mark.parametrize("after", SPLITS, ids=lambda one: type(one).__name__)
def test_every_guidance_takes_predictions_that_are_split(after) -> None:
    """What it changes of x; epsilon keeps coming from the unconditional prediction."""
    process = bound()
    predict = BED.oracle(process)
    split = (PlusPlus() | after)(predict, process)(Z, Y, T)
    assert isinstance(split, Split)
    assert split.x.shape == split.epsilon.shape == (1, 6, 2)
    law = process.step(Z, T, 20, split)
    assert law.mu.isfinite().all()


def test_a_learned_variance_stays_that_of_the_conditional_prediction() -> None:
    process = noise.Gaussian("v", "range").bind(schedule.Cosine(100))

    def predict(z, y, t):
        return torch.stack([z + z.roll(1, 1) * y[:, None], z.sin() * y[:, None]])

    plain = predict(Z, Y, T)
    for one in (FREE, PlusPlus(), Project(2.0), Threshold(limit=0.2), Compose((2.0,))):
        hat = one(predict, process)(Z, Y, T)
        hat = hat.x if isinstance(hat, Split) else hat
        torch.testing.assert_close(hat[1], plain[1])
        assert not torch.allclose(hat[0], plain[0])


def test_wrong_arguments_are_errors() -> None:
    with pytest.raises(InputError, match=r"Interval: expected 0 <= low <= high <= 1"):
        Interval(FREE, 0.6, 0.3)
    with pytest.raises(InputError, match=r"Rescale.guidance: expected a guidance"):
        Rescale(0.7)
    for one in (Compose((1.0, 2.0)), FREE | Compose((1.0,))):
        with pytest.raises(InputError, match=r"expected a guidance of one condition.*right of"):
            Interval(one)
    with pytest.raises(InputError, match=r"Threshold.mode.*Did you mean 'static'"):
        Threshold("statics")
    with pytest.raises(InputError, match=r"Project.norm: expected a number > 0, or None; got 0"):
        Project(norm=0)
    with pytest.raises(InputError, match=r"Auto.net: expected a network"):
        Auto(lambda z, y, t: z)
    process = bound()
    with pytest.raises(InputError, match=r"expected 2 conditions for each sample.*got \[6\]"):
        Compose((1.0, 1.0))(BED.oracle(process), process)(Z, Y, T)
    guided = Classifier(Posterior())(lambda z, y, t: z[None], process)
    with pytest.raises(InputError, match=r"Classifier: expected class ids y \[b\]"):
        guided(Z, Y.double(), T)
    assert "Nucleus" in Nucleus(0.5).fits(noise.Gaussian())


BAD = [
    (lambda: Compose("ab"), r"Compose.weights: expected a finite number for each.*got 'ab'"),
    (lambda: Compose((float("nan"),)), r"Compose.weights: expected a finite number.*got \(nan,\)"),
    (lambda: Compose(()), r"Compose.weights: expected a finite number for each.*got \(\)"),
    (lambda: Compose(1.5), r"Compose.weights: expected a finite number for each.*got 1.5"),
    (lambda: Compose((1.0,), dropout="1"), r"Compose.dropout: expected 0 to 1; got '1'"),
    (lambda: FREE | 3, r"guidance \| guidance: expected a guidance; got 3"),
    (lambda: FREE | ClassifierFree, r"got the class ClassifierFree \(call it\)"),
    (lambda: FREE | None, r"expected a guidance; got None"),
    (lambda: ClassifierFree(strength="2"), r"ClassifierFree.strength: expected >= 0; got '2'"),
    (lambda: ClassifierFree(strength=float("inf")), r"ClassifierFree.strength: .*got inf"),
    (lambda: ClassifierFree(dropout=None), r"ClassifierFree.dropout: expected 0 to 1; got None"),
    (lambda: Interval(FREE, "0.2"), r"Interval.low: expected 0 to 1; got '0.2'"),
    (lambda: Rescale(FREE, "all"), r"Rescale.amount: expected 0 to 1; got 'all'"),
    (lambda: Project("2"), r"Project.strength: expected >= 0; got '2'"),
    (lambda: Project(momentum=1), r"Project.momentum: expected less than 1 in size; got 1"),
    (lambda: Project(momentum=float("nan")), r"Project.momentum: expected -1 to 1; got nan"),
    (lambda: Project(norm="a"), r"Project.norm: expected a number > 0, or None; got 'a'"),
    (lambda: Auto(nn.Linear(1, 1), [1]), r"Auto.strength: expected >= 0; got \[1\]"),
    (lambda: Classifier(nn.Linear(1, 1), -1), r"Classifier.strength: expected >= 0; got -1"),
    (lambda: PlusPlus("x"), r"PlusPlus.scale: expected >= 0; got 'x'"),
    (lambda: Threshold(quantile=True), r"Threshold.quantile: expected 0 to 1; got True"),
    (lambda: Threshold(limit="1"), r"Threshold.limit: expected a number > 0; got '1'"),
    (lambda: Nucleus("0.9"), r"Nucleus.mass: expected a number in \(0, 1\]; got '0.9'"),
    (lambda: Observe(len, [1.0]), r"Observe.y: expected what the operator makes.*got \[1.0\]"),
    (lambda: Observe(len, torch.ones(1), "0.1"), r"Observe.noise: expected a standard deviation"),
    (lambda: Observe(len, torch.ones(1), iterations=2.5), r"Observe.iterations: .*got 2.5"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "match"), BAD, ids=[match for _, match in BAD])
def test_arguments_of_the_wrong_kind_are_explained(make, match: str) -> None:
    with pytest.raises(InputError, match=match):
        make()

"""What every network promises, on one small network of each kind."""

import copy
import threading

import pytest
import torch
from torch import nn

from diffusion.component import arguments

from .cases import CASES, LABELS, VECTOR, labels, perturb, times

pytestmark = pytest.mark.parametrize("name", CASES)


@pytest.mark.parametrize("parameters", [1, 3])
def test_output_starts_at_zero_with_parameters_first(name, parameters):
    case = CASES[name]
    net = case.make(labels=LABELS, parameters=parameters)
    hat = net(case.x(), labels(), times())
    assert hat.shape == (parameters, 4, *case.hat)
    assert hat.abs().max() == 0
    assert (net.labels, net.outputs) == (LABELS, parameters)
    assert perturb(net)(case.x(), labels(), times()).abs().min(0).values.max() > 0


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_precisions(name, dtype):
    case = CASES[name]
    net = perturb(case.make(labels=LABELS, condition=VECTOR))
    x, y, t = case.x(), labels(), times()
    reference = net(x, y, t)
    net, cast = net.to(dtype), x if case.ids else x.to(dtype)
    hat = net(cast, y, t)
    assert hat.dtype == dtype
    scale = 1e-5 if dtype == torch.float64 else 0.05
    assert (hat - reference).abs().max() < scale * reference.abs().max()
    assert net(cast, torch.randn(4, VECTOR).to(dtype), t / 1000).dtype == dtype


def test_autocast(name):
    case = CASES[name]
    net = perturb(case.make(labels=LABELS))
    reference = net(case.x(), labels(), times())
    with torch.autocast("cpu", torch.bfloat16):
        hat = net(case.x(), labels(), times())
    assert (hat - reference).abs().max() < 0.05 * reference.abs().max()


def test_dry_run_on_meta_tensors(name):
    case = CASES[name]
    net = case.make(labels=LABELS, condition=VECTOR)
    ghost = {key: value.to("meta") for key, value in net.state_dict(keep_vars=True).items()}
    for y in (labels(), torch.randn(4, VECTOR), None):
        inputs = (case.x().to("meta"), None if y is None else y.to("meta"), times().to("meta"))
        hat = torch.func.functional_call(net, ghost, inputs)
        assert hat.device.type == "meta"
        assert hat.shape == (1, 4, *case.hat)
    assert net(case.x(), labels(), times()).shape == hat.shape


def test_samples_do_not_depend_on_their_batch(name):
    case = CASES[name]
    net = perturb(case.make(labels=LABELS)).double()
    x, y, t = case.x(), labels(), times()
    x = x if case.ids else x.double()
    whole = net(x, y, t)
    for i in range(4):
        alone = net(x[i : i + 1], y[i : i + 1], t[i : i + 1])
        torch.testing.assert_close(alone, whole[:, i : i + 1], rtol=0, atol=1e-11)
    torch.testing.assert_close(net(x.flip(0), y.flip(0), t.flip(0)), whole.flip(1))


def test_one_time_or_condition_serves_the_batch(name):
    case = CASES[name]
    net = perturb(case.make(labels=LABELS, condition=VECTOR))
    one, vector = times(1), torch.randn(1, VECTOR)
    every, vectors = one.expand(4), vector.expand(4, -1)
    torch.testing.assert_close(net(case.x(), vector, one), net(case.x(), vectors, every))
    ids = labels()[1:2]
    torch.testing.assert_close(net(case.x(), ids, one), net(case.x(), ids.expand(4), every))


def test_dropout_only_while_training(name):
    case = CASES[name]
    if name == "mlp":
        net = perturb(case.make(labels=LABELS))
        assert torch.equal(*(net.train(m)(case.x(), labels(), times()) for m in (True, False)))
        return
    net = perturb(case.make(labels=LABELS, dropout=0.5))
    first, second = (net(case.x(), labels(), times()) for _ in range(2))
    assert torch.equal(first, second)
    net.train()
    first, second = (net(case.x(), labels(), times()) for _ in range(2))
    assert not torch.allclose(first, second)


def test_gradients_reach_every_parameter(name):
    case = CASES[name]
    for options, y in (
        ({"labels": LABELS}, labels()),
        ({"condition": VECTOR}, torch.ones(4, VECTOR)),
    ):
        net = perturb(case.make(parameters=2, **options)).train()
        net(case.x(), y, times()).square().sum().backward()
        without = [key for key, value in net.named_parameters() if not value.grad.any()]
        assert not without


def test_gradients_reach_the_input(name):
    case = CASES[name]
    x = nn.functional.one_hot(case.x(), case.ids).float() if case.ids else case.x()
    x.requires_grad_()
    perturb(case.make())(x, None, times()).square().sum().backward()
    assert x.grad.abs().flatten(1).amax(1).min() > 0


def test_conditions_and_times_matter(name):
    case = CASES[name]
    net = perturb(case.make(labels=LABELS, condition=VECTOR))
    x, y, t = case.x(), labels(), times()
    given = net(x, y, t)
    changed = (given - net(x, (y + 1) % (LABELS + 1), t)).abs().flatten(2).amax(2)
    assert changed.min() > 1e-3
    assert (given - net(x, y, t + 1)).abs().flatten(2).amax(2).min() > 1e-4
    vector = torch.randn(4, VECTOR)
    assert (net(x, vector, t) - net(x, -vector, t)).abs().flatten(2).amax(2).min() > 1e-3


def test_no_condition_is_the_null_condition(name):
    case = CASES[name]
    x, t = case.x(), times()
    net = perturb(case.make(labels=LABELS))
    assert torch.allclose(net(x, None, t), net(x, torch.zeros(4, dtype=torch.long), t))
    net = perturb(case.make(condition=VECTOR))
    torch.testing.assert_close(net(x, None, t), net(x, torch.zeros(4, VECTOR), t))
    net = perturb(case.make())
    assert torch.equal(net(x, None, t), net(x, labels(), t))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.int64])
def test_labels_of_any_integer_type(name, dtype):
    case = CASES[name]
    net = perturb(case.make(labels=LABELS))
    expected = net(case.x(), labels(), times())
    assert torch.equal(net(case.x(), labels().to(dtype), times().to(torch.int32)), expected)


def test_steps_of_a_thousand_mean_what_floats_mean(name):
    case = CASES[name]
    net = perturb(case.make())
    steps = net(case.x(), None, times())
    torch.testing.assert_close(net(case.x(), None, times() / 1000), steps, rtol=1e-3, atol=1e-3)
    exact = net(case.x(), None, times().double() / 1000)
    torch.testing.assert_close(exact, steps, rtol=1e-3, atol=1e-3)


def test_configuration_rebuilds_the_net(name):
    case = CASES[name]
    torch.manual_seed(0)
    net = case.make(labels=LABELS, parameters=2)
    config = arguments(net)
    assert config["labels"] == LABELS
    assert config["parameters"] == 2
    torch.manual_seed(0)
    again = type(net)(**config)
    assert arguments(again) == config
    assert repr(again) == repr(net)
    assert all(map(torch.equal, net.parameters(), again.parameters()))


def test_copies_and_state(name):
    case = CASES[name]
    net = perturb(case.make(labels=LABELS))
    expected = net(case.x(), labels(), times())
    twin = copy.deepcopy(net)
    assert torch.equal(twin(case.x(), labels(), times()), expected)
    other = case.make(labels=LABELS).eval()
    other.load_state_dict(net.state_dict())
    assert torch.equal(other(case.x(), labels(), times()), expected)
    perturb(twin, seed=1)
    assert torch.equal(net(case.x(), labels(), times()), expected)
    assert set(net.state_dict()) == {key for key, _ in net.named_parameters()}


def test_made_on_meta_then_reset(name):
    case = CASES[name]
    with torch.device("meta"):
        net = case.make(labels=LABELS)
    net = net.to_empty(device="cpu")
    with torch.no_grad():
        for value in net.parameters():
            value.fill_(torch.nan)
    for module in net.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    assert all(value.isfinite().all() for value in net.parameters())
    assert net(case.x(), labels(), times()).abs().max() == 0


def test_threads_share_a_net(name):
    case = CASES[name]
    net = perturb(case.make(labels=LABELS))
    sizes = [1, 2, 3, 4] * 3
    expected = {b: net(case.x(b), labels(b), times(b)) for b in set(sizes)}
    found = []

    def work(b):
        with torch.no_grad():
            found.append((b, net(case.x(b), labels(b), times(b))))

    threads = [threading.Thread(target=work, args=(b,)) for b in sizes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == len(sizes)
    assert all(torch.allclose(hat, expected[b], atol=1e-6) for b, hat in found)


def test_inference_mode_leaves_nothing_behind(name):
    case = CASES[name]
    net = perturb(case.make())
    with torch.inference_mode():
        net(case.x(), None, times())
    net(case.x(), None, times()).sum().backward()
    assert all(value.grad is not None for value in net.parameters())


def test_forward_derivatives_on_the_math_kernel(name):
    case = CASES[name]
    net = perturb(case.make())
    with nn.attention.sdpa_kernel(nn.attention.SDPBackend.MATH):
        t = times() / 1000
        _, rate = torch.func.jvp(lambda u: net(case.x(), None, u), (t,), (torch.ones(4),))
    assert rate.isfinite().all()
    assert rate.abs().max() > 0


def test_initialisation_follows_the_global_seed_alone(name):
    def made(seed):
        torch.manual_seed(seed)
        return torch.cat([p.detach().flatten() for p in CASES[name].make(labels=2).parameters()])

    first, again, other = made(0), made(0), made(1)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)

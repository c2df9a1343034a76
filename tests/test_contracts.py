"""Contracts 3 to 7 of the design; 1 and 2 are in test_tutorial.py."""

import time as clock

import pytest
import torch
from torch import Tensor, nn

import diffusion
from diffusion import data, guidance, loss, noise, rng, sampler, schedule, time
from diffusion.base import Net
from diffusion.errors import MismatchError
from diffusion.loss.algebra import measured

from .tutorial import Perceptron
from .tutorial import Simple as TutorialSimple


class Labelled(Net):
    """A net with labels, dropout and a batch norm: everything sampling could disturb."""

    size: int = 2
    labels: int = 3
    outputs: int = 1

    def __post_init__(self) -> None:
        self.layers = nn.Sequential(
            nn.Linear(self.size + self.labels + 2, 32), nn.BatchNorm1d(32), nn.SiLU(),
            nn.Dropout(0.2), nn.Linear(32, self.outputs * self.size),
        )  # fmt: skip

    def forward(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        u = (t if t.is_floating_point() else t / 100).to(x.dtype)[:, None]
        label = nn.functional.one_hot(y, self.labels + 1).to(x.dtype)
        out = self.layers(torch.cat([x, label, u], 1))
        return out.reshape(len(x), self.outputs, self.size).transpose(0, 1)


def model(**modules: object) -> diffusion.Model:
    torch.manual_seed(0)
    w, y = torch.randn(64, 2), torch.randint(1, 4, (64,))
    own: dict = {
        "data": data.Identity(w, y, batch=16, shuffle=True),
        "schedule": schedule.Linear(100, 0.9999, 0.9),
        "noise": noise.Gaussian(parameter="epsilon"),
        "net": Labelled(),
        "loss": loss.Simple("epsilon"),
        "guidance": guidance.ClassifierFree(dropout=0.3, strength=1.0),
    }
    return diffusion.Model(**{**own, **modules})


# 3. Sampling in the middle of training changes nothing in training


def test_sampling_between_epochs_changes_nothing() -> None:
    quiet, busy = model(ema=0.9), model(ema=0.9)
    labels = busy.data.y.clone()
    plain = [*quiet.train(4)]
    watched = []
    for value in busy.train(4):
        watched.append(value)
        busy.sample(y=[1, 2, 3], steps=5)
        busy.nll(busy.data.w[:4], busy.data.y[:4], steps=5)
        next(iter(busy.stream(batch=2, steps=3)))
        torch.randn(7)
    assert plain == watched
    for a, b in zip(quiet.parts.parameters(), busy.parts.parameters(), strict=True):
        assert torch.equal(a, b)
    assert torch.equal(labels, busy.data.y)


def test_modes_and_generators_are_put_back() -> None:
    one = model()
    one.net.eval()
    one.net.layers[3].train()
    modes = [m.training for m in one.net.modules()]
    state = torch.get_rng_state()
    [*one.train(1)]
    assert [m.training for m in one.net.modules()] == modes
    assert torch.equal(torch.get_rng_state(), state)
    one.sample(batch=2, steps=4, seed=0)
    assert [m.training for m in one.net.modules()] == modes
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.is_grad_enabled()
    states = one.stream(batch=2, steps=4, seed=0)
    next(states)
    assert torch.is_grad_enabled()


def test_label_dropout_is_bernoulli_per_sample_on_a_copy() -> None:
    y = torch.ones(20_000, dtype=torch.long)
    one = model(data=data.Identity(torch.randn(20_000, 2), y, batch=20_000))
    batch = one.batch(one.data.w, y)
    kept = float((batch.y == 1).float().mean())
    assert abs(kept - 0.7) < 5 * (0.3 * 0.7 / 20_000) ** 0.5
    assert bool((y == 1).all())


# 4. A mismatch is an error when the model is built


@pytest.mark.parametrize(
    ("modules", "words"),
    [
        ({"noise": noise.Gaussian(parameter="x")}, r"predicts x.*Use Gaussian\(parameter='epsilon"),
        ({"noise": noise.Uniform(3)}, "Simple is for Gaussian noise.*CrossEntropy"),
        ({"loss": loss.CrossEntropy()}, "CrossEntropy is for categorical noise"),
        ({"data": data.Identity(torch.randn(8, 2))}, "needs conditions"),
        ({"net": Perceptron(2), "data": data.Identity(torch.randn(8, 2))}, "needs conditions"),
        ({"net": Labelled(labels=2)}, "labels must be 0 .* to 2 .*span 1 to 3"),
        ({"net": Labelled(labels=0)}, "Make it Labelled\\(..., labels=3\\)"),
        ({"noise": noise.Gaussian("epsilon", variance="range")}, "2 or more, 2, 2.*returned"),
        ({"loss": loss.Simple("epsilon") + loss.VLB(), "noise": noise.Gaussian("epsilon", eta=0.0)},
         "eta > 0"),
        ({"noise": noise.Joint({"a": noise.Gaussian()})}, "loss.Joint"),
    ],
)  # fmt: skip
def test_misfits_are_named_when_the_model_is_built(modules: dict, words: str) -> None:
    with pytest.raises(MismatchError, match=words):
        model(**modules)


def test_a_wrong_output_shape_is_found_by_a_dry_run() -> None:
    class Flat(Net):
        def forward(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
            return x  # forgot the first axis

    with pytest.raises(
        MismatchError, match=r"Flat must return \[p, b, \.\.\.\] = \[1 or more, 2, 2\]"
    ):
        model(net=Flat(), guidance=None)


def test_the_dry_run_costs_nothing_on_meta_and_falls_back() -> None:
    class Reads(Labelled):
        def forward(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
            assert float(x.abs().sum()) >= 0  # reads values: impossible on meta
            return super().forward(x, y, t)

    model(net=Reads())


# 5. Precisions, sizes, devices, seeds


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float32])
def test_every_precision_trains_and_samples(dtype: torch.dtype) -> None:
    for kind, part in (
        (noise.Gaussian("epsilon"), loss.Simple() + 0.001 * loss.VLB()),
        (noise.Gaussian("v"), loss.Simple()),
    ):
        one = model(net=Labelled().to(dtype), noise=kind, loss=part)
        assert all(torch.isfinite(torch.tensor([*one.train(1)])))
        out = one.sample(batch=3, steps=5, seed=1)
        assert out.dtype == dtype
        assert out.isfinite().all()


def test_tables_are_float64() -> None:
    """At t = 1 of 1,000, 1 - alpha-bar is 2e-4: float32 tables would lose four digits of it."""
    bound = noise.Gaussian("epsilon").bind(schedule.Linear(1000))
    t = torch.tensor([1])
    signal, sigma = bound.clock(t)
    assert signal.dtype == torch.float64
    exact = 1 - 0.9999 + (0.9999 - 0.98) / 1000
    alpha = schedule.Linear(1000).compute()
    assert abs(float(sigma**2) - float(1 - alpha[0] * alpha[1])) < 1e-15
    assert exact > 0


def test_a_sample_depends_on_its_own_seed_only() -> None:
    one = model(guidance=None)
    alone = one.sample(y=[2], steps=10, seed=3)
    many = one.sample(y=[2, 1, 1, 3], steps=10, seed=3)
    assert torch.allclose(alone[0], many[0], atol=1e-5)
    again = one.sample(y=[2, 1, 1, 3], steps=10, seed=3)
    assert torch.equal(many, again)
    assert not torch.equal(many, one.sample(y=[2, 1, 1, 3], steps=10, seed=4))


def test_torch_manual_seed_governs_unseeded_sampling() -> None:
    one = model()
    torch.manual_seed(5)
    a = one.sample(batch=2, steps=4)
    torch.manual_seed(5)
    assert torch.equal(a, one.sample(batch=2, steps=4))
    assert not torch.equal(a, one.sample(batch=2, steps=4))


def test_noise_is_the_same_in_every_precision() -> None:
    draws = [rng.normal(torch.zeros(2, 3, dtype=d), rng.samples(0, 2)) for d in
             (torch.float32, torch.bfloat16)]  # fmt: skip
    assert torch.equal(draws[0].to(torch.bfloat16), draws[1])


# 6. Learned variance and true bits per dimension


def test_the_hybrid_loss_stops_the_gradient_of_the_mean() -> None:
    hybrid = loss.Simple("epsilon") + 0.001 * loss.VLB()
    one = model(net=Labelled(outputs=2), noise=noise.Gaussian("epsilon", "range"), loss=hybrid)
    for whole, moved in ((hybrid, False), (loss.VLB(), True)):
        batch = one.batch(one.data.w[:8], one.data.y[:8])
        batch.loss = whole
        batch.hat = batch.hat.detach().requires_grad_()
        bound = loss.VLB()
        measured(bound, batch).backward()
        assert bool(batch.hat.grad[0].abs().sum() > 0) is moved
        assert bool(batch.hat.grad[1].abs().sum() > 0)


def test_the_drawn_bound_estimates_the_whole_bound() -> None:
    """VLB, averaged over every step, is Model.nll without its constant first term."""
    torch.manual_seed(0)
    pictures = torch.randint(0, 4, (8, 1, 2, 2), dtype=torch.uint8)
    one = diffusion.Model(
        data=data.Images(pictures, levels=4), schedule=schedule.Linear(40, 0.999, 0.7),
        noise=noise.Gaussian("x"), net=_Constant(), loss=loss.VLB(),
    )  # fmt: skip
    repeats = 400
    whole = torch.stack([one.nll(pictures, seed=i) for i in range(20)]).mean()
    w = pictures.repeat(repeats, 1, 1, 1)
    one.time = _Cycle()
    drawn = loss.VLB().compute(one.batch(w))
    x = one.encode(pictures)
    noise_ = one.bind()
    first = noise_.prior(x, torch.full((8,), 40)).dkl(noise_.stationary(x.shape))
    assert float(whole) == pytest.approx(
        float(drawn.detach() + first.mean() / torch.tensor(2.0).log()), rel=0.02
    )


class _Constant(Net):
    def forward(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        return (0.5 * x)[None]


class _Cycle(diffusion.base.Time):
    def sample(self, steps: int, size: int) -> Tensor:
        return torch.arange(size) // 8 % steps + 1


def test_importance_weights_keep_the_loss_unbiased() -> None:
    torch.manual_seed(0)
    times = time.Importance(bins=10, memory=4)
    for index in range(10):
        for _ in range(4):
            times.observe(torch.tensor([index * 10 + 5]), 100, torch.tensor([float(index + 1)]))
    t = times.sample(100, 200_000)
    weight = times.weight(t, 100)
    value = (t.float() / 100) ** 2
    exact = float(((torch.arange(1, 101).float() / 100) ** 2).mean())
    assert float((weight * value).mean()) == pytest.approx(exact, rel=0.01)
    assert times.density()[-1] > 5 * times.density()[0]


# 7. Categorical noise is rank one, on ids and on one-hots, and large vocabularies fit


@pytest.mark.parametrize("kind", [noise.Uniform(11), noise.Absorbing(11)])
def test_ids_and_one_hots_train_alike(kind: noise.Uniform) -> None:
    ids = torch.randint(0, 10, (16, 6))
    values = []
    for transform in (data.Identity(ids, batch=16), data.OneHot(ids, k=11, batch=16)):
        torch.manual_seed(0)
        one = diffusion.Model(
            data=transform,
            schedule=schedule.Cosine(50),
            noise=kind,
            net=_Logits(11),
            loss=loss.VLB(),
        )
        batch = one.batch(ids)
        values.append(float(loss.VLB().compute(batch).detach()))
        assert one.sample(batch=2, steps=5, seed=0).shape == (2, 6)
    assert values[0] == pytest.approx(values[1], rel=1e-5)


class _Logits(Net):
    k: int = 11

    def __post_init__(self) -> None:
        self.table = nn.Embedding(self.k, self.k)

    def forward(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        ids = x.argmax(-1) if x.is_floating_point() else x
        return self.table(ids)[None]


def test_large_vocabularies_stay_linear() -> None:
    """Doubling K doubles the work: nothing is K times K (which would be 10 GB here)."""
    k, shape = 50_257, (1, 16)
    kind = noise.Uniform(k).bind(schedule.Cosine(100))
    x, t = torch.randint(0, k, shape), torch.tensor([50])
    z, _ = kind.prior(x, t).sample()
    started = clock.perf_counter()
    step = kind.approximate(z, t, torch.zeros(1, *shape, k))
    assert step.logits.shape == (*shape, k)
    assert kind.posterior(x, z, t).dkl(step).shape == shape
    assert clock.perf_counter() - started < 60


def test_a_joint_model_has_no_second_code_path() -> None:
    torch.manual_seed(0)
    w = {"point": torch.randn(32, 2), "label": torch.randint(0, 3, (32, 1))}
    one = diffusion.Model(
        data=data.Joint(w, parts={"point": data.Identity(), "label": data.Identity()}, batch=16),
        schedule=schedule.Flow(50),
        noise=noise.Joint({"point": noise.Gaussian("velocity"), "label": noise.Uniform(3)}),
        net=_Both(),
        loss=loss.Joint({"point": loss.Simple(), "label": 0.5 * loss.CrossEntropy()}),
        time=time.Joint({"point": time.Continuous(), "label": time.Continuous()}),
    )
    [*one.train(2)]
    assert set(one.run.history[0]) == {"loss", "point.simple", "label.crossentropy"}
    out = one.sample(batch=4, steps=5, seed=0, sampler=sampler.DDIM())
    assert out["point"].shape == (4, 2)
    assert out["label"].dtype == torch.long
    known = one.sample(given={"point": w["point"][:3]}, steps=5)
    assert torch.equal(known["point"], w["point"][:3])


class _Both(Net):
    def __post_init__(self) -> None:
        self.layers = nn.Linear(6, 5)

    def forward(self, x: dict, y: Tensor, t: dict) -> dict:  # type: ignore[override]
        label = nn.functional.one_hot(x["label"][:, 0], 3).float()
        u = t["point"].float()[:, None]
        out = self.layers(torch.cat([x["point"], label, u], 1))
        return {"point": out[None, :, :2], "label": out[None, :, None, 2:]}


def test_losses_of_users_and_library_are_logged_by_name() -> None:
    one = model(loss=TutorialSimple() + 0.5 * loss.Lambda(lambda b: b.hat.abs().mean()))
    [*one.train(1)]
    assert set(one.run.history[0]) == {"loss", "simple", "lambda"}

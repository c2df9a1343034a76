"""A network under another process: exact denoisers, whose answers are known under every process."""

import pytest
import torch
from torch import Tensor

from diffusion import Model, data, guidance, loss, net, noise, sampler, schedule, time
from diffusion.base import Net, Schedule, Time
from diffusion.errors import InputError, MismatchError
from diffusion.exact import Mixture

LAW = Mixture(
    torch.tensor([0.3, 0.7]).double(),
    torch.tensor([[-1.0], [0.7]]).double(),
    torch.tensor([0.3, 0.2]).double(),
)
PROCESSES = {
    "vp": (noise.Gaussian("epsilon"), schedule.Linear(1000, 0.9999, 0.98)),
    "v": (noise.Gaussian("v"), schedule.Cosine(1000)),
    "flow": (noise.Gaussian("velocity"), schedule.Flow()),
    "edm": (noise.Gaussian("F"), schedule.Karras()),
    "ve": (noise.Gaussian("x"), schedule.Geometric()),
    "score": (noise.Gaussian("score", path="vp"), schedule.Karras()),
}


class Exact(Net):
    """The perfect network for a process; it counts the times it is told."""

    def __init__(self, made: noise.Gaussian, under: Schedule) -> None:
        self.process = made.bind(under)
        self.oracle = LAW.oracle(self.process)
        self.told: list[Tensor] = []

    def forward(self, x: Tensor, y: Tensor | None, t: Tensor) -> Tensor:
        self.told.append(t)
        shown = self.process.inputs(torch.ones(len(t), 1, dtype=torch.float64), t)
        return self.oracle(x / shown, None, t)


def made(name: str, kind: Time | None = None) -> Model:
    """A model whose network is perfect for its process."""
    follows, under = PROCESSES[name]
    kind = time.Continuous() if kind is None else kind
    return Model(
        data.Identity(), under, follows, Exact(follows, under), time=kind,
        sampler=sampler.DDIM(), shape=(1,), state_dtype=torch.float64,
    )  # fmt: skip


@pytest.mark.parametrize("new", PROCESSES)
@pytest.mark.parametrize("old", PROCESSES)
def test_answers_are_those_of_the_perfect_network_of_the_new_process(old: str, new: str) -> None:
    trained = made(old)
    process = PROCESSES[new][0].bind(PROCESSES[new][1])
    u = torch.tensor([0.2, 0.35, 0.6, 0.8]).double()
    z = process.prior(LAW.sample(4, torch.Generator().manual_seed(0))[0].double(), u).sample()[0]
    hat = net.Retimed.of(trained).under(process)(process.inputs(z, u), None, u)
    goal = LAW.oracle(process)(z, None, u)
    assert (hat - goal).abs().max() < 1e-5 * goal.abs().max()


def test_times_and_answers_are_right_for_step_indices_of_a_fine_schedule() -> None:
    trained, new = made("vp", time.Discrete()), schedule.Sigmoid(40)
    process = noise.Gaussian("v").bind(new)
    t = torch.tensor([3, 17, 30])
    z = process.prior(torch.zeros(3, 1).double(), t).sample(torch.Generator().manual_seed(0))[0]
    hat = net.Retimed.of(trained).under(process)(z, None, t)
    told = trained.net.told[-1]
    assert told.dtype == torch.int64
    own = trained.process.clock.kappa(torch.arange(1001)).logit()
    there = process.clock.kappa(t).logit()
    nearest = (own[1:] - there.unsqueeze(1)).abs().argmin(1) + 1
    assert (told - nearest).abs().max() <= 1
    goal = LAW.oracle(process)(z, None, t)
    assert (hat - goal).abs().max() < 0.01 * goal.abs().max()


def test_the_first_step_is_the_least_that_a_network_of_indices_is_told() -> None:
    trained = made("vp", time.Discrete())
    process = noise.Gaussian("x").bind(schedule.Karras(100, low=1e-4))
    z, t = torch.zeros(2, 1).double(), torch.tensor([0, 1])
    net.Retimed.of(trained).under(process)(z, None, t)
    assert trained.net.told[-1].tolist() == [1, 1]


@pytest.mark.parametrize("kind", [time.Continuous(), time.Discrete()])
def test_under_its_own_process_nothing_changes(kind: Time) -> None:
    trained = made("v", kind)
    same = trained.replace(net=net.Retimed.of(trained))
    for steps in (3, 10):
        goal = trained.sample(batch=4, steps=steps, seed=0)
        assert torch.equal(same.sample(batch=4, steps=steps, seed=0), goal)
    again = same.replace(time=time.Discrete() if kind.continuous else time.Continuous())
    found, goal = (m.sample(batch=4, steps=10, seed=0) for m in (again, trained))
    assert (found - goal).abs().max() < 1e-6


@pytest.mark.parametrize("old", ["vp", "v", "edm"])
def test_sampling_ends_where_the_ode_of_the_new_schedule_does(old: str) -> None:
    trained, new = made(old), schedule.Spectral(1000, torch.tensor([0.05]), high=80.0)
    other = trained.replace(
        net=net.Retimed.of(trained),
        schedule=new,
        noise=noise.Gaussian("v"),
        sampler=sampler.Adams(),
    )
    z = torch.randn(8, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    (*_, end) = other.stream(steps=60, z=z)
    signal, sigma = other.process.clock(1.0)
    goal = LAW.flow(z, (signal, sigma), (1.0, 0.0))
    assert (end - goal).abs().max() < 2e-3
    (*_, wrong) = trained.replace(schedule=new, noise=noise.Gaussian("v")).stream(steps=60, z=z)
    assert (wrong - goal).abs().max() > 0.05, "without it the network is told wrong levels"


@pytest.fixture
def small() -> Model:
    """A small trained network with averages, classes and a condition."""
    torch.manual_seed(0)
    made = Model(
        data.Images(torch.arange(0, 256, 4).byte().reshape(4, 4, 4), torch.tensor([1, 2, 1, 2])),
        schedule.Cosine(100), noise.Gaussian("epsilon"), net.UNet((1, 8), labels=2, hidden=8),
        loss.Simple(), guidance=guidance.ClassifierFree(dropout=0.5, strength=1.0),
        sampler=sampler.DDIM(), ema=0.5,
    )  # fmt: skip
    for value in made.net.parameters():
        torch.nn.init.normal_(value, 0, 0.2)
    for _ in made.train(2):
        pass
    return made


def test_a_model_keeps_its_averages_its_classes_and_its_guidance(small: Model, tmp_path) -> None:
    other = small.replace(net=net.Retimed.of(small), ema=None)
    y = torch.tensor([1, 2])
    goal = small.sample(y, steps=5, seed=0)
    assert torch.equal(other.sample(y, steps=5, seed=0), goal)
    assert other.net.labels == 2
    assert not hasattr(other.net, "encoders")
    moved = other.replace(schedule=schedule.Scaled(schedule.Cosine(50), 0.3))
    far = moved.sample(y, steps=5, seed=0)
    moved.save(tmp_path / "model")
    loaded = Model.load(tmp_path / "model")
    assert torch.equal(loaded.sample(y, steps=5, seed=0), far)
    assert loaded.schedule == moved.schedule
    assert loaded.net.schedule == small.schedule


def test_it_is_trained_under_the_new_process(small: Model) -> None:
    """The loss under the new process is that of the old network at the old times."""
    other = small.replace(
        net=net.Retimed.of(small), schedule=schedule.Scaled(schedule.Cosine(100), 0.5), ema=None
    )
    batch = other.batch(small.data.w[:4], small.data.y)
    batch.t = torch.full((4,), 50)
    goal = other.net.under(other.process)(batch.z, batch.y, batch.t)
    assert torch.equal(batch.predict(batch.z, batch.t), goal)
    assert (goal - other.net(batch.z, batch.y, batch.t)).abs().max() > 1e-3


def test_what_it_can_not_translate_is_refused(small: Model) -> None:
    with pytest.raises(MismatchError, match=r"Retimed\.noise.*'learned'"):
        net.Retimed(small.net, small.schedule, noise.Gaussian(variance="learned"), time.Discrete())
    with pytest.raises(InputError, match=r"Retimed\.net: expected a Net; got Linear"):
        net.Retimed(torch.nn.Linear(1, 1), small.schedule, small.noise, small.time)
    with pytest.raises(InputError, match=r"Retimed\.schedule: expected a Schedule; got int"):
        net.Retimed(small.net, 1000, small.noise, small.time)
    with pytest.raises(MismatchError, match="noise and net: Retimed translates between Gaussian"):
        net.Retimed.of(small).under(noise.Uniform(4).bind(small.schedule))

"""Networks that others trained: read as they were written, and sampled where their ODE leads."""

import importlib
import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import galaxies
import terrain
from diffusion import noise, sampler
from diffusion.errors import FileError, InputError
from sources import galaxygrad as galaxy_files
from sources import onnx

pytestmark = pytest.mark.usefixtures("apart")

ROOT = Path(__file__).resolve().parents[2]
ANSWERS = {  # of the package itself under JAX 0.5.3, at t = 0.5 and 7: pixels, mean size
    "hsc32": ((-2.2432435, 1.2440155, 1.4572883), (-0.9418592, 0.51470864, 0.6331129)),
    "lsst60": ((-0.050074205, 1.0379949, 0.9208069), (-0.6612204, 0.55320364, 0.6481629)),
    "quasar72": ((-2.572273, 2.4596457, 1.6555308), (-1.0024562, 0.9399608, 0.63379186)),
}


@pytest.fixture(scope="module")
def galaxy():
    network, end, side = galaxies.read("hsc32")
    return galaxies.build(network, end, side), galaxies.own(network, end), end


@pytest.fixture(scope="module")
def maps():
    network = terrain.Onnx(onnx.session(terrain.terrain()))
    return terrain.build(network), network.session


@pytest.mark.parametrize("name", ANSWERS)
def test_mixers_answer_as_their_package(name: str) -> None:
    network, end, side = galaxies.read(name)
    assert end == 10
    x = (torch.arange(side**2, dtype=torch.float64) * 0.37).cos().float().view(1, 1, side, side)
    for t, expected in zip((0.5, 7.0), ANSWERS[name], strict=True):
        said = network(x, torch.tensor([t / end]))[0, 0]
        found = said[3, 5].item(), said[20, 11].item(), said.abs().mean().item()
        assert found == pytest.approx(expected, rel=1e-4)


def test_the_schedule_solves_the_equation_of_the_process() -> None:
    """dz = -z/2 dt + dW: d signal = -signal/2 dt, and d sigma² = (1 - sigma²) dt."""
    schedule = galaxies.Decay(end=10.0)
    u = torch.linspace(0.01, 1, 50, dtype=torch.float64, requires_grad=True)
    signal, sigma = schedule.scales(u)
    (slope,) = torch.autograd.grad(signal.sum(), u, retain_graph=True)
    assert torch.allclose(slope / 10, -signal / 2)
    (slope,) = torch.autograd.grad((sigma**2).sum(), u)
    assert torch.allclose(slope / 10, 1 - sigma**2)


def test_solvers_end_where_the_ode_of_the_package_does(galaxy) -> None:
    """Ours know nothing of its formula: the same end says that score, time and scales agree."""
    model, drift, end = galaxy
    z = torch.randn(2, *model.shape, generator=torch.Generator().manual_seed(0))
    goal = galaxies.rk4(drift, z, galaxies.times(end, 60, 2))
    errors = {}
    for steps in (15, 60):
        *_, x = model.stream(steps=steps, sampler=sampler.Adams(), z=z)
        errors[steps] = ((x - goal).norm() / goal.norm()).item()
    plain = galaxies.euler(drift, z, galaxies.times(end, 240))
    assert errors[60] < 0.05
    assert errors[60] < errors[15] / 4
    assert errors[60] < ((plain - goal).norm() / goal.norm()).item()


def test_the_reverse_equations_keep_a_normal_law() -> None:
    """The score of N(0, 1) is -z: the ODE stands still, and the SDE keeps mean and variance."""
    path, z = galaxies.times(10.0, 200), torch.randn(20000, generator=torch.Generator())

    def drift(z: torch.Tensor, t: float) -> torch.Tensor:
        return -(z + -z) / 2

    assert torch.equal(galaxies.euler(drift, z, path), z)
    assert torch.equal(galaxies.rk4(drift, z, path), z)
    moved = galaxies.euler(drift, z, path, torch.Generator().manual_seed(0))
    assert moved.mean().item() == pytest.approx(0, abs=0.03)
    assert moved.var().item() == pytest.approx(1, abs=0.05)
    assert np.corrcoef(moved, z)[0, 1] < 0.03, "it forgets where it began"


def test_shapes_of_a_known_galaxy() -> None:
    """A Gaussian of deviations 4 and 2 pixels, turned by 30 degrees."""
    y, x = torch.meshgrid(torch.arange(64.0) - 30, torch.arange(64.0) - 33, indexing="ij")
    along, across = (math.cos(a) * x + math.sin(a) * y for a in (math.pi / 6, math.pi * 2 / 3))
    w = 1e4 * (-(along**2) / 32 - across**2 / 8).exp()[None, None]
    flux, peak, size, elongation = galaxies.shapes(w)[0].exp().tolist()
    assert flux == pytest.approx(1e4 * 2 * math.pi * 8, rel=1e-3)
    assert peak == pytest.approx(1e4, rel=1e-3)
    assert size == pytest.approx(math.hypot(4, 2), rel=1e-3)
    assert math.log(elongation) == pytest.approx((16 - 4) / (16 + 4), rel=1e-3)


def test_flux_and_metres_come_back() -> None:
    w = torch.rand(2, 1, 8, 8) * 20
    assert torch.allclose(galaxies.LogFlux().decode(galaxies.LogFlux().encode(w)), w, rtol=1e-4)
    heights = w - w.amin((-2, -1), keepdim=True)
    encoded = terrain.Heights().encode(heights)
    assert encoded.min() == -1
    assert torch.allclose(terrain.Heights().decode(encoded), heights, rtol=1e-4, atol=1e-5)


def test_galaxies_quick(galaxy) -> None:
    result = galaxies.main(["--quick"])
    errors = result["errors"]
    assert set(errors) == {*galaxies.SOLVERS, "Euler in t"}
    assert errors["Adams"][10] < errors["Euler in t"][10] / 2
    laws = result["laws"]
    assert laws["Adams, 10 calls"] < laws["its own SDE, 10 calls"]
    written = json.loads(Path("out/galaxies/result.json").read_text())
    assert written["laws"] == laws
    assert Image.open("out/galaxies/samples.png").width > 2 * 56


def test_one_call_is_the_package_s_own_sample(maps) -> None:
    """The package's formula: D(80·epsilon, 80, (difficulty - 1)/99)."""
    model, session = maps
    epsilon = torch.randn(2, 1, 128, 128, generator=torch.Generator().manual_seed(0))
    labels = np.float32([0, 74 / 99])
    fed = {"noisy": 80 * epsilon.numpy(), "sigma": np.float32([80, 80]), "difficulty": labels}
    (said,) = session.run(["denoised"], fed)
    *_, x = model.stream(torch.tensor([1, 75]), steps=1, z=80 * epsilon)
    assert np.abs(x.numpy() - said).max() < 1e-4
    metres = model.data.decode(x)
    assert (metres.amin((-2, -1)) == 0).all()
    assert metres[1].max() > 2 * metres[0].max(), "the harder one is higher"


def test_terrain_quick(maps) -> None:
    result = terrain.main(["--quick"])
    assert result["denoising"][20.0]["network"] < result["denoising"][20.0]["blur"]
    assert result["denoising"][0.5]["network"] > result["denoising"][0.5]["blur"]
    assert result["from one call"]["to 20, 3 calls"] < result["from one call"]["to 0, 3 calls"]
    assert json.loads(Path("out/terrain/result.json").read_text())["rough"] == result["rough"]
    assert Image.open("out/terrain/samples.png").height > 128


def test_difficulties_are_1_to_100(maps) -> None:
    model, _ = maps
    for wrong in (0, 101):
        with pytest.raises(InputError, match="100"):
            model.sample(torch.tensor([wrong]), steps=1)


def test_a_score_on_the_wrong_parameter_is_noticed(galaxy) -> None:
    """Read as epsilon, the score has the wrong sign: samples that no galaxy resembles."""
    model, drift, end = galaxy
    z = torch.randn(2, *model.shape, generator=torch.Generator().manual_seed(0))
    goal = galaxies.rk4(drift, z, galaxies.times(end, 20, 2))
    *_, x = model.replace(noise=noise.Gaussian("epsilon")).stream(steps=20, z=z)
    assert (x - goal).norm() > 5 * goal.norm()


def test_damaged_weights_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "hsc32"
    with path.open("wb") as file:
        np.save(file, np.zeros(3, np.float32))
        np.save(file, np.float64(10))
    weights, end = galaxy_files.arrays(path)
    assert weights.tolist() == [0, 0, 0]
    assert end == 10
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(FileError, match="number 2 can't be read"):
        galaxy_files.arrays(path)
    np.save(path.with_suffix(".npy"), np.array([{}], dtype=object))
    with pytest.raises(FileError, match="number 1 can't be read"):
        galaxy_files.arrays(path.with_suffix(".npy"))
    with pytest.raises(InputError, match="hsc32"):
        galaxy_files.galaxygrad("hsc23")


def test_a_file_that_is_no_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.onnx"
    path.write_bytes(b"not a network")
    with pytest.raises(FileError, match=r"x\.onnx: expected an ONNX network"):
        onnx.session(path)


def test_without_an_index_the_error_names_library_and_place(tmp_path, monkeypatch) -> None:
    absent, found = tmp_path / "cache", importlib.import_module

    def importing(name: str):
        if name == "onnxruntime":
            raise ModuleNotFoundError(name)
        return found(name)

    monkeypatch.setattr(onnx.importlib, "import_module", importing)
    monkeypatch.setenv("DIFFUSION_DATA", str(absent))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    for name in ("PIP_FIND_LINKS", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    before = list(sys.path)
    with pytest.raises(FileError, match="onnxruntime") as caught:
        onnx.runtime()
    assert str(absent) in str(caught.value)
    assert list(absent.iterdir()) == [], "a failed fetch leaves nothing"
    assert sys.path == before

"""The judge: what it learns, that it is deterministic, and what it refuses."""

from pathlib import Path

import pytest
import torch

from diffusion.data.source import digits
from diffusion.errors import DiffusionError, InputError
from diffusion.metric import Judge, Quality, measure

CLASSES = 3


def _stripes(n: int, size: tuple[int, int], channels: int = 1, seed: int = 0):
    """Noisy pictures with a bright upper, lower or left half: classes 1, 2, 3."""
    draw = torch.Generator().manual_seed(seed)
    y = torch.arange(n) % CLASSES + 1
    w = torch.randint(0, 80, (n, channels, *size), generator=draw).to(torch.uint8)
    high, wide = size[0] // 2, size[1] // 2
    w[y == 1, :, :high] += 120
    w[y == 2, :, high:] += 120
    w[y == 3, :, :, :wide] += 120
    return w, y


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge.fit(*_stripes(192, (8, 8)), CLASSES, epochs=6)


def test_reads_held_out_digits():
    data = digits()
    judge = Judge.fit(data.w, data.y, 10, epochs=6)
    assert judge.accuracy(data.w_test, data.y_test) >= 0.96
    assert judge.features(data.w_test).shape == (400, 64)


@pytest.mark.parametrize(("size", "channels"), [((9, 13), 3), ((28, 28), 1), ((40, 64), 4)])
def test_any_size_and_channels(size, channels):
    judge = Judge.fit(*_stripes(192, size, channels), CLASSES, epochs=4)
    assert judge.accuracy(*_stripes(60, size, channels, seed=1)) >= 0.95


def test_same_seed_same_judge_and_nothing_global_changes(judge):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    again = Judge.fit(*_stripes(192, (8, 8)), CLASSES, epochs=6)
    other = Judge.fit(*_stripes(192, (8, 8)), CLASSES, epochs=6, seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    w, _ = _stripes(30, (8, 8), seed=2)
    assert torch.equal(judge.features(w), again.features(w))
    assert not torch.equal(judge.features(w), other.features(w))


def test_features_do_not_depend_on_the_batch(judge):
    w, _ = _stripes(30, (8, 8), seed=2)
    assert torch.allclose(judge.features(w)[3:4], judge.features(w[3:4]), atol=1e-5)


def test_saved_and_loaded(judge, tmp_path: Path):
    judge.save(tmp_path / "judge.safetensors")
    again = Judge.load(tmp_path / "judge.safetensors")
    w, y = _stripes(30, (8, 8), seed=2)
    assert torch.equal(judge.features(w), again.features(w))
    assert judge.accuracy(w, y) == again.accuracy(w, y)


def test_damaged_file_is_an_error(judge, tmp_path: Path):
    path = tmp_path / "judge.safetensors"
    judge.save(path)
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(DiffusionError, match="truncated"):
        Judge.load(path)


def test_refuses_what_it_cannot_read(judge):
    w, y = _stripes(30, (8, 8))
    with pytest.raises(InputError, match=r"Judge\.fit\.w: expected pictures"):
        Judge.fit(w[:, :, :5], y, CLASSES)
    with pytest.raises(InputError, match=r"class ids 1\.\.3; got 0\.\.2.*start at 1"):
        Judge.fit(w, y - 1, CLASSES)
    with pytest.raises(InputError, match="1 channels, as in training"):
        judge.features(w.expand(-1, 3, -1, -1))
    with pytest.raises(InputError, match="30 class ids"):
        judge.accuracy(w, y[:5])


def test_measure_compares_equal_numbers_of_each_class(judge):
    train, held = _stripes(600, (8, 8), seed=3), _stripes(300, (8, 8), seed=4)
    samples = _stripes(450, (8, 8), seed=5)
    quality = measure(judge, *samples, held, train)
    assert (quality.samples, quality.count) == (450, 300)
    assert quality.accuracy >= 0.95
    assert 0.3 < quality.ratio < 3
    broken = measure(judge, samples[0].flip(2), samples[1], held, train)
    assert broken.accuracy < 0.5
    assert broken.frechet < 3 * broken.real_frechet  # the same pictures, under other names
    noise = torch.randint(0, 256, (450, 1, 8, 8), dtype=torch.uint8)
    assert measure(judge, noise, samples[1], held, train).ratio > 10


def test_measure_needs_shared_classes(judge):
    w, y = _stripes(30, (8, 8))
    with pytest.raises(InputError, match="share no class"):
        measure(judge, w[y == 1], y[y == 1], (w[y == 2], y[y == 2]), (w, y))


def test_quality_is_readable():
    quality = Quality(0.981, 0.99, 3.2, 4.0, 1000, 400)
    text = str(quality)
    assert "98.1%" in text
    assert "0.80 of real, at N = 400" in text
    assert quality.plain()["ratio"] == pytest.approx(0.8)

"""Digits said, shown or heard, in the quick form; and what its blocks make of real files."""

import json
import math
import wave
from pathlib import Path

import pytest
import torch
from PIL import Image

import senses
from diffusion.block import Pipeline
from diffusion.errors import FileError
from sources import digits, spoken
from sources.heard import BANDS, FRAMES, spectrum, varied
from sources.spoken import RATE, SPEAKERS, samples

pytestmark = pytest.mark.usefixtures("apart")


def test_senses_learn_and_any_subset_can_be_told() -> None:
    result = senses.main(["--quick"])
    assert json.loads(Path("out/senses/result.json").read_text()) == result
    assert len(result) == 9, "all subsets of three, and the real digits"
    assert result["real"]["upper"] == result["real"]["lower"] == 0
    told = [{k: v for k, v in row.items() if k != "read"} for row in result.values()]
    assert all(a != b for i, a in enumerate(told) for b in told[:i]), "each sense says something"
    picture = Image.open("out/senses/samples.png")
    assert picture.width > 9 * 28
    assert picture.height > 6 * 28

    custom = [senses.Words, senses.Upper, senses.Listen]
    pipe = Pipeline.load("out/senses/pipeline.yaml", custom=custom)
    drawn = pipe(text="a seven", sound=spoken("it")[7], batch=2, seed=0)
    assert drawn.shape == (2, 1, 28, 28)
    assert torch.equal(pipe(text="a seven", sound=spoken("it")[7], batch=2, seed=0), drawn)
    network = pipe["denoise"]["model"].net
    assert [*network.encoders] == ["text", "image", "audio"]
    assert not any(p.requires_grad for p in network.parameters()), "nothing of it is trained later"


def test_digits_are_those_of_mnist() -> None:
    drawn = digits()
    assert drawn.images.shape == (9000, 1, 28, 28)
    assert drawn.test_labels.bincount().tolist() == [0, *[100] * 10]
    assert int(drawn.images.max()) == 255
    ink = drawn.images.float().mean((1, 2, 3))
    ones, zeros = ink[drawn.labels == 2].mean(), ink[drawn.labels == 1].mean()
    assert ones < 0.6 * zeros, "a one takes the least ink, a zero the most"
    quick = digits(quick=True)
    assert (len(quick.images), len(quick.test_images)) == (320, 40)
    assert torch.equal(quick.images[0], drawn.images[0])


def test_damaged_digits_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFFUSION_DATA", str(tmp_path))
    folder = tmp_path / "digits"
    folder.mkdir()
    for text in ("[1]", '{"data": [0, 1]}', '{"data": ["a"]}', "{"):
        for file in folder.glob("*"):
            file.unlink()
        for digit in range(10):
            (folder / f"{digit}.json").write_text(text)
        with pytest.raises(FileError, match=r"0\.json: expected pictures of 28×28 numbers in \[0"):
            digits()


def test_recordings_are_of_a_second_and_their_spectra_tell_them_apart() -> None:
    """Of one speaker; the same word spoken otherwise is nearer than another word."""
    sounds = [samples(file) for file in spoken("en")]
    assert all(0.3 < len(sound) / RATE < 1.2 for sound in sounds)
    assert [*SPEAKERS] == ["en", "es", "fr", "it", "ru"]
    plain = torch.stack([spectrum(sound) for sound in sounds])
    assert plain.shape == (10, BANDS, FRAMES)
    assert float(plain.min()) == 0
    assert float(plain.max()) == 1
    draws = torch.Generator().manual_seed(0)
    other = torch.stack([spectrum(varied(sound, draws)) for sound in sounds])
    nearest = torch.cdist(other.flatten(1), plain.flatten(1)).argmin(1)
    assert int((nearest == torch.arange(10)).sum()) >= 8


def test_a_tone_lies_in_its_band() -> None:
    """1000 Hz: 2595·log10(1 + 1000/700) = 999.99 mel of 2146, in the 15th of 33 steps."""
    tone = torch.sin(2 * math.pi * 1000 * torch.arange(RATE) / RATE)
    loudest = spectrum(tone).mean(1).argmax()
    assert int(loudest) in (14, 15)


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    path.write_bytes(b"RIFF")
    with pytest.raises(FileError, match="expected a WAV file"):
        samples(path)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(44100)
        file.writeframes(bytes(8))
    with pytest.raises(FileError, match="one channel of 2 bytes at 8000 Hz; got 2 of 2 at 44100"):
        samples(path)

"""Lock files, and values that are set after reading."""

import json

import pytest
import yaml

from diffusion.block import Pipeline
from diffusion.block.file import load, lock
from diffusion.errors import FileError, InputError

from .refusing import refuse, written


def test_locked(tmp_path):
    path, _ = written(tmp_path)
    refuse(path, "no lock file; write it: diffusion lock", locked=True)
    made = lock(path)
    assert made == tmp_path / "p.lock"
    assert Pipeline.load(path, locked=True)["denoise"].steps == 2
    text, whole = path.read_text(), made.read_text()
    path.write_text("# a remark\n" + text)
    Pipeline.load(path, locked=True)
    path.write_text(text.replace("steps: 2", "steps: 3"))
    refuse(path, "p.yaml, its content, differs", locked=True)
    path.write_text(text)
    for old, new, words in (
        ("library: 0.1.0", "library: 9.9.9", "library's version differs: locked is 9.9.9"),
        ("block.Denoise: 1", "block.Denoise: 3", "version of block.Denoise differs: locked is 3"),
        ("weights.safetensors: ", "weights.safetensors: a", r"digits: the hash of .*weights\.safe"),
        ("format: 1", "format: 2", "expected format 1"),
        ("format: 1", "format: &x 1", "aliases"),
        ("digits:", "digit:", "the model digits is not locked"),
        ("files:", "fils:", r"the hash of .*digits.* differs: locked is nothing"),
    ):
        assert old in whole
        made.write_text(whole.replace(old, new))
        refuse(path, words, 5, locked=True)
    made.write_text(whole)
    other = tmp_path / "digits" / "model.yaml"
    other.write_text(other.read_text().replace("seed: 0", "seed: 1"))
    assert Pipeline.load(path)["denoise"].model.seed == 1
    refuse(path, r"the hash of .*model\.yaml differs", 5, locked=True)


def test_values_can_be_set(tmp_path):
    path, _ = written(tmp_path)
    changes = ["denoise.steps=7", "denoise.sampler={id: sampler.DDIM, eta: 0.5}"]
    block = load(path, changes=changes)["denoise"]
    assert (block.steps, block.sampler.eta) == (7, 0.5)
    for change, words in (
        ("denoise.step=7", "--set denoise.step: .*no part 'step'.*Did you mean 'steps'"),
        ("denois.steps=7", "--set denois.steps: .*'denois'.*Did you mean 'denoise'"),
        ("denoise.steps", "expected path=value"),
        ("denoise.sampler={id: schedule.Linear, steps: 3}", "sampler: expected a Sampler"),
        ("denoise.sampler=3", "sampler: expected a Sampler"),
    ):
        with pytest.raises(InputError, match=words):
            load(path, changes=[change])
    with pytest.raises(FileError, match=r"no module is called 'sampler\.DDIN'"):
        load(path, changes=["denoise.sampler={id: sampler.DDIN}"])


def test_the_lock_says_what_there_is(tmp_path):
    path, _ = written(tmp_path)
    plain = yaml.safe_load(lock(path).read_text())
    assert plain["models"]["digits"]["files"].keys() == {"weights.safetensors", "model.yaml"}
    manifest = json.loads((tmp_path / "digits" / "manifest.json").read_text())
    digest = manifest["weights.safetensors"]
    assert plain["models"]["digits"]["files"]["weights.safetensors"] == digest
    assert plain["components"] == {"block.Denoise": 1, "block.Pipeline": 1}

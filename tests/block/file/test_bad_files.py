"""Hostile, damaged and mistaken files: one clear error with its line, quickly, and nothing runs."""

from importlib.metadata import EntryPoint

import pytest
import yaml

from diffusion.block import Pipeline
from diffusion.block.file import load
from diffusion.folder import registry
from diffusion.folder.registry import library

from .blocks import Darken, Renewed
from .conftest import tiny
from .refusing import refuse, written

GOOD = """\
format: 1
pipeline:
  id: block.Pipeline
  version: 1
  outputs: []
  blocks:
    first: {id: custom.Darken, version: 1, by: 0.5}
    second:
      id: block.Repeat
      version: 1
      block: {id: custom.Darken, by: 0.25}
      times: 2
"""
BAD = {
    "yaml": ("format: 1", "format: [1", "not valid YAML"),
    "alias": ("outputs: []", "outputs: &x [*x]", "line 5: YAML anchors and aliases"),
    "tag": ("by: 0.5", "by: !!python/object/apply:os.system ['touch owned']", "line 7.*tag"),
    "depth": ("outputs: []", "outputs: " + "[" * 60 + "]" * 60, "line 5: nested deeper"),
    "size": ("outputs: []", "outputs: [" + "x," * (1 << 20) + "]", "the limit is"),
    "count": ("outputs: []", "outputs: [" + "x," * 60_000 + "]", "too long"),
    "twice": ("outputs: []", "id: block.Map", "line 5: the key 'id' is there already, on line 3"),
    "no map": (GOOD, "- 1", "expected a map"),
    "empty": (GOOD, "", "expected a map"),
    "format": ("format: 1", "format: 99", "line 1: format 99.*Upgrade"),
    "no format": ("format: 1", "models: {}", "key 'format' is missing"),
    "key": ("format: 1", "format: 1\npipelin: 3", "line 2: unknown key 'pipelin'.*'pipeline'"),
    "id": ("block.Repeat", "block.Repeet", "line 9: no module.*'block.Repeet'.*'block.Repeat'"),
    "import": ("block.Repeat", "os.system", "line 9: no module is called 'os.system'"),
    "path": ("block.Repeat", "custom.os.system", "line 9: 'custom.os.system' is a class"),
    "custom": ("custom.Darken, v", "custom.Dork, v", r"line 7.*Pipeline.load\(path, custom=\[Dork"),
    "no id": ("id: block.Repeat", "ids: block.Repeat", "line 8.*second: expected a Block"),
    "odd id": ("id: block.Repeat", "id: [1]", "line 9: id: expected a name"),
    "argument": ("times: 2", "tims: 2", "line 12: Repeat has no argument 'tims'.*'times'"),
    "missing": ("      times: 2\n", "", "line 9: Repeat.*'times'"),
    "value": ("times: 2", "times: many", "line 12: Repeat.times: expected at least 1; got many"),
    "kind": ("by: 0.25", "by: dark", "line 11: Darken.by: expected float"),
    "module": ("by: 0.25", "by: {id: sampler.DDIM}", "line 11.*Darken.by: expected float"),
    "version": ("version: 1, by", "version: 7, by", "line 7.*version 7.*knows up to 1"),
    "odd version": ("version: 1, by", "version: new, by", "line 7: version: expected a whole"),
    "blocks": ("outputs: []", "outputs: [nothing]", "line 3: nothing makes the output 'nothing'"),
    "tensor": ("by: 0.5", "by: {tensor: x}", "a tensor is named, and no file"),
    "model": ("by: 0.5", "by: {model: x}", "line 7: there is no model 'x'; there are none"),
    "root": ("pipeline:\n  id: block.Pipeline", "pipeline:\n  ids: b", "line 2: expected a block"),
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def warm():
    """The catalogue of classes is imported once, whatever the file says."""
    library()


def test_the_good_file_is_good(tmp_path):
    (tmp_path / "p.yaml").write_text(GOOD)
    pipe = load(tmp_path / "p.yaml", custom=[Darken])
    assert [block.by for block in (pipe["first"], pipe["second"].block)] == [0.5, 0.25]


@pytest.mark.parametrize("name", BAD)
def test_bad_files(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    old, new, words = BAD[name]
    assert old in GOOD
    path = tmp_path / "p.yaml"
    path.write_text(GOOD.replace(old, new, 1))
    told = refuse(path, words)
    assert "p.yaml" in told
    assert len(told) < 2000
    assert not (tmp_path / "owned").exists()


def test_bad_models(tmp_path):
    path, plain = written(tmp_path)
    for change, words in (
        ({"load": "./nowhere"}, "line 3: digits: .*nowhere.*no such folder"),
        ({"load": 3}, "load: expected text; got 3"),
        ({"lod": "x"}, "digits has no key 'lod'.*Did you mean 'load'"),
        ({"hash": "0" * 64}, r"weights in .*digits are not those.*expected 0000.*remove the key"),
        ({"dtype": "float17"}, "dtype: expected a name such as float16"),
        ({"revision": "main"}, "which has no revision 'main'"),
        ({"modules": {"samplr": None}}, "no 'samplr'.*Did you mean 'sampler'"),
        ({"modules": {"net": None}}, "no 'net'"),
        ({"modules": {"sampler": {"id": "sampler.DDIN"}}}, "Did you mean 'sampler.DDIM'"),
        ({"modules": {"sampler": 5}}, "Model.sampler: expected a Sampler, got 5"),
    ):
        entry = {**plain["models"]["digits"], **change}
        path.write_text(yaml.dump({**plain, "models": {"digits": entry}}, sort_keys=False))
        refuse(path, words, 5)
    path.write_text(yaml.dump({**plain, "models": {"digit": {}}}, sort_keys=False))
    refuse(path, "there is no model 'digits'; there are digit. Did you mean 'digit'")
    path.write_text(yaml.dump({**plain, "models": {"digits": {}}}, sort_keys=False))
    refuse(path, "the key 'load' is missing")
    path.write_text(yaml.dump({**plain, "models": {"digits": "x"}}, sort_keys=False))
    refuse(path, "expected {load: folder or owner/name}; got 'x'")


def test_other_weights_are_refused_even_where_their_folder_is_whole(tmp_path):
    path, _ = written(tmp_path)
    tiny(1).save(tmp_path / "digits")
    refuse(path, "not those that this file was written with", 5)
    path.write_text("".join(line.split(", hash")[0] + "}\n" if "hash" in line else line
                            for line in path.read_text().splitlines(True)))  # fmt: skip
    assert load(path)["denoise"].steps == 2


def test_tensors_beside_are_checked(tmp_path):
    import torch

    Pipeline(a=Darken().bind(image=torch.ones(2))).save(tmp_path / "p.yaml")
    (stored,) = tmp_path.glob("*.safetensors")
    whole = stored.read_bytes()
    stored.write_bytes(whole[:-1] + b"\1")
    refuse(tmp_path / "p.yaml", "not the file that this was written with")
    stored.write_bytes(whole[:-1])
    refuse(tmp_path / "p.yaml", "truncated")
    stored.unlink()
    refuse(tmp_path / "p.yaml", "no such file")
    text = (tmp_path / "p.yaml").read_text()
    (tmp_path / "p.yaml").write_text(text.replace(stored.name, "../x.safetensors"))
    refuse(tmp_path / "p.yaml", "no plain name")


def test_older_versions_are_migrated_and_newer_ones_are_not(tmp_path):
    path = tmp_path / "p.yaml"
    text = "format: 1\npipeline:\n  id: custom.Renewed\n  version: {}\n  {}\n"
    path.write_text(text.format(1, "by: 0.25"))
    assert load(path, custom=[Renewed]).amount == 25.0
    path.write_text(text.format(2, "amount: 30.0"))
    assert load(path, custom=[Renewed]).amount == 30.0
    for version, argument, words in (
        (3, "amount: 1.0", "line 4.*version 3.*up to 2"),
        (1, "buy: 0.25", "line 4: 'by'"),
        (2, "amont: 0.25", "line 5.*'amont'.*'amount'"),
    ):
        path.write_text(text.format(version, argument))
        refuse(path, words, custom=[Renewed])


def test_blocks_of_installed_packages(tmp_path, monkeypatch):
    """They need no custom=; a package that is gone or broken is an error, and no import by name."""
    here = f"{Darken.__module__}:Darken"
    points = {
        "acme.Darken": EntryPoint("acme.Darken", here, "diffusion.components"),
        "acme.Gone": EntryPoint("acme.Gone", "acme_gone.blocks:Gone", "diffusion.components"),
        "acme.Json": EntryPoint("acme.Json", "json:JSONDecoder", "diffusion.components"),
    }
    monkeypatch.setattr(registry, "_installed", lambda: points)
    path = tmp_path / "p.yaml"
    Pipeline(a=Darken(0.125)).save(path)
    text = path.read_text()
    assert "id: acme.Darken" in text
    assert load(path)["a"] == Darken(0.125)
    for name, words in (
        ("acme.Gone", "line 7: the package that offers 'acme.Gone' can't be imported"),
        ("acme.Json", "line 7: 'acme.Json' is no component"),
        ("acme.Other", "line 7: no module.*installed package"),
        ("json.JSONDecoder", "no module is called"),
    ):
        path.write_text(text.replace("acme.Darken", name))
        refuse(path, words)

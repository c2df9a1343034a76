"""Saving and loading: everything round-trips, nothing executes, damage is named."""

import json
import struct
import time
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

import diffusion
from diffusion import data, guidance, loss, noise, sampler, schedule
from diffusion import time as times
from diffusion.errors import DiffusionError, FileError
from diffusion.folder import text
from diffusion.train import AdamW

from ..test_contracts import Labelled
from ..tutorial import Gaussian, Linear, Perceptron


def model(**modules: object) -> diffusion.Model:
    torch.manual_seed(0)
    own: dict = {
        "data": data.Identity(
            torch.randn(32, 2), torch.randint(1, 4, (32,)), batch=8, names=("a", "b", "c")
        ),
        "schedule": schedule.ZeroTerminal(schedule.Linear(50)),
        "noise": noise.Gaussian("v"),
        "net": Labelled(),
        "loss": loss.Simple(weight=diffusion.weight.MinSNR(3.0)) - 0.5 * loss.Simple("v") / 2,
        "guidance": guidance.ClassifierFree(0.2, 1.5) | guidance.ClassifierFree(0.0, 0.1),
        "sampler": sampler.DDIM(0.3),
        "optimizer": AdamW(rate=3e-3, warmup=2, steps=100),
        "ema": 0.9,
        "clip": 1.0,
        "seed": 3,
    }
    return diffusion.Model(**{**own, **modules})


def test_everything_round_trips(tmp_path: Path) -> None:
    one = model()
    [*one.train(2)]
    one.save(tmp_path / "m")
    two = diffusion.Model.load(tmp_path / "m", custom=[Labelled])
    assert one.diff(two) == {}
    assert two.data.names == ("a", "b", "c")
    a, b = (m.sample(y=["a", "c"], steps=6, seed=1) for m in (one, two))
    assert torch.equal(a, b)
    two.save(tmp_path / "n")
    for file in ("weights.safetensors", "average.safetensors"):
        assert (tmp_path / "m" / file).read_bytes() == (tmp_path / "n" / file).read_bytes()


@pytest.mark.parametrize(
    "modules",
    [
        {"time": times.Importance(bins=5)},
        {"time": times.LogNormal(), "schedule": schedule.Karras(20), "noise": noise.Gaussian("F"),
         "loss": loss.Simple(weight=diffusion.weight.EDM())},
        {"noise": Gaussian(), "schedule": Linear(20, 0.999, 0.9), "loss": loss.Simple("epsilon"),
         "sampler": sampler.Ancestral()},
    ],
)  # fmt: skip
def test_other_modules_round_trip(tmp_path: Path, modules: dict) -> None:
    one = model(**modules)
    one.save(tmp_path / "m")
    two = diffusion.Model.load(tmp_path / "m", custom=[Labelled, Gaussian, Linear])
    assert one.diff(two) == {}


def test_tensors_in_the_config_are_stored_beside_the_weights(tmp_path: Path) -> None:
    pi = torch.tensor([0.1, 0.2, 0.7])
    for kind in (noise.Mixed(pi), noise.Structured.gaussian(3)):
        one = diffusion.Model(
            data=data.Identity(torch.randint(0, 3, (8, 4)), batch=4),
            schedule=schedule.Cosine(10),
            noise=kind,
            net=_Table(),
            loss=loss.VLB(),
        )
        one.save(tmp_path / "m")
        two = diffusion.Model.load(tmp_path / "m", custom=[_Table])
        assert two.noise == one.noise


class _Table(diffusion.base.Net):
    def __post_init__(self) -> None:
        self.table = torch.nn.Embedding(3, 3)

    def forward(self, x: torch.Tensor, y: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return self.table(x)[None]


def test_functions_are_asked_for_again(tmp_path: Path) -> None:
    one = model(loss=loss.Lambda(lambda batch: batch.hat.mean() ** 2))
    one.save(tmp_path / "m")
    two = diffusion.Model.load(tmp_path / "m", custom=[Labelled])
    assert two.sample(batch=2, steps=3).shape == (2, 2)
    with pytest.raises(DiffusionError, match=r"needs a loss; model\.replace"):
        two.train(1)
    assert diffusion.Model.load(tmp_path / "m", custom=[Labelled], loss=loss.Simple()).loss


def test_the_yaml_is_editable(tmp_path: Path) -> None:
    model().save(tmp_path / "m")
    path = tmp_path / "m" / "model.yaml"
    path.write_text(path.read_text().replace("strength: 1.5", "strength: 4.0"))
    assert diffusion.Model.load(tmp_path / "m", custom=[Labelled]).guidance.parts[0].strength == 4.0


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("sampler.DDIM", "sampler.DDIMM", "no module is called 'sampler.DDIMM'.*'sampler.DDIM'"),
        ("eta: 0.3", "etta: 0.3", "has no argument 'etta'.*Did you mean 'eta'"),
        ("eta: 0.3", "eta: much", "sampler.eta.*number.*'much'"),
        ("ema: 0.9", "emma: 0.9", "unknown key 'emma'.*Did you mean 'ema'"),
        ("format: 1", "format: 99", "Upgrade"),
        ("shape: [2]", "shape: [two]", "shape: expected a list of sizes"),
        ("custom.Labelled", "os.system", "no module is called 'os.system'"),
        ("seed: 3", "seed: &x 3", "anchors and aliases"),
        ("seed: 3", "seed: !!python/object/apply:os.getcwd []", "tag"),
        ("seed: 3", "seed: [" * 50 + "]" * 50, "nested deeper|not valid"),
    ],
)
def test_a_wrong_yaml_is_a_clear_error(tmp_path: Path, old: str, new: str, words: str) -> None:
    model().save(tmp_path / "m")
    path = tmp_path / "m" / "model.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(DiffusionError, match=words):
        diffusion.Model.load(tmp_path / "m", custom=[Labelled])


def test_damaged_weights_are_named(tmp_path: Path) -> None:
    model().save(tmp_path / "m")
    weights = tmp_path / "m" / "weights.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-10])
    with pytest.raises(FileError, match=r"weights.safetensors is damaged"):
        diffusion.Model.load(tmp_path / "m", custom=[Labelled])
    (tmp_path / "m" / "manifest.json").unlink()
    with pytest.raises(FileError, match="not written whole"):
        diffusion.Model.load(tmp_path / "m", custom=[Labelled])
    with pytest.raises(FileError, match="no such folder"):
        diffusion.Model.load(tmp_path / "nowhere")


def _resigned(folder: Path, tensors: dict) -> None:
    """Rewrite the weights and make the manifest agree, as an attacker would."""
    import hashlib

    save_file(tensors, folder / "weights.safetensors")
    path = folder / "manifest.json"
    listed = json.loads(path.read_text())
    digest = hashlib.sha256((folder / "weights.safetensors").read_bytes()).hexdigest()
    path.write_text(json.dumps({**listed, "weights.safetensors": digest}))


def test_weights_that_do_not_fit_change_nothing(tmp_path: Path) -> None:
    model().save(tmp_path / "m")
    tensors = load_file(tmp_path / "m" / "weights.safetensors")
    key = "weight.net.layers.0.weight"
    for change, words in (
        ({key: torch.zeros(1)}, "has shape"),
        ({key: torch.full_like(tensors[key], torch.nan)}, "NaN"),
        ({"weight.extra": torch.zeros(1)}, "Not expected: extra"),
    ):
        _resigned(tmp_path / "m", {**tensors, **change})
        with pytest.raises(FileError, match=words):
            diffusion.Model.load(tmp_path / "m", custom=[Labelled])


HOSTILE = {
    "huge header": struct.pack("<Q", 1 << 60) + b"{}",
    "not json": struct.pack("<Q", 4) + b"oops",
    "empty": b"",
    "negative shape": struct.pack("<Q", 60)
    + b'{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}'.ljust(60) + b"\0" * 4,
    "overflow": struct.pack("<Q", 80)
    + b'{"a":{"dtype":"F32","shape":[9999999,9999999],"data_offsets":[0,4]}}'.ljust(80) + b"\0" * 4,
    "list": struct.pack("<Q", 2) + b"[]",
    "pickle": b"\x80\x04\x95" + b"cos\nsystem\n" * 4,
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_tensor_files_fail_fast(tmp_path: Path, name: str) -> None:
    from diffusion.folder.tensors import read

    path = tmp_path / "x.safetensors"
    path.write_bytes(HOSTILE[name])
    started = time.perf_counter()
    with pytest.raises(FileError, match=r"x\.safetensors"):
        read(path)
    assert time.perf_counter() - started < 2


def test_yaml_bombs_are_bounded() -> None:
    bomb = "a: &a [1,1]\n" + "".join(f"b{i}: [*a,*a]\n" for i in range(10))
    for hostile in (bomb, "[" * 100_000, "x: " + "1" * (2 << 20), "a: [" + "1," * 100_000 + "]"):
        started = time.perf_counter()
        with pytest.raises(FileError):
            text.parse(hostile, "m.yaml")
        assert time.perf_counter() - started < 2


def test_no_source_file_can_execute_what_it_reads() -> None:
    """S1: no pickle, eval, exec or import by name from files anywhere in the library."""
    import ast

    root = Path(diffusion.__file__).parent
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                names = [a.name for a in node.names] + [getattr(node, "module", None) or ""]
                assert not {"pickle", "marshal", "shelve", "dill"} & set(names), path
            if isinstance(node, ast.Call):
                plain = getattr(node.func, "id", "")
                assert plain not in ("eval", "exec", "compile", "__import__"), (path, plain)
                name = getattr(node.func, "attr", "")
                owner = getattr(getattr(node.func, "value", None), "id", "")
                assert (owner, name) not in {("torch", "load"), ("yaml", "unsafe_load")}, path


def test_saving_never_leaves_half_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from diffusion.folder import atomic

    one = model()
    one.save(tmp_path / "m")
    before = (tmp_path / "m" / "weights.safetensors").read_bytes()
    [*one.train(1)]
    writes = iter([None, OSError(28, "No space left on device")])
    real = atomic._write

    def failing(path: Path, content: bytes) -> None:
        error = next(writes, None)
        if error is not None:
            raise error
        real(path, content)

    monkeypatch.setattr(atomic, "_write", failing)
    with pytest.raises(FileError, match=r"No space left.*bytes needed.*free.*intact"):
        one.save(tmp_path / "m")
    assert (tmp_path / "m" / "weights.safetensors").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["m"]


def test_a_foreign_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "draft.tex").write_text("years of work")
    with pytest.raises(FileError, match="left as it is"):
        model().save(tmp_path / "thesis")
    assert (tmp_path / "thesis" / "draft.tex").read_text() == "years of work"


def test_net_with_its_own_init_is_a_config(tmp_path: Path) -> None:
    one = model(net=Perceptron(2, width=16), guidance=None)
    one.save(tmp_path / "m")
    stored = yaml.safe_load((tmp_path / "m" / "model.yaml").read_text())
    assert stored["net"] == {"id": "custom.Perceptron", "version": 1, "size": 2, "width": 16}
    assert diffusion.Model.load(tmp_path / "m", custom=[Perceptron]).diff(one) == {}

"""`diffusion sample`, `evaluate` and `info` on trained models."""

import json

import numpy as np
import pytest
from PIL import Image

QUICK = ("--steps", "3")


def test_samples_are_a_labelled_grid(there):
    answer = there("sample", "run/model", "--label", "grey", "-n", "4", "-o", "grey.png", *QUICK)
    assert answer.code == 0, answer.error
    assert "wrote grey.png" in answer.out
    picture = Image.open("grey.png")
    assert picture.width > 100
    assert picture.getextrema() != ((255, 255),) * 3


def test_the_same_seed_gives_the_same_samples(there):
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        there("sample", "run", "-n", "3", "--seed", seed, "-o", f"{name}.npz", *QUICK)
    a, b, c = (np.load(f"{name}.npz")["w"] for name in "abc")
    assert (a == b).all()
    assert (a != c).any()
    assert a.shape == (3, 1, 8, 8)


def test_labels_are_shared_out_evenly(there):
    there("sample", "run", "-n", "6", "-o", "all.npz", *QUICK)
    assert list(np.load("all.npz")["labels"]) == ["dark"] * 2 + ["grey"] * 2 + ["light"] * 2
    there(
        "sample", "run", "-n", "4", "--label", "light", "--label", "none", "-o", "some.npz", *QUICK
    )
    assert list(np.load("some.npz")["labels"]) == ["light"] * 2 + ["none"] * 2


def test_an_animation_and_a_folder_of_pictures(there):
    assert there("sample", "run", "-n", "4", "-o", "walk.gif", *QUICK).code == 0
    assert Image.open("walk.gif").n_frames > 1
    assert there("sample", "run", "-n", "3", "-o", "each", *QUICK).code == 0
    names = sorted(path.name for path in (there.folder / "each").iterdir())
    assert names == ["00000-dark.png", "00001-grey.png", "00002-light.png"]
    assert Image.open("each/00000-dark.png").size == (8, 8)


def test_checkpoints_and_runs_can_be_sampled(there):
    step = sorted(there.folder.glob("run/step-*"))[-1]
    assert there("sample", step, "-n", "2", "-o", "step.npz", *QUICK).code == 0
    answer = there("sample", "run", "-n", "2", "-o", "run.npz", *QUICK)
    assert "using run/model" in answer.error
    assert (np.load("step.npz")["w"] == np.load("run.npz")["w"]).all()


def test_guidance_and_sampler_can_be_chosen(there):
    base = ("sample", "run", "-n", "2", "--label", "dark", *QUICK)
    there(*base, "-o", "plain.npz")
    for name, words in {
        "strong": ("--guidance", "4"),
        "noisy": ("--sampler", "{DDIM: {eta: 1}}"),
        "ancestral": ("--sampler", "Ancestral"),
    }.items():
        answer = there(*base, *words, "-o", f"{name}.npz")
        assert answer.code == 0, answer.error
        assert (np.load(f"{name}.npz")["w"] != np.load("plain.npz")["w"]).any()


def test_text_is_text(there):
    answer = there("sample", "runs/text", "-n", "2", *QUICK)
    assert answer.code == 0, answer.error
    assert set(answer.out) <= set("abc de.\n-_")
    assert there("sample", "runs/text", "-n", "2", "-o", "words.txt", *QUICK).code == 0
    assert (there.folder / "words.txt").read_text() == answer.out


WRONG = {
    ("sample", "run", "--label", "gray"): "no class 'gray'; classes are dark, grey, light. Did you",
    ("sample", "run", "--guidance", "-1"): "ClassifierFree.strength: expected >= 0; got -1.0",
    ("sample", "run", "--sampler", "DIDM"): "no sampler module is called 'DIDM'",
    ("sample", "run", "-o", "x.jpg"): "x.jpg: expected a file that ends in .png, .gif, .npz, .txt",
    ("sample", "run", "-o", "x.txt"): "these samples are no text",
    ("sample", "runs/text", "-o", "x.png"): "these samples are no pictures; write a .npz file",
    ("sample", "runs/text", "--label", "3"): "--label 3: this model was trained without labels",
    ("sample", "runs/text", "--guidance", "1"): "this model was trained without guidance",
    ("sample", "nowhere"): "nowhere: no such folder",
    ("info", "nowhere"): "nowhere: no such folder",
    ("evaluate", "run", "--source", "digit"): "no file, folder or data set 'digit'",
    ("evaluate", "run", "--source", "text.txt"): "the model and the source do not fit",
}


@pytest.mark.parametrize("words", WRONG, ids=" ".join)
def test_mistakes_are_one_clear_line(there, words):
    answer = there(*words, *(QUICK if words[0] == "sample" else ()))
    assert answer.code == 1, answer.exception
    assert WRONG[words] in answer.error
    assert "Traceback" not in answer.error
    assert answer.error.strip().splitlines()[-1].startswith("error: ")


def test_a_damaged_model_is_named(there, tmp_path):
    import shutil

    shutil.copytree(there.folder / "run/model", tmp_path / "model")
    path = tmp_path / "model/weights.safetensors"
    path.write_bytes(path.read_bytes()[:-8])
    answer = there("sample", str(tmp_path / "model"))
    assert answer.code == 1
    assert "weights.safetensors is damaged" in answer.error


def test_evaluate_prints_a_table_or_json(there):
    words = ("evaluate", "run", "--source", "pictures.npz", "-n", "30", "--steps", "2")
    answer = there(*words, "--json")
    assert answer.code == 0, answer.error
    found = json.loads(answer.out)
    assert 0 < found["bits_per_dim"] < 20
    assert found["standard_error"] > 0
    assert found["items"] == 30
    assert 0 <= found["accuracy"] <= 1
    assert found["real_accuracy"] > 0.8
    table = there(*words)
    assert "bits/dim" in table.out
    assert "read as the right class" in table.out
    assert "no Fréchet distance" in table.error
    assert f"{found['bits_per_dim']:.4f}" in table.out


def test_evaluate_measures_text_by_its_bound_alone(there):
    answer = there("evaluate", "runs/text", "--source", "text.txt", "-n", "20", "--json")
    assert answer.code == 0, answer.error
    assert set(json.loads(answer.out)) == {
        "source", "bits_per_dim", "standard_error", "items", "terms", "held_out", "method", "draws",
    }  # fmt: skip
    assert "no labels" in answer.error


def test_evaluate_takes_other_likelihoods(there):
    words = ("evaluate", "run", "--source", "pictures.npz", "-n", "8", "--steps", "1")
    found = there(*words, "--method", "ode", "--draws", "2")
    assert found.code == 0, found.error
    assert found.out.startswith("ode  ")
    assert "items, 50 steps, 2 draws)" in found.out
    words = ("evaluate", "runs/text", "--source", "text.txt", "-n", "20", "--json")
    one, many = (
        json.loads(there(*words, "--method", name, "--draws", "20").out)
        for name in ("bound", "importance")
    )
    assert (many["method"], many["draws"]) == ("importance", 20)
    # The same quantity up to the gap of the bound, which is small before training.
    apart = many["bits_per_dim"] - one["bits_per_dim"]
    assert apart != 0
    assert abs(apart) < 5 * (one["standard_error"] + many["standard_error"])
    wrong = there(*words, "--method", "ode")
    assert wrong.code == 1
    assert "Absorbing: only noise.Gaussian has a probability-flow ODE" in wrong.error


def test_evaluate_reads_a_source_in_the_models_own_terms(there):
    words = ("-n", "20", "--json")
    own = json.loads(there("evaluate", "runs/text", "--source", "text.txt", *words).out)
    there.write("other.txt", "ebc da.\n" * 40)  # the same characters
    there.write("less.txt", "abcabca." * 40)
    there.write("more.txt", "abc xyz." * 40)
    for name in ("other.txt", "less.txt"):
        found = json.loads(there("evaluate", "runs/text", "--source", name, *words).out)
        assert abs(found["bits_per_dim"] - own["bits_per_dim"]) < 2
    answer = there("evaluate", "runs/text", "--source", "more.txt", *words)
    assert "characters that the model does not know: 'xyz'" in answer.error
    arrays = dict(np.load("pictures.npz"))
    names = np.array(["light", "grey", "dark"])
    np.savez("turned.npz", w=arrays["w"], y=4 - arrays["y"], names=names)
    np.savez("strange.npz", w=arrays["w"], y=arrays["y"], names=np.array(["dark", "red", "light"]))
    words = ("-n", "9", "--steps", "2", "--json")
    one, two = (
        json.loads(there("evaluate", "run", "--source", name, *words).out)["bits_per_dim"]
        for name in ("pictures.npz", "turned.npz")
    )
    assert one == two
    answer = there("evaluate", "run", "--source", "strange.npz", *words)
    assert "strange.npz has the class 'red'; the model's classes are dark, grey" in answer.error


def test_info_shows_what_a_model_is(there):
    answer = there("info", "run/model")
    assert answer.code == 0, answer.error
    for word in ("UNet(channels=(1, 8)", "[schedule.Flow version 1]", "6 steps, 2 epochs",
                 "3: dark, grey, light", "(1, 8, 8)"):  # fmt: skip
        assert word in answer.out
    plain = there("info", "run", "--yaml")
    assert plain.out == (there.folder / "run/model/model.yaml").read_text()

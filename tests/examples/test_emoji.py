"""Text to image in its quick form: it learns, measures, resumes, and opens in Diffusers."""

import itertools
import json
import math
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

import emoji
from diffusion.errors import FileError
from diffusion.metric import Judge
from sources import clients, minilm
from sources import emoji as drawn
from sources.emoji import caption

pytestmark = pytest.mark.usefixtures("apart")


def test_emoji_resumes_learns_and_is_drawn_the_same_by_diffusers() -> None:
    stopped = emoji.build(drawn(quick=True), epochs=6, quick=True)
    first = next(stopped.train(6, folder="runs/test"))

    result = emoji.main(["--quick", "--folder", "runs/test"])
    assert result["loss"][0] == first, "the first epoch was not trained again"
    assert len(result["loss"]) == 6
    assert result["loss"][5] < 0.9 * result["loss"][0]
    assert result["difference"] < 1e-4, "pixels on [-1, 1], of Diffusers and ours"
    assert result["held out: real"]["picture"] == 1, "a picture is nearest to itself"
    assert json.loads(Path("out/emoji/result.json").read_text()) == result
    for name in ("training", "held_out", "free"):
        picture = Image.open(f"out/emoji/{name}.png")
        assert picture.width > 2 * 32
        assert picture.height > 10 * 32

    model = emoji.load("out/emoji/model")
    samples = model.sample(["red apple", "woman pilot"], steps=2, seed=0)
    assert samples.shape == (2, 3, 32, 32)
    assert samples.dtype == torch.uint8


def test_how_often_the_own_one_is_chosen_is_counted_right() -> None:
    similar, own = torch.randn(5, 7), torch.tensor([0, 3, 3, 6, 1])
    wins = total = 0
    for row, mine in zip(similar, own.tolist(), strict=True):
        others = [i for i in range(7) if i != mine]
        for some in itertools.combinations(others, 3):
            wins += bool(row[mine] > row[list(some)].max())
            total += 1
    assert emoji.chosen(similar, own, among=4) == pytest.approx(wins / total)


def test_a_reader_finds_captions_that_pictures_tell() -> None:
    """Thumbnails that are linear in the sentences: of unseen ones each is read right."""
    draws = torch.Generator().manual_seed(0)
    sentences = torch.randn(220, 6, generator=draws)
    thumbnails = sentences @ torch.randn(6, 3 * 64, generator=draws) * 12 + 128
    pictures = thumbnails.reshape(-1, 3, 8, 8).repeat_interleave(4, 2).repeat_interleave(4, 3)
    reader = emoji.Reader(Judge(3, 2).eval(), pictures[:200], sentences[:200], ridge=1e-5)
    similar = reader.similar(pictures[200:], sentences[200:])
    assert emoji.chosen(similar, torch.arange(20)) == 1
    assert float(similar.diagonal().min()) > 0.9


def test_the_mean_of_a_text_is_over_its_own_tokens() -> None:
    states, mask = torch.randn(2, 4, 3), torch.tensor([[1, 1, 0, 0], [1, 1, 1, 1]])
    found = emoji.mean({"encoder_hidden_states": states, "encoder_attention_mask": mask})
    assert torch.allclose(found, torch.stack([states[0, :2].mean(0), states[1].mean(0)]))


def test_emoji_are_pictures_of_their_captions() -> None:
    data = drawn()
    assert data.images.shape == (708, 3, 32, 32)
    assert data.test_images.shape == (100, 3, 32, 32)
    assert len({*data.captions, *data.test_captions}) == 808, "no caption is in both parts"
    assert data.kinds.bincount().tolist() == [0, 132, 119, 309, 148]
    images = dict(zip(data.captions, data.images.float(), strict=True))
    for name, colour in {"red apple": 0, "green apple": 1, "green heart": 1, "dolphin": 2}.items():
        paint = images[name].mean((1, 2))
        assert int(paint.argmax()) == colour, name
        assert images[name][:, 0, 0].min() > 200, "it lies on white"
    quick = drawn(quick=True)
    assert (len(quick.captions), len(quick.test_captions)) == (64, 20)
    assert torch.equal(quick.images[5].float(), images[quick.captions[5]])


def test_captions_have_no_word_twice() -> None:
    assert caption("AUBERGINE", "eggplant") == "aubergine, eggplant"
    assert caption("RED APPLE", "apple") == "red apple"
    assert caption("MONEY-MOUTH FACE", "money_mouth_face") == "money-mouth face"


def test_minilm_reads_what_words_mean() -> None:
    prompts = emoji.hub.text.Sentences.read(minilm(), 8)
    cat, kitten, lorry = torch.nn.functional.normalize(
        emoji.mean(emoji.described(prompts, ["cat", "kitten", "lorry"]))
    )
    assert cat @ kitten > 0.5 > cat @ lorry


def test_damaged_emoji_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFFUSION_DATA", str(tmp_path))
    folder = tmp_path / "emoji"
    folder.mkdir()
    for text, words in (("[1]", "the list of emoji"), ("[]", "a PNG picture")):
        shutil.rmtree(folder)
        folder.mkdir()
        (folder / "emoji.json").write_text(text)
        (folder / "32.png").write_bytes(b"GIF89a")
        with pytest.raises(FileError, match=words):
            drawn()


def test_without_npm_the_error_names_package_and_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIFFUSION_DATA", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileError, match=r"emoji-datasource-google@16\.0\.0.*npm is not installed"):
        drawn()
    assert not list(tmp_path.glob("*/*")), "a failed fetch leaves nothing"


def test_npm_takes_only_files_that_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package of our own, packed by the real client."""
    source = tmp_path / "source"
    (source / "data").mkdir(parents=True)
    (source / "package.json").write_text('{"name": "of-our-own", "version": "1.0.0"}')
    (source / "data" / "one.txt").write_text("one")
    (scratch := tmp_path / "scratch").mkdir()
    clients.npm(str(source), {"1.txt": "package/data/one.txt"}, scratch, tmp_path)
    assert (scratch / "1.txt").read_text() == "one"
    for path in ("package/data", "package/../one.txt"):
        with pytest.raises(FileError, match=f"it has no {path}"):
            clients.npm(str(source), {"x": path}, scratch, tmp_path)


def test_random_samples_are_at_chance() -> None:
    similar = torch.rand(400, 400, generator=torch.Generator().manual_seed(0))
    found = emoji.chosen(similar, torch.arange(400))
    assert math.isclose(found, 1 / emoji.AMONG, abs_tol=0.02)

"""Folders that ours wrote, opened by the real Diffusers: the same pictures."""

import json
from pathlib import Path

import diffusers
import pytest
import torch

import diffusion
from diffusion import data, hub, loss, noise, sampler, schedule, train
from diffusion.errors import FileError, MismatchError

from .pipelines import CASES, STEPS, ddim, dit, flux, ldm
from .test_load import TRAJECTORY, gap, last
from .text import tiny

torch.manual_seed(0)
PICTURES = torch.randint(0, 256, (32, 1, 8, 8), dtype=torch.uint8)


def own(**modules: object) -> diffusion.Model:
    """A model of ours with a network of theirs, made from scratch."""
    table = schedule.Linear(1000, 0.9999, 0.98)
    network = hub.net.UNet2DModel(
        sample_size=8, in_channels=1, out_channels=1, block_out_channels=(8, 16),
        layers_per_block=1, norm_num_groups=4, down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
    )  # fmt: skip
    parts: dict = {
        "data": data.Images(PICTURES, batch=16), "schedule": table,
        "noise": noise.Gaussian("epsilon"), "net": hub.Denoiser(network, table),
        "loss": loss.Simple(), "sampler": sampler.DDIM(), "optimizer": train.AdamW(1e-3),
        "ema": 0.5,
    }  # fmt: skip
    return diffusion.Model(**{**parts, **modules})


@pytest.mark.parametrize("name", [*CASES])
def test_a_pipeline_goes_there_and_back(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    case.make().save_pretrained(tmp_path / "theirs")
    model = hub.load(tmp_path / "theirs", shape=case.latents[1:])
    model.save(tmp_path / "ours", format="diffusers")
    again = getattr(diffusers, case.pipeline).from_pretrained(tmp_path / "ours")
    again.set_progress_bar_config(disable=True)
    with torch.no_grad():
        want = case.theirs(again)
    assert gap(last(model, case.start(), y=case.y), want) < TRAJECTORY
    for part in ("scheduler/scheduler_config.json", "vae/config.json"):
        old, new = (json.loads((tmp_path / f / part).read_text()) for f in ("theirs", "ours"))
        drop = ("_name_or_path", "_use_default_values")
        assert {k: v for k, v in old.items() if k not in drop}.items() <= new.items(), part


@pytest.mark.parametrize(
    ("name", "parts"),
    [("DDIMPipeline", ddim), ("LDMPipeline", ldm), ("DiTPipeline", dit), ("FluxPipeline", flux)],
)
def test_other_pipelines_are_opened(name: str, parts: object, tmp_path: Path) -> None:
    tiny.pipeline(name, **parts()).save_pretrained(tmp_path / "theirs")
    hub.load(tmp_path / "theirs").save(tmp_path / "ours", format="diffusers")
    again = diffusers.DiffusionPipeline.from_pretrained(tmp_path / "ours")
    assert type(again).__name__ == name
    one, two = hub.load(tmp_path / "theirs"), hub.load(tmp_path / "ours")
    assert one.net.state_dict().keys() == two.net.state_dict().keys()
    assert all(map(torch.equal, one.net.state_dict().values(), two.net.state_dict().values()))


@pytest.mark.parametrize("one", [sampler.DDIM(), sampler.Ancestral()])
def test_what_we_train_is_opened(one: object, tmp_path: Path) -> None:
    """The averaged network: what samples is what is saved."""
    model = own(sampler=one)
    [*model.train(2)]
    model.save(tmp_path, format="diffusers")
    theirs = diffusers.DiffusionPipeline.from_pretrained(tmp_path)
    assert type(theirs).__name__ == ("DDIM" if one == sampler.DDIM() else "DDPM") + "Pipeline"
    draws = torch.Generator().manual_seed(1)
    z = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    theirs.set_progress_bar_config(disable=True)
    theirs.scheduler.set_timesteps(STEPS)
    if one == sampler.DDIM():
        want = theirs(2, draws, num_inference_steps=STEPS, output_type="np", return_dict=False)[0]
        pictures = torch.from_numpy(want).permute(0, 3, 1, 2) * 2 - 1
        assert float((last(model, z).clamp(-1, 1) - pictures).abs().max()) < TRAJECTORY
    loaded = diffusion.load(tmp_path)
    mine, read = (last(one, z, sampler=sampler.DDIM()) for one in (model, loaded))
    assert gap(read, mine) < 1e-6  # 1 - beta is in float32 there


def test_flows_are_opened(tmp_path: Path) -> None:
    table = schedule.Flow(1000)
    network = own().net.network
    net = hub.Denoiser(network, table, hub.scheduler.Timestep("flow"))
    model = own(
        net=net, schedule=table, noise=noise.Gaussian("velocity"), time=diffusion.time.Continuous(),
        sampler=sampler.FlowAdams(order=1),
    )  # fmt: skip
    model.save(tmp_path, format="diffusers")
    flow = diffusers.FlowMatchEulerDiscreteScheduler.from_pretrained(
        tmp_path, subfolder="scheduler"
    )
    unet = diffusers.UNet2DModel.from_pretrained(tmp_path, subfolder="unet")
    flow.set_timesteps(STEPS)
    z = torch.randn(2, 1, 8, 8)
    x = z
    with torch.no_grad():
        for t in flow.timesteps:
            x = flow.step(unet(x, t).sample, t, x).prev_sample
    assert gap(last(diffusion.load(tmp_path), z), x) < TRAJECTORY


def test_our_own_format_holds_their_networks(tmp_path: Path) -> None:
    model = own()
    [*model.train(1)]
    model.save(tmp_path)
    loaded = diffusion.load(tmp_path)
    z = torch.randn(2, 1, 8, 8)
    assert torch.equal(last(loaded, z), last(model, z))


def test_weights_are_sharded(tmp_path: Path) -> None:
    from diffusion.hub.save import save

    model = own()
    save(model, tmp_path, largest=20_000)
    shards = sorted((tmp_path / "unet").glob("*.safetensors"))
    assert len(shards) > 3
    diffusers.UNet2DModel.from_pretrained(tmp_path, subfolder="unet")
    loaded = diffusion.load(tmp_path)
    mine = model.average.module.net.state_dict()
    assert all(torch.equal(v, mine[k]) for k, v in loaded.net.state_dict().items())


def test_what_diffusers_has_no_place_for(tmp_path: Path) -> None:
    cases = {
        "net: Diffusers has no UNet": own(net=diffusion.net.UNet((1, 8, 8))),
        "UniPC.*can't be written": own(sampler=sampler.UniPC()),
        r"scheduler and noise.*'F'": own(noise=noise.Gaussian("F")),
    }
    for words, model in cases.items():
        with pytest.raises(MismatchError, match=words):
            model.save(tmp_path / "out", format="diffusers")
        assert not (tmp_path / "out").exists()
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "draft.tex").write_text("years of work")
    with pytest.raises(FileError, match="left as it is"):
        own().save(tmp_path / "thesis", format="diffusers")

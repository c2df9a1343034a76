"""Other libraries' samplers on our beds, each run by its own code.

Every one is given a denoiser `x(z, t)` on straight paths, z = (1 - t)·x + t·epsilon, and descending
times that end at 0. `installed()` puts the libraries into benchmarks/.peers, beside the library's
own environment and without what they depend on beyond it.
"""

import subprocess
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

import torch
from torch import Tensor

FOLDER = Path(__file__).with_name(".peers")
WANTED = (
    "k-diffusion==0.1.1.post1", "azula==0.11.1", "diffusers==0.42.1", "torchsde==0.2.6",
    "torchdiffeq==0.2.5", "trampoline==0.1.2", "einops==0.8.2", "tqdm>=4.66", "scipy>=1.11",
    "huggingface_hub>=1.0", "importlib_metadata", "regex", "filelock", "requests", "packaging",
)  # fmt: skip

Denoiser: TypeAlias = Callable[[Tensor, float], Tensor]
Peer: TypeAlias = Callable[[Denoiser, Tensor, Sequence[float]], Tensor]


def installed() -> dict[str, Peer]:
    """Every peer by name, after an installation if there was none."""
    if not (FOLDER / "done").exists():
        print("installing the peers ...", flush=True)
        words = [sys.executable, "-m", "pip", "install", "-q", "--target", str(FOLDER)]
        missing = [w for w in WANTED if not _importable(w)]
        subprocess.run([*words, "--no-deps", *missing], check=True)
        (FOLDER / "done").touch()
    sys.path.append(str(FOLDER))
    warnings.filterwarnings("ignore")
    return {**_k_diffusion(), **_azula(), **_diffusers()}


def _importable(wanted: str) -> bool:
    """Whether the environment has a package of this name already."""
    from importlib.metadata import PackageNotFoundError, version

    name = wanted.split("=")[0].split(">")[0]
    try:
        return bool(version(name))
    except PackageNotFoundError:
        return False


def _k_diffusion() -> dict[str, Peer]:
    """Functions of a denoiser and noise levels sigma/signal, on exploding paths."""
    import importlib

    # The package imports torchvision for what samplers do not use.
    stubs: dict[str, Any] = {
        name: ModuleType(name)
        for name in ("torchvision", "torchvision.transforms", "torchvision.datasets")
    }
    vision = stubs["torchvision"]
    vision.transforms, vision.datasets = list(stubs.values())[1:]
    vision.transforms.functional = ModuleType("functional")
    sys.modules.update(stubs)
    package = ModuleType("k_diffusion")
    package.__path__ = [str(FOLDER / "k_diffusion")]
    sys.modules["k_diffusion"] = package
    sampling = importlib.import_module("k_diffusion.sampling")
    for name in stubs:  # others ask whether the real one is there
        del sys.modules[name]

    def peer(function: Any, calls: int = 1, **settings: Any) -> Peer:
        def run(denoise: Denoiser, z: Tensor, times: Sequence[float]) -> Tensor:
            sigmas = torch.tensor([t / (1 - t) for t in times], dtype=torch.float64)

            def model(x: Tensor, sigma: Tensor, **_: Any) -> Tensor:
                r = float(sigma.flatten()[0])
                return denoise(x / (1 + r), r / (1 + r))

            scaled = z / (1 - times[0])
            done: Tensor = function(model, scaled, sigmas, disable=True, **settings)
            return done

        vars(run)["calls"] = calls
        return run

    return {
        "k-diffusion Euler": peer(sampling.sample_euler),
        "k-diffusion Heun": peer(sampling.sample_heun, 2),
        "k-diffusion DPM-2": peer(sampling.sample_dpm_2, 2),
        "k-diffusion LMS 4": peer(sampling.sample_lms),
        "k-diffusion DPM++ 2M": peer(sampling.sample_dpmpp_2m),
        "k-diffusion DPM++ 2S": peer(sampling.sample_dpmpp_2s_ancestral, 2, eta=0.0),
        "k-diffusion DPM++ 3M": peer(sampling.sample_dpmpp_3m_sde, eta=0.0),
    }


def _azula() -> dict[str, Peer]:
    """Samplers that own a denoiser with its schedule."""
    import azula.sample as samplers
    from azula.denoise import Denoiser as Base
    from azula.denoise import DiracPosterior
    from azula.noise import Schedule

    class Straight(Schedule):  # type: ignore[misc]
        def __call__(self, t: Tensor) -> tuple[Tensor, Tensor]:
            return 1 - t, t + 1e-9

    class Given(Base):  # type: ignore[misc]
        def __init__(self, denoise: Denoiser) -> None:
            super().__init__()
            self.schedule, self.denoise = Straight(), denoise

        def forward(self, x_t: Tensor, t: Tensor, **_: Any) -> Any:
            return DiracPosterior(self.denoise(x_t, float(t)))

    def peer(kind: Any, calls: int = 1, **settings: Any) -> Peer:
        def run(denoise: Denoiser, z: Tensor, times: Sequence[float]) -> Tensor:
            grid = torch.tensor(times, dtype=torch.float64)
            own = type("Own", (kind,), {"timesteps": property(lambda self: grid)})
            done: Tensor = own(Given(denoise), steps=len(times) - 1, silent=True, **settings)(z)
            return done

        vars(run)["calls"] = calls
        return run

    return {
        "azula DDIM": peer(samplers.DDIMSampler),
        "azula Heun": peer(samplers.HeunSampler, 2),
        **{
            f"azula {name} {order}": peer(getattr(samplers, f"{name}Sampler"), order=order)
            for name in ("zAB", "vAB", "zEAB", "xEAB", "REAB")
            for order in (2, 3)
        },
    }


def _diffusers() -> dict[str, Peer]:
    """Scheduler objects with their own coefficients, told the noise levels."""
    import diffusers

    def peer(name: str, calls: int = 1, end: float = 0.0, **settings: Any) -> Peer:
        kind = getattr(diffusers, f"{name}Scheduler")

        def run(denoise: Denoiser, z: Tensor, times: Sequence[float]) -> Tensor:
            flow = {"prediction_type": "flow_prediction", "use_flow_sigmas": True}
            one = kind(**(settings if name.startswith("FlowMatch") else {**flow, **settings}))
            one.set_timesteps(len(times) - 1)
            one.sigmas = torch.tensor([*times[:-1], end], dtype=torch.float64)
            one.timesteps = torch.arange(len(times) - 1.0)
            for i, t in enumerate(one.timesteps):
                at = float(one.sigmas[i])
                velocity = (z - denoise(z, at)) / at
                z = one.step(velocity, t, z, return_dict=False)[0]
            return z

        vars(run)["calls"] = calls
        return run

    return {
        "diffusers FlowMatchEuler": peer("FlowMatchEulerDiscrete"),
        "diffusers DPM++ 2M": peer("DPMSolverMultistep"),
        "diffusers DPM++ 3M": peer("DPMSolverMultistep", solver_order=3),
        "diffusers DEIS 3": peer("DEISMultistep", end=1e-4, solver_order=3),
        "diffusers UniPC 2": peer("UniPCMultistep", solver_order=2),
        "diffusers UniPC 3": peer("UniPCMultistep", solver_order=3),
        "diffusers SA-Solver": peer("SASolver", end=1e-4, tau_func=lambda t: 0.0),
    }

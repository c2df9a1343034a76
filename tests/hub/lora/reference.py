"""What Diffusers and peft say with LoRAs: a program, for Diffusers looks for peft once, on import.

    python reference.py JOBS.json

A job: {"network": folder, "of": pipeline, "files": [...], "strengths": [...], "inputs": file,
"output": file}. Diffusers reads the files as that pipeline does.
"""

import copy
import json
import sys
from functools import cache
from typing import Any

import diffusers
import torch
import transformers
from safetensors.torch import save_file


def main() -> None:
    with open(sys.argv[1]) as file, torch.no_grad():
        for job in json.load(file):
            network = copy.deepcopy(_network(job["network"]))
            names = [f"a{i}" for i in range(len(job["files"]))]
            for name, path in zip(names, job["files"], strict=True):
                _load(network, getattr(diffusers, job["of"]), path, name)
            if isinstance(network, diffusers.ModelMixin):
                network.set_adapters(names, job["strengths"])
            said = network(**torch.load(job["inputs"]), return_dict=False)[0]
            save_file({"said": said.contiguous()}, job["output"])


@cache
def _network(folder: str) -> Any:
    with open(f"{folder}/config.json") as file:
        config = json.load(file)
    name = config.get("_class_name") or config["architectures"][0]
    cls = getattr(diffusers if "_class_name" in config else transformers, name)
    return cls.from_pretrained(folder).eval()


def _load(network: Any, pipeline: Any, path: str, name: str) -> None:
    options = {"return_lora_metadata": True}
    if "StableDiffusionXL" in pipeline.__name__ and isinstance(network, diffusers.ModelMixin):
        options["unet_config"] = network.config
    if pipeline is diffusers.FluxPipeline:
        options["return_alphas"] = True
    state, *alphas, metadata = pipeline.lora_state_dict(path, **options)
    alphas = alphas[0] if alphas else None
    more = {"network_alphas": alphas, "metadata": metadata, "adapter_name": name}
    more["low_cpu_mem_usage"] = True  # no fresh weights, to be replaced
    if isinstance(network, diffusers.ModelMixin):
        part = "unet" if type(network).__name__.startswith("UNet") else "transformer"
        network.load_lora_adapter(state, prefix=part, **more)
    else:
        part = "text_encoder_2" if hasattr(network, "text_projection") else "text_encoder"
        alphas = {k: v for k, v in (alphas or {}).items() if k.startswith(f"{part}.")} or None
        more["network_alphas"] = alphas
        pipeline.load_lora_into_text_encoder(state, text_encoder=network, prefix=part, **more)


if __name__ == "__main__":
    main()

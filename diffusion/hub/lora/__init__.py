"""Low-rank changes of weights: read, attached, folded in, trained and written. Hu et al. 2021.

    lora = hub.lora.read("style.safetensors")
    with lora.attach(model.net, 0.8):         # for a while, in place
        pictures = model.sample(...)
    other = hub.lora.apply(model, lora, 0.8)  # a new model, which can be saved

A layer's weight W becomes W + strength·(alpha/r)·B·A, with A `[r, in]` and B `[out, r]`.
"""

from .apply import apply
from .attach import Attached
from .branch import refuse
from .lora import Lora
from .read import read
from .train import save, trainable

__all__ = ["Attached", "Lora", "apply", "read", "refuse", "save", "trainable"]

"""Pipelines as data: `pipeline.yaml`, readable and editable; reading it executes nothing.

    format: 1
    models:
      digits: {load: ./digits, hash: 5f0c...}        # a folder, or a repository of the hub
    pipeline:
      id: block.Pipeline
      version: 1
      outputs: []
      blocks:
        denoise:
          id: block.Denoise
          version: 1
          model: digits
          steps: 20
          sampler: {id: sampler.DDIM, version: 1, eta: 0.0}
        decode: {id: block.Decode, version: 1, model: digits}

Blocks and modules are their ids and arguments. Models are named once, under `models`, and shared by
all blocks that name them. `pipeline.lock` pins what they are made of.
"""

from .lock import lock
from .read import load
from .write import save

__all__ = ["load", "lock", "save"]

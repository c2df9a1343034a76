"""What is asked for: prompts or classes, what to avoid, and how many of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, TypedDict

import torch

from ... import rng, tree
from ...errors import InputError, MismatchError, require
from ...model import Model
from ...sampling import condition
from ..base import Block
from ..coder import Describe, state
from ..port import Ports
from .keep import with_negative


class Avoid(Block):
    """Negative prompts, for the guidance `Keep`: it leads away from them, not from no prompt."""

    model: Model[Any]

    def __call__(
        self, conditions: Any, negative_prompt: str | Sequence[str] | None = None
    ) -> Annotated[Any, "conditions"]:
        """`negative_prompt`: one for all prompts, or one for each."""
        if negative_prompt is None:
            return conditions
        several = [negative_prompt] if isinstance(negative_prompt, str) else list(negative_prompt)
        count = tree.size(conditions)
        if len(several) not in (1, count):
            raise InputError(
                f"negative_prompt: expected one, or one for each of {count} prompts; got "
                f"{len(several)}."
            )
        several = several * count if len(several) == 1 else several
        said = Describe(self.model)(several)
        return with_negative(conditions, said)


class Classes(Block):
    """Classes as conditions, by name or by id (1, 2, ...)."""

    model: Model[Any]

    def __call__(self, label: str | int | Sequence[str | int]) -> Annotated[Any, "conditions"]:
        """A row for each label."""
        labels = [label] if isinstance(label, (str, int)) else list(label)
        if not labels:
            raise InputError("label: expected a class, or several; got none.")
        return condition.conditions(self.model, labels, None)[0]


class Asked(TypedDict):
    """Conditions, a row for each picture, and how many that are."""

    conditions: Any
    batch: int


class Several(Block):
    """Each condition several times, side by side: pictures of one prompt are neighbours."""

    def __call__(self, conditions: Any, images_per_prompt: int = 1) -> Asked:
        fine = isinstance(images_per_prompt, int) and images_per_prompt >= 1
        require(fine, "images_per_prompt", "a whole number of at least 1", images_per_prompt)
        rows = tree.map(
            lambda one: one.repeat_interleave(images_per_prompt, dim=0), conditions
        )  # fmt: skip
        return {"conditions": rows, "batch": tree.size(rows)}


class Spread(Block):
    """Latents of few pictures as those of a batch: each is used for as many."""

    model: Model[Any]

    def ports(self) -> Ports:
        return super().ports().typed(latents=state(self.model))

    def __call__(
        self, latents: Annotated[Any, "n ..."], batch: int | None = None
    ) -> Annotated[Any, "latents: b ..."]:
        count = tree.size(latents)
        if batch is None or batch == count:
            return latents
        if batch % count:
            raise InputError(
                f"{count} pictures for {batch} samples: give one picture, or one for each, or as "
                "many as there are prompts."
            )
        return tree.map(lambda one: one.repeat_interleave(batch // count, dim=0), latents)


class Seeds(Block):
    """A seed that several blocks can draw the same noise from; None becomes a drawn one."""

    def __call__(self, seed: Any = None) -> Annotated[Any, "seed"]:
        """`seed`: a number, one for each sample, a `torch.Generator`, or None."""
        if seed is None:
            return rng.entropy()
        if isinstance(seed, torch.Generator):
            return int(torch.randint(2**62, (), generator=seed, device=seed.device))
        return seed


def asked(model: Model[Any]) -> dict[str, Any]:
    """The blocks by which a model is told what to make: prompts, classes, or nothing."""
    if model.data.text is not None:
        return {"describe": Describe(model), "avoid": Avoid(model), "several": Several()}
    if getattr(model.net, "labels", 0):
        several = Several().rename(images_per_prompt="images_per_label")
        return {"classes": Classes(model), "several": several}
    return {}


def prompted(task: str, model: Model[Any]) -> None:
    """Raise unless a model reads prompts."""
    require(isinstance(model, Model), f"{task}.model", "a Model", type(model).__name__,
            "diffusion.load(folder) makes one.")  # fmt: skip
    if model.data.text is None:
        other = "ClassToImage" if getattr(model.net, "labels", 0) else "diffusion.block.Denoise"
        raise MismatchError(
            f"{task}: the model has no text encoder (its data's text is None), so it can't read "
            f"prompts. Use {other}, or load the folder of a whole pipeline."
        )

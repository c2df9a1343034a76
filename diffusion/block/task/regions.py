"""Other prompts, or classes, for parts of a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import torch
from torch import Tensor

from ... import tree
from ...base import Guidance, Noise, Predict
from ...errors import InputError, MismatchError
from ...guidance.regions import Regions as Plain
from ...guidance.regions import mixed
from ...model import Model
from ...net.beside import OWN
from ...tree import State
from ..base import Block
from ..coder import Describe
from ..denoise import Denoise
from ..pipeline import Pipeline
from .ask import Classes
from .keep import KEPT, NEGATIVE
from .picture import pictures

REGIONS = "regions"


def regional(pipe: Pipeline) -> Pipeline:
    """A pipeline whose pictures may be asked for part by part.

        pipe = regional(TextToImage(model, steps=20))
        pipe(prompt="a meadow", regions=[("a cat", left), ("a dog", right)], seed=0)

    It has the input `regions` besides; see `Regions`. Whatever guidance it has acts on each part by
    itself, negative prompts and pictures of control included. Errors: a pipeline without a block
    `denoise` that reads conditions.
    """
    denoise = pipe.blocks.get("denoise")
    if not isinstance(denoise, Denoise):
        raise MismatchError(
            "regional: expected a pipeline with a block called denoise, a Denoise, such as "
            f"TextToImage makes; it has {', '.join(pipe.blocks)}."
        )
    own = denoise.model.guidance if denoise.guidance is None else denoise.guidance
    guidance = Regional() if own is None else own | Regional()
    changed = pipe.replace({"denoise.guidance": guidance})
    return changed.insert(before="denoise", regions=Regions(denoise.model))


class Regions(Block):
    """What parts of a picture are to show, beside the conditions of the whole, for `Regional`.

    Args:
        model: of prompts, or of classes.
    """

    model: Model[Any]

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.model.data.text is None and not getattr(self.model.net, "labels", 0):
            raise MismatchError(
                "Regions: the model reads neither prompts nor classes. Give its conditions "
                "[b, n, ...] to Denoise(model, guidance=guidance.Regions(masks))."
            )

    def __call__(
        self, conditions: Any, regions: Sequence[Any] | None = None
    ) -> Annotated[Any, "conditions"]:
        """`regions`: pairs of what is asked for and where: a prompt or a class, or one for each
        prompt of the whole; and a mask, see `Mask`, white where that is, or one for each sample.
        Grey counts in part. Where no mask is, the whole's own condition holds; where several are,
        they are mixed. Masks have the proportions of the picture, and any size.
        """
        if not regions:
            return conditions
        count = tree.size(conditions)
        masks = [self._mask(*one, count) for one in map(_pair, regions)]
        sizes = {tuple(mask.shape[1:]) for mask in masks}
        if len(sizes) > 1:
            raise InputError(f"regions: expected masks of one size; got {sorted(sizes)}.")
        told = [self._told(asked, count) for asked, _ in map(_pair, regions)]
        shares = torch.stack(masks, 1)
        rest = (1 - shares.sum(1, keepdim=True)).clamp_min(0)
        if rest.any():
            whole = {k: v for k, v in _named(conditions).items() if k not in (NEGATIVE, KEPT)}
            told, shares = [whole, *told], torch.cat([rest, shares], 1)
        shares = shares / shares.sum(1, keepdim=True)
        several = tree.stack(told, 1)
        return {
            **_named(conditions),
            REGIONS: {"conditions": several, "shares": shares.to(self.model.device)},
        }

    def _told(self, asked: Any, count: int) -> dict[str, Any]:
        """The conditions of a region, a row for each sample."""
        text = self.model.data.text is not None
        found = _named(Describe(self.model)(asked) if text else Classes(self.model)(asked))
        own = tree.size(found)
        if count % own:
            raise InputError(
                f"regions: {own} of {asked!r:.80} for {count} samples: give one, or one for each "
                "prompt."
            )
        found = tree.to(found, self.model.device)
        rows: dict[str, Any] = tree.map(lambda v: v.repeat_interleave(count // own, 0), found)
        return rows

    def _mask(self, asked: Any, mask: Any, count: int) -> Tensor:
        found = pictures(mask, 1)[:, 0] / 255
        if len(found) not in (1, count):
            raise InputError(
                f"regions: {len(found)} masks of {asked!r:.80} for {count} samples: give one, or "
                "one for each."
            )
        return found.expand(count, *found.shape[1:])


class Regional(Guidance):
    """`guidance.Regions`, whose conditions and masks come with those of each sampling.

    Without any it changes nothing. It stands to the right of whatever guides each region.
    """

    def fits(self, noise: Noise[Any]) -> str | None:
        return Plain(torch.ones(1, 1)).fits(noise)

    def __call__(self, predict: Predict, noise: Any) -> Predict:
        def guided(z: State, y: State, t: Any) -> State:
            if not isinstance(y, dict) or REGIONS not in y:
                return predict(z, y, t)
            told, shares = y[REGIONS]["conditions"], y[REGIONS]["shares"].transpose(0, 1)
            rest = {key: value for key, value in y.items() if key != REGIONS}
            several = [
                _unnamed({**rest, **tree.map(lambda one, i=i: one[:, i], told)})
                for i in range(len(shares))
            ]
            return mixed(predict, noise, z, several, t, shares)

        return guided


def _pair(region: Any) -> tuple[Any, Any]:
    if not isinstance(region, (tuple, list)) or len(region) != 2:
        raise InputError(
            'regions: expected pairs of what is asked for and a mask, such as ("a cat", left); got '
            f"{region!r:.80}."
        )
    return region[0], region[1]


def _named(y: State) -> dict[str, Any]:
    return dict(y) if isinstance(y, dict) else {OWN: y}


def _unnamed(y: dict[str, Any]) -> State:
    return y[OWN] if [*y] == [OWN] else y

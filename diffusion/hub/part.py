"""Networks of the Diffusers format: a `config.json` is their constructor's arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from ..base.module import Module
from ..component import arguments, signature
from ..errors import FileError, suggest
from ..folder.typed import typed


class Part(Module):
    """A network that is built from a Diffusers config, and whose state-dict keys are the file's.

    Subclasses take the config's keys, as named there, as keyword arguments with Diffusers'
    defaults, and are called with Diffusers' arguments; they return tensors.

    Attributes:
        fixed: keys of which only some values are supported: `{"dual_cross_attention": (False,)}`.
            They are no arguments; the first value is the default.
        whole: parts of names of tensors that stay in float32 when the others are cast.
    """

    whole: ClassVar[tuple[str, ...]] = ()
    fixed: ClassVar[Mapping[str, tuple[Any, ...]]] = {}

    @classmethod
    def build(cls, config: Mapping[str, Any], where: str = "config.json") -> Self:
        """The network that a config describes, with fresh weights.

        Errors: a key that is unknown, or has a value that this class does not support.
        """
        known = signature(cls).parameters
        given = {k: _frozen(v) for k, v in config.items() if not k.startswith("_")}
        for name in [*given]:
            if name in cls.fixed:
                value, allowed = given.pop(name), cls.fixed[name]
                if value not in allowed:
                    raise FileError(
                        f"{where}: {cls.__name__} supports {name} = "
                        f"{' or '.join(map(repr, allowed))} only; got {value!r}."
                    )
            elif name not in known:
                version = config.get("_diffusers_version", "an unknown version")
                raise FileError(
                    f"{where}: {cls.__name__} has no setting {name!r} (the file was written by "
                    f"Diffusers {version}).{suggest(name, [*known, *cls.fixed])}"
                )
        made = {k: typed(cls, k, v, f"{where}: {k}") for k, v in given.items()}
        return cls(**made)

    def config(self) -> dict[str, Any]:
        """The settings as they stand in a `config.json`."""
        fixed = {name: allowed[0] for name, allowed in self.fixed.items()}
        return {"_class_name": type(self).__name__, **fixed, **arguments(self)}


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value

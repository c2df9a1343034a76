"""transformers, an optional dependency, imported where it is used."""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ...errors import InputError


def transformers() -> Any:
    """The library. Errors: it is not installed."""
    try:
        return importlib.import_module("transformers")
    except ImportError:
        raise InputError(
            "Text encoders and tokenizers come from the library transformers, which is not "
            'installed. Do: pip install "diffusion-modules[hub]"'
        ) from None


@contextmanager
def quiet() -> Iterator[None]:
    """Without its progress bars and reports: what matters of them are errors here."""
    log = transformers().utils.logging
    level, bars = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(level)
        if bars:
            log.enable_progress_bar()

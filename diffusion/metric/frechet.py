r"""The Fréchet distance between two Gaussians, and between Gaussians fitted to features.

    d² = |m_a - m_b|² + tr(A + B - 2 (A^½ B A^½)^½)

Fréchet 1957; Dowson & Landau 1982, equation 16; Heusel et al. 2017 on the features of a
classifier. A^½ B A^½ is symmetric, so the trace of its root is the sum of the roots of its
eigenvalues: no root of a matrix that is not symmetric, and no complex numbers.

**The estimate is biased upwards.** Two samples of n items of one law are never at distance 0. To
first order, with eigenvalues l of the common covariance,

    E d² = (2/n) Σ_i l_i + (1/n) Σ_ij l_i l_j (1 + [i = j]) / (l_i + l_j),

which is (2d + d(d + 1)/2)/n for the unit covariance in d dimensions. So a distance means something
only beside another one at the same n, such as that between two sets of real items.
"""

import torch
from torch import Tensor

from ..errors import InputError, require


def frechet(a: Tensor, b: Tensor) -> float:
    """Squared Fréchet distance of the Gaussians fitted to two sets of features, in float64.

    Args:
        a, b: features `[n, d]`, `[m, d]`, more items than dimensions. Compare values at equal n
            and m only; see the top of this file.
    """
    a, b = _checked(a, "frechet.a"), _checked(b, "frechet.b")
    if a.shape[1] != b.shape[1]:
        raise InputError(
            f"frechet: a has {a.shape[1]} features, b has {b.shape[1]}; both must come from one "
            "judge."
        )
    return between(a.mean(0), torch.cov(a.T), b.mean(0), torch.cov(b.T))


def between(mean_a: Tensor, cov_a: Tensor, mean_b: Tensor, cov_b: Tensor) -> float:
    """Squared Fréchet distance of two Gaussians, given means `[d]` and covariances `[d, d]`."""
    mean_a, cov_a, mean_b, cov_b = (v.double() for v in (mean_a, cov_a, mean_b, cov_b))
    values, vectors = torch.linalg.eigh(cov_a)
    root = (vectors * values.clamp_min(0).sqrt()) @ vectors.T
    product = root @ cov_b @ root
    overlap = torch.linalg.eigvalsh((product + product.T) / 2).clamp_min(0).sqrt().sum()
    shift = (mean_a - mean_b).square().sum()
    distance = shift + cov_a.trace() + cov_b.trace() - 2 * overlap
    return max(float(distance), 0.0)


def _checked(features: Tensor, where: str) -> Tensor:
    require(features.dim() == 2, where, "features [n, d]", list(features.shape))
    count, dimensions = features.shape
    require(
        count > dimensions,
        where,
        f"more items than the {dimensions} dimensions, or the covariance is singular",
        f"{count} items",
        "Draw more samples, or use a judge with fewer features.",
    )
    require(bool(features.isfinite().all()), where, "finite features", "NaN or infinity")
    return features.reshape(count, dimensions).double()

r"""Learned variances of the steps of a Gaussian process.

    log v = (1 - b)·log v_posterior + b·log beta,    b = (hat[1] + 1)/2

Nichol & Dhariwal 2021, equation 15. v_posterior = sigma_s²·(1 - k²), with k the ratio of sigma_s/
signal_s to sigma/signal, is the posterior's variance, and beta what the forward process adds.
"""

from typing import Any

import torch
from torch import Tensor

from .clock import fit


def learned(
    kind: str, z: Tensor, source: tuple[Any, Any], target: tuple[Any, Any], hat: Tensor
) -> Tensor | float:
    """The standard deviation of a step between two (signal, sigma); 0 at the data.

    Args:
        kind: "range", the blend above, or "learned", where `hat[1]` is the log variance.
    """
    sigma_s = target[1]
    if isinstance(sigma_s, float) and sigma_s == 0.0:
        return 0.0
    value = _blended(z, source, target, hat) if kind == "range" else (0.5 * hat[1]).exp()
    if not isinstance(sigma_s, Tensor):
        return value
    return torch.where(fit(sigma_s, z) > 0, value, 0.0)  # t = 0 is the data


def _blended(z: Tensor, source: tuple[Any, Any], target: tuple[Any, Any], hat: Tensor) -> Tensor:
    (signal, sigma), (signal_s, sigma_s) = source, target
    lost = 1 - (signal * sigma_s / (signal_s * sigma)) ** 2
    power = (signal_s**2 + sigma_s**2) / (signal**2 + sigma**2)
    tiny = torch.finfo(z.dtype).tiny  # a step to the data, which the caller replaces
    low, high = (
        torch.as_tensor(fit(v, z), dtype=z.dtype, device=z.device).clamp_min(tiny).log()
        for v in (sigma_s**2 * lost, sigma**2 * lost * power)
    )
    blend = (hat[1] + 1) / 2
    return (0.5 * (blend * high + (1 - blend) * low)).exp().to(z.dtype)

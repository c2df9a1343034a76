"""Named samplers: `Adams` with the settings of a paper."""

from .adams import Adams


class Euler(Adams):
    """Euler's method in sigma/signal. Karras et al. 2022, algorithm 1 without the second half."""

    target: str = "epsilon"
    variable: str = "sigma"
    order: int = 1
    corrector: bool = False


class LMS(Adams):
    """Linear multistep: Adams-Bashforth in sigma/signal. Zhang & Chen 2023 call it rho-AB."""

    target: str = "epsilon"
    variable: str = "sigma"
    order: int = 4
    corrector: bool = False


class DEIS(Adams):
    """epsilon in the log-SNR; after Zhang & Chen 2023, whose polynomials are in t or in sigma."""

    target: str = "epsilon"
    variable: str = "log_snr"
    order: int = 3
    corrector: bool = False


class DPMSolverPP(Adams):
    """DPM-Solver++ 2M (3M with order 3), deterministic. Lu et al. 2022b, section 4.2.

    The integrals are exact for the polynomial, where the paper expands them to the same order.
    """

    target: str = "x"
    variable: str = "log_snr"
    order: int = 2
    corrector: bool = False


class UniPC(Adams):
    """Predictor and corrector of the same kind. Zhao et al. 2023, algorithm 2, with exact B(h)."""

    target: str = "x"
    variable: str = "log_snr"
    order: int = 2
    corrector: bool = True

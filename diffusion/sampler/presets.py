"""Named samplers: `Adams` and `RungeKutta` with the settings of a paper."""

from .adams import Adams
from .runge_kutta import RungeKutta


class FlowAdams(Adams):
    """Adams-Bashforth on the velocity of straight paths, without a corrector."""

    order: int = 2
    corrector: int = 0
    cautious: float = 1.0


class Euler(FlowAdams):
    """Euler's method in sigma/signal. Karras et al. 2022, algorithm 1 without the second half."""

    target: str = "epsilon"
    variable: str = "sigma"
    order: int = 1


class LMS(Euler):
    """Linear multistep: Adams-Bashforth in sigma/signal. Zhang & Chen 2023 call it rho-AB."""

    order: int = 4


class DEIS(Euler):
    """epsilon in the log-SNR; after Zhang & Chen 2023, whose polynomials are in t or in sigma."""

    variable: str = "log_snr"
    order: int = 3


class RES(FlowAdams):
    """The multistep refined exponential solver: 2M with exact integrals. Zhang et al. 2023."""

    target: str = "x"
    variable: str = "log_snr"


class DPMSolverPP(RES):
    """DPM-Solver++ 2M as published, or 3M with order 3. Lu et al. 2022b, section 4.2.

    With eta = 1, SDE-DPM-Solver++ (their appendix D.3). `rule="exact"` is `RES`.
    """

    rule: str = "midpoint"


class DPMSolverPP3M(DPMSolverPP):
    """DPM-Solver++ 3M: three targets deep, with exact integrals."""

    order: int = 3


class DPMSolverPP2MSDE(DPMSolverPP):
    """SDE-DPM-Solver++ 2M: the reverse SDE. Lu et al. 2022b, appendix D.3."""

    eta: float = 1.0


class DPMSolverPP3MSDE(DPMSolverPP2MSDE):
    """The same, three targets deep, with exact integrals."""

    order: int = 3


class UniPC(DPMSolverPP):
    """Predictor and corrector of the same kind, B(h) = e^h - 1. Zhao et al. 2023, algorithm 2.

    The corrector knows one target more: with `order=3`, `corrector=4`.
    """

    corrector: int = 3


class SDE(FlowAdams):
    """The reverse SDE, with noise of strength `eta`: x in a bounded variable, two targets deep.

    Every eta has the same marginals; Xue et al. 2023 (SA-Solver) without their corrector.
    """

    target: str = "x"
    eta: float = 1.0


class Midpoint(RungeKutta):
    """The midpoint method on the velocity of straight paths."""

    tableau: str = "midpoint"


class RK4(RungeKutta):
    """The classical method of order 4 on the velocity of straight paths."""

    tableau: str = "rk4"


class Heun(RungeKutta):
    """Heun's method in sigma/signal, with churn. Karras et al. 2022, algorithms 1 and 2."""

    target: str = "epsilon"
    variable: str = "sigma"


class DPMSolverPP2S(Midpoint):
    """DPM-Solver++ 2S with r = 1/2. Lu et al. 2022b, algorithm 1."""

    target: str = "x"
    variable: str = "log_snr"


class RES2S(DPMSolverPP2S):
    """The single-step refined exponential solver, two calls a step. Zhang et al. 2023."""

    tableau: str = "res_2s"


class RES3S(RES2S):
    """The single-step refined exponential solver, three calls a step. Zhang et al. 2023."""

    tableau: str = "res_3s"

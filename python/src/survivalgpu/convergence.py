"""When a fit is to be trusted: survival's two rules for a doubtful maximum."""

from __future__ import annotations

import numpy as np

from survivalgpu.coxph import CoxFit
from survivalgpu.errors import NumericalError
from survivalgpu.newton import NOT_FINITE, RAN_OUT, NewtonControl

# exp() of a linear predictor beyond this is a sign of an infinite coefficient
_LARGEST_PREDICTOR = 500.0


def check_finite_fit(fit: CoxFit) -> None:
    """Refuse a fit that overflowed.

    Raises
    ------
    NumericalError
        The log-likelihood, a coefficient or a variance is not finite.
    """
    parts = (fit.loglik, fit.coefficients, fit.variance)
    if fit.newton.status[0] != NOT_FINITE and all(np.isfinite(part).all() for part in parts):
        return
    raise NumericalError(
        "X",
        "the partial likelihood overflowed on the way to its maximum.",
        "Look for columns of extreme scale, extreme offsets, or a bad `init`.",
    )


def redundant_columns(fit: CoxFit, counting: bool, control: NewtonControl) -> np.ndarray:
    """Columns that are linear combinations of earlier ones, ``(p,)`` bool.

    None where there was no iteration: the coefficients are then the initial values.
    """
    result = fit.newton
    p = fit.coefficients.shape[1]
    singular = result.rank[0] < p or (not counting and result.halving[0])
    return (singular and control.iter_max > 0) & (np.diagonal(fit.variance[0]) == 0)


def convergence_messages(
    fit: CoxFit, names: tuple[str, ...], control: NewtonControl, counting: bool
) -> list[str]:
    """Word what is doubtful about a fit, as survival does.

    Parameters
    ----------
    fit : CoxFit
        A single problem.
    names : tuple of str
        ``(p,)`` names of the columns.
    control : NewtonControl
        What the fit was made with; the tolerance for a step left is ``sqrt(eps)``.
    counting : bool
        Use survival's rule for ``(start, stop]`` data; else the one for right-censored.

    Returns
    -------
    list of str
        Empty where there is nothing to say.
    """
    if control.iter_max <= 1 or not names:
        return []
    coefficients, score = fit.coefficients[0], fit.score_vector[0]
    step = np.abs(score @ fit.variance[0])
    if fit.newton.status[0] == RAN_OUT:
        messages = ["Ran out of iterations and did not converge."]
        largest = float(fit.linear_predictors.max())
        if not counting and (largest > _LARGEST_PREDICTOR or not np.isfinite(step).all()):
            messages.append("One or more coefficients may be infinite.")
        return messages
    moving = still_moving(coefficients, score, fit.variance[0], control.eps, counting)
    if not moving.any():
        return []
    listed = ", ".join(name for name, moves in zip(names, moving, strict=True) if moves)
    return [f"Loglik converged before variable {listed}; coefficient may be infinite."]


def still_moving(
    coefficients: np.ndarray,
    score: np.ndarray,
    variance: np.ndarray,
    eps: float,
    counting: bool,
) -> np.ndarray:
    """Coefficients that may be infinite, ``(p,)`` bool.

    At a maximum the step ``u V`` that is left (``u`` the score, ``V`` the variance) is
    negligible against the coefficient. Where it is not, the log-likelihood has flattened
    out while the coefficient still moves.

    Parameters
    ----------
    coefficients, score : ndarray
        ``(p,)`` where the iterations stopped.
    variance : ndarray
        ``(p, p)``.
    eps : float
        Tolerance of the log-likelihood; that of a step is its square root.
    counting : bool
        Use survival's rule for ``(start, stop]`` data; else the one for right-censored.
    """
    step, tolerance = np.abs(score @ variance), np.sqrt(eps)
    if counting:
        moving = step > tolerance * (1 + np.abs(coefficients))
    else:
        moving = (step > eps) & (step > tolerance * np.abs(coefficients))
    return moving | ~np.isfinite(score)

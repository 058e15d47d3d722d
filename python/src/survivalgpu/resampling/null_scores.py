r"""The score test of one term, ready for permuted values of the term's columns.

Under the null model, fitted without the term, risks and hazards are fixed. With ``x`` the
term's columns, ``z`` the others, ``m`` the martingale residuals and ``Lambda`` the cumulative
hazards of the null model, and the tables of :mod:`survivalgpu.partial_likelihood`:

.. math::

    U = \sum_i x_i w_i m_i, \qquad
    I_{xx} = \sum_i v_i x_i x_i^T - \sum_k [a_k S1 S1^T - b_k (S1 E1^T + E1 S1^T)
        + c_k E1 E1^T], \qquad v_i = w_i r_i \Lambda_i

The information between ``x`` and ``z`` is linear in ``x``: it is minus the derivative of the
score by the coefficients of ``z``, so ``I_xz = sum_i x_i g_i'`` with
``g_i = - d(w_i m_i)/d beta_z`` as fixed as the risks. With ``I_zz = F D F'``, the columns of
``H = G F^-T D^-1/2`` make

.. math::

    V = I_{xx} - I_{xz} I_{zz}^{-1} I_{zx} = I_{xx} - (X^T H)(X^T H)^T, \qquad
    \chi^2 = U^T V^{-1} U

Source: Rao (1948), Proceedings of the Cambridge Philosophical Society 44:50; Cox and Hinkley
(1974), *Theoretical Statistics*, section 9.3.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from survivalgpu.cholesky import generalised_cholesky
from survivalgpu.coxph import CoxData, CoxFit, fit_coxph
from survivalgpu.fitted_risks import FittedRisks, FittedRows, is_exact
from survivalgpu.memory import empty
from survivalgpu.newton import NewtonControl
from survivalgpu.score_residuals import compensators

# The null fit's own error would be seen in the score.
_EPS = 1e-12
_ITERATIONS = 50
# Of a column's information, a share below this is rounding: the other columns explain it.
_EXPLAINED = 1e-10
# Elements of permuted values that PyTorch's route holds at once.
_ELEMENTS = {"cpu": 1 << 20, "cuda": 1 << 26}


@dataclass(frozen=True)
class NullScore:
    """What the score test of one term needs but for the permutation.

    Attributes
    ----------
    values : Tensor
        ``(m, q)`` the term's columns by subject, centred.
    risks : FittedRisks
        Risks and hazards of the null model.
    loads : Tensor
        ``(n_used, 1 + c)``: weighted martingale residuals, then ``H``.
    expected : Tensor
        ``(n_used,)`` ``v``, the weighted expected events of the sorted rows.
    """

    values: Tensor
    risks: FittedRisks
    loads: Tensor
    expected: Tensor


def null_fit(data: CoxData, columns: np.ndarray, ties: str, control: NewtonControl) -> CoxFit:
    """Fit the model without some of its columns, to the last digit."""
    null = replace(data, x=data.x[:, _others(data, columns)])
    uncentred = np.array([is_exact(column) for column in null.x.T], dtype=bool)
    control = replace(control, iter_max=max(control.iter_max, _ITERATIONS), eps=_EPS)
    return fit_coxph(null, ties, control=control, uncentred=uncentred, residuals=False)


def null_score(
    data: CoxData, values: Tensor, columns: np.ndarray, ties: str, control: NewtonControl
) -> NullScore:
    """Fit the model without the term and prepare its score test.

    Parameters
    ----------
    data : CoxData
        The rows, all covariates.
    values : Tensor
        ``(m, q)`` the term's columns by subject.
    columns : ndarray
        ``(q,)`` places of the term's columns.
    ties, control
        As for :func:`survivalgpu.coxph.fit_coxph`.
    """
    fit = null_fit(data, columns, ties, control)
    others = _others(data, columns)
    risks = FittedRisks(
        FittedRows(
            x=data.x[:, others],
            linear_predictors=torch.as_tensor(fit.linear_predictors, device=data.x.device),
            stop=data.stop,
            event=data.event,
            start=data.start,
            strata=data.strata,
            weights=data.weights,
            ties=ties,
        )
    )
    expected = _expected_events(risks)
    loads = [_weighted_martingale(risks, expected)]
    if others.numel():
        loads.append(_whitened(risks, control.toler_chol))
    return NullScore(
        values=_centred(values),
        risks=risks,
        loads=torch.cat(
            loads, dim=1, out=empty(expected.numel(), 1 + others.numel(), device=expected.device)
        ),
        expected=expected,
    )


def score_statistics(score: NullScore, subject_of_row: Tensor, donors: Tensor) -> np.ndarray:
    """Chi-square statistics by PyTorch.

    Parameters
    ----------
    score : NullScore
        The test.
    subject_of_row : Tensor
        ``(n_used,)`` int64 subject of each sorted row.
    donors : Tensor
        ``(B, m)``, the subject whose values each subject is given.

    Returns
    -------
    ndarray
        ``(B,)``.
    """
    q, n = score.values.shape[1], max(subject_of_row.numel(), 1)
    step = max(_ELEMENTS.get(donors.device.type, _ELEMENTS["cpu"]) // (n * q), 1)
    parts = []
    for first in range(0, donors.shape[0], step):
        some = donors[first : first + step, subject_of_row].long()
        parts.append(_statistics_of(score, score.values[some].transpose(0, 1)))
    return np.concatenate(parts) if parts else np.zeros(0)


def chi_squares(sums: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """``U' V^-1 U`` of ``B`` permutations.

    Parameters
    ----------
    sums : ndarray
        ``(B, q, 1 + c)``: ``U``, then ``X'H``.
    squares : ndarray
        ``(B, q, q)``: ``I_xx``.

    Returns
    -------
    ndarray
        ``(B,)``; columns that the others explain take no part, so that 0 is possible.
    """
    scale = np.sqrt(np.diagonal(squares, axis1=1, axis2=2).clip(min=0))
    inverse = np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0)
    u, loads = sums[:, :, 0] * inverse, sums[:, :, 1:] * inverse[:, :, None]
    information = squares * inverse[:, :, None] * inverse[:, None, :]
    variance = information - loads @ loads.transpose(0, 2, 1)
    # a unit row and column make the tolerance one of the information, not of the variance
    q = u.shape[1]
    bordered = np.zeros((u.shape[0], q + 1, q + 1))
    bordered[:, 0, 0], bordered[:, 1:, 1:] = 1.0, variance
    right = np.concatenate([np.zeros((u.shape[0], 1)), u], axis=1)
    solved = generalised_cholesky(bordered, _EXPLAINED).solve(right)
    return (right * solved).sum(axis=1)


def _statistics_of(score: NullScore, x: Tensor) -> np.ndarray:
    """Statistics of permuted values ``(n_used, B, q)`` of the sorted rows."""
    n, n_problems, q = x.shape
    flat = x.reshape(n, n_problems * q)
    sums = (score.loads.T @ flat).view(-1, n_problems, q).permute(1, 2, 0)
    weighted = score.expected[:, None, None] * x
    squares = torch.bmm(weighted.permute(1, 2, 0), x.transpose(0, 1))
    risks, hazards = score.risks, score.risks.hazards
    means = risks.covariate_means(flat)
    mean = means.risk_set.view(-1, n_problems, q).transpose(0, 1)
    squares -= (mean * hazards.a).transpose(1, 2) @ mean
    tied_k = risks.ties.tied_k
    if tied_k.numel():
        mean, tied = mean[:, tied_k], means.tied.view(-1, n_problems, q).transpose(0, 1)
        cross = (mean * hazards.b).transpose(1, 2) @ tied
        squares += cross + cross.transpose(1, 2) - (tied * hazards.c).transpose(1, 2) @ tied
    return chi_squares(sums.cpu().numpy(), squares.cpu().numpy())


def _expected_events(risks: FittedRisks) -> Tensor:
    """``v_i = w_i r_i Lambda_i`` of the sorted rows, ``(n_used,)``."""
    hazards, ties, total = risks.hazards, risks.ties, risks.total
    by_group = risks.risk_sets.intervals.interval_sums(hazards.phi / total)
    cumulative = risks.spread(by_group).clone()
    if ties.tied_k.numel():
        spared = hazards.excess / total[ties.tied_k]
        cumulative[ties.rows] -= spared[ties.time_of_row]
    return (cumulative * risks.weighted_risk).squeeze(1)


def _weighted_martingale(risks: FittedRisks, expected: Tensor) -> Tensor:
    """``w_i m_i`` of the sorted rows, ``(n_used, 1)``."""
    residual = -expected.unsqueeze(1)
    rows = risks.risk_sets.event_rows
    residual[rows] += 1.0 if risks.weights is None else risks.weights[rows]
    return residual


def _whitened(risks: FittedRisks, tolerance: float) -> Tensor:
    """``H``, ``(n_used, c)``: ``g`` of the null model's covariates, by the root of ``I_zz``."""
    by_group = risks.risk_sets.intervals.interval_sums(risks.hazards.phi / risks.total)
    expected = risks.spread(by_group)
    g = expected.new_empty(risks.risk_sets.n_used, risks.n_covariates)
    information = np.zeros((risks.n_covariates,) * 2)
    for columns, values in risks.column_blocks():
        g[:, columns] = -compensators(risks, values, risks.covariate_means(values), expected)
    if risks.weights is not None:
        g *= risks.weights
    for columns, values in risks.column_blocks():
        information[columns] = (values.T @ g).cpu().numpy()
    scale = np.sqrt(np.diagonal(information).clip(min=0))
    inverse = np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0)
    unit = information * inverse[:, None] * inverse
    factors = generalised_cholesky(((unit + unit.T) / 2)[None], max(tolerance, _EXPLAINED))
    pivots = factors.pivots[0]
    root = np.divide(1.0, np.sqrt(pivots), out=np.zeros_like(pivots), where=pivots > 0)
    right = inverse[:, None] * np.linalg.inv(factors.factor[0]).T * root
    return g @ torch.as_tensor(right, device=g.device)


def _others(data: CoxData, columns: np.ndarray) -> Tensor:
    """Places of the other columns, int64."""
    others = np.setdiff1d(np.arange(data.x.shape[1]), columns)
    return torch.as_tensor(others, dtype=torch.int64, device=data.x.device)


def _centred(values: Tensor) -> Tensor:
    """Columns less their mean; indicators are more exact as they are."""
    shift = [0.0 if is_exact(column) else float(column.mean()) for column in values.T]
    centre = torch.tensor(shift, dtype=values.dtype, device=values.device)
    return torch.sub(values, centre, out=empty(*values.shape, device=values.device))

r"""Sums over subsets, one row at a time: the recursion of the exact partial likelihood.

Let :math:`e_s(i)` be the sum over all :math:`s`-subsets of the first :math:`i` rows of a
chain of the product of their risks :math:`r`. Gail, Lubin and Rubinstein (1981),
Biometrika 68:703, compute it by :math:`e_s(i) = e_s(i-1) + r_i e_{s-1}(i-1)`. It
overflows, so the ratios :math:`\rho_s(i) = e_s(i) / e_{s-1}(i)` are carried instead; they
have the size of a sum of risks and need no subtraction either:

.. math::

    \rho_s(i) = \frac{\rho_s(i-1) + r_i}{1 + r_i / \rho_{s-1}(i-1)}, \qquad
    \log e_d(m) = \sum_{s \le d} \log \rho_s(m)

A subset drawn with probability proportional to its product holds row :math:`i`, given that
:math:`s` of the first :math:`i` rows are in it, with probability
:math:`q_s(i) = r_i / (r_i + \rho_s(i-1))`. Read from the target :math:`(m, d)` down, the
draw is a Markov chain over :math:`(i, s)`. With :math:`P_s(i)` the expected number of
targets that pass :math:`(i, s)`, and :math:`M_s(i)` the mean sum of covariates of the rows
still to come,

.. math::

    P_s(i-1) &= (1 - q_s(i)) P_s(i) + q_{s+1}(i) P_{s+1}(i) + \#\{targets\} \\
    \Delta_s(i) &= x_i + M_{s-1}(i-1) - M_s(i-1), \qquad
    M_s(i) = M_s(i-1) + q_s(i) \Delta_s(i)

the expected covariates of the events are :math:`\sum_i \pi_i x_i`,
:math:`\pi_i = \sum_s P_s(i) q_s(i)`, and their variance, which is the information, is by the
law of total variance :math:`\sum_{i,s} P_s(i) q_s(i) (1 - q_s(i)) \Delta\Delta^T`: a sum
of positive terms, and one matrix product.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

# Risks of a chain span no more than this in logarithm: beyond it, e_s has no reciprocal.
_LARGEST_LOG_RISK, _SMALLEST_LOG_RISK = 300.0, -380.0


@dataclass(frozen=True)
class SubsetSums:
    """What ``C`` chains of one shape add to the likelihood.

    Attributes
    ----------
    log_sum : Tensor
        ``(K,)`` logarithm of the sum over subsets of each target.
    inclusion : Tensor
        ``(L, C)`` expected number of targets whose subset holds the member.
    information : Tensor
        ``(p, p)`` variance of the covariates summed over the subset, all targets together.
    """

    log_sum: Tensor
    inclusion: Tensor
    information: Tensor


def subset_sums(
    log_risk: Tensor, x: Tensor, places: Tensor, sizes: Tensor, chains: Tensor, block: int
) -> SubsetSums:
    """Run the recursion over chains of one padded length.

    Parameters
    ----------
    log_risk : Tensor
        ``(L, C)`` linear predictors; members past the last target are never read back and
        may hold any finite value.
    x : Tensor
        ``(L, C, p)`` covariates.
    places, sizes, chains : Tensor
        ``(K,)`` int64: the target's ``m``, ``d`` and chain.
    block : int
        Elements of the largest temporary array.
    """
    top = log_risk.amax(0)
    risk = torch.exp((log_risk - top + _LARGEST_LOG_RISK).clamp_(min=_SMALLEST_LOG_RISK))
    order = int(sizes.max())
    ratio = _ratios(risk, order)
    log_ratio = torch.log(ratio[places, chains])
    used = torch.arange(order, device=sizes.device) < sizes.unsqueeze(1)
    log_sum = torch.where(used, log_ratio, torch.zeros_like(log_ratio)).sum(1)
    log_sum += sizes * (top[chains] - _LARGEST_LOG_RISK)
    chosen = risk.unsqueeze(2)
    q = chosen / (chosen + ratio[:-1])
    passes = ratio.zero_()
    passes.index_put_((places, chains, sizes - 1), passes.new_ones(1), accumulate=True)
    _draw(q, passes)
    inclusion = (passes[1:] * q).sum(2)
    return SubsetSums(log_sum, inclusion, _variance(q, passes, x, block))


def _ratios(risk: Tensor, order: int) -> Tensor:
    """``rho``, ``(L + 1, C, order)``: element ``[i, c, s - 1]`` is ``rho_s(i)``."""
    length, n_chains = risk.shape
    rho = risk.new_zeros(length + 1, n_chains, order)
    scaled = risk.new_ones(n_chains, order)
    for i in range(length):
        r = risk[i].unsqueeze(1)
        torch.div(r, rho[i, :, :-1], out=scaled[:, 1:])
        scaled[:, 1:] += 1.0
        torch.add(rho[i], r, out=rho[i + 1])
        rho[i + 1] /= scaled
    return rho


def _draw(q: Tensor, passes: Tensor) -> None:
    """``P`` from the targets down, in place: ``passes[i, c, s - 1]`` is ``P_s(i)``."""
    taken = torch.empty_like(passes[0])
    for i in range(q.shape[0], 0, -1):
        torch.mul(passes[i], q[i - 1], out=taken)
        passes[i - 1] += passes[i]
        passes[i - 1] -= taken
        passes[i - 1, :, :-1] += taken[:, 1:]


def _variance(q: Tensor, passes: Tensor, x: Tensor, block: int) -> Tensor:
    """Sum of ``P q (1 - q) delta delta'`` in blocks of rows."""
    length, n_chains, order = q.shape
    p = x.shape[2]
    information = x.new_zeros(p, p)
    mean = x.new_zeros(n_chains, order, p)
    steps = max(1, min(length, block // max(n_chains * order * p, 1)))
    delta = x.new_empty(steps, n_chains, order, p)
    for first in range(0, length, steps):
        last = min(first + steps, length)
        for i in range(first, last):
            step = delta[i - first]
            torch.sub(x[i].unsqueeze(1), mean, out=step)
            step[:, 1:] += mean[:, :-1]
            mean.addcmul_(q[i].unsqueeze(2), step)
        share = q[first:last]
        weight = (passes[first + 1 : last + 1] * share * (1.0 - share)).view(-1, 1)
        rows = delta[: last - first].view(-1, p)
        information.addmm_((rows * weight).T, rows)
    return information

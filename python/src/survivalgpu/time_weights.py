"""Weights that a concordance gives to each event time.

With S the Kaplan-Meier estimate of survival, G that of not being censored, n the weight at
risk and N the total weight of the stratum, the options are those of
``survival::concordance``: ``"n"`` 1, ``"S"`` N S(t-) / n, ``"S/G"`` N S(t-) / (n G(t-)),
``"n/G2"`` 1 / G(t-)^2, ``"I"`` 1 / n. Uno and others (2011), *Statistics in Medicine*
30:1105; Therneau and Watson (2017), Mayo Clinic technical report 85.
"""

from __future__ import annotations

import torch
from torch import Tensor

TIME_WEIGHTS = ("n", "S", "S/G", "n/G2", "I")


def time_weights(
    option: str, at_risk: Tensor, dying: Tensor, strata: Tensor, total: Tensor, not_censored: Tensor
) -> Tensor:
    """Weights of the event times.

    Parameters
    ----------
    option : str
        One of :data:`TIME_WEIGHTS`.
    at_risk, dying : Tensor
        ``(K,)`` float64 weight at risk, and weight of the events, at each event time.
    strata : Tensor
        ``(K,)`` int64 stratum of each event time, ascending.
    total : Tensor
        ``(S,)`` float64 weight of each stratum.
    not_censored : Tensor
        ``(K,)`` float64 G(t-), see :func:`not_censored_before`.

    Returns
    -------
    Tensor
        ``(K,)`` float64.
    """
    if option == "n":
        return torch.ones_like(at_risk)
    if option == "I":
        return 1 / at_risk
    if option == "n/G2":
        return 1 / not_censored**2
    survival = product_before(1 - dying / at_risk, strata)
    weights = total[strata] * survival / at_risk
    return weights / not_censored if option == "S/G" else weights


def not_censored_before(
    time: Tensor, event: Tensor, strata: Tensor, weights: Tensor, at_time: Tensor, at_strata: Tensor
) -> Tensor:
    """G(t-) of right-censored data at ``K`` times: the weight not censored before them.

    Someone who is censored when others die is censored after their deaths, and they are
    not at risk of being censored then.

    Parameters
    ----------
    time, event, strata, weights : Tensor
        ``(n,)`` rows: float64, bool, int64 codes and float64.
    at_time, at_strata : Tensor
        ``(K,)`` times, sorted within ascending strata.
    """
    by_event = torch.argsort(event.to(torch.int8), descending=True, stable=True)
    order = by_event[torch.argsort(time[by_event], stable=True)]
    order = order[torch.argsort(strata[order], stable=True)]
    time, event, strata, weights = time[order], event[order], strata[order], weights[order]
    pairs = torch.stack([strata.double(), time])
    group = torch.cat([pairs.new_zeros(1), (pairs.diff() != 0).any(0).double()]).cumsum(0).long()
    # from the first censoring of a time on: those still there, without that time's deaths
    remaining = _sums_to_the_end_of_stratum(weights, strata)
    censored = torch.nonzero(~event).squeeze(1)
    of_time, counts = torch.unique_consecutive(group[censored], return_counts=True)
    first = censored[torch.cumsum(counts, 0) - counts]
    leaving = torch.zeros(int(group[-1]) + 1, dtype=torch.float64, device=time.device)
    leaving.index_add_(0, group[censored], weights[censored])
    factor = 1 - leaving[of_time] / remaining[first]
    # G just before each censoring time, then just before each of the K times
    places = _count_before(strata[first], time[first], at_strata, at_time)
    inclusive = _running_product(factor, strata[first])
    one = inclusive.new_ones(1)
    known = torch.cat([one, inclusive])[places]
    same = torch.cat([strata[first].new_full((1,), -1), strata[first]])[places] == at_strata
    return torch.where(same, known, 1.0)


def product_before(factors: Tensor, strata: Tensor) -> Tensor:
    """``(K,)`` product of the factors before each place, within its stratum."""
    running = _running_product(factors, strata)
    before = torch.ones_like(running)
    before[1:] = torch.where(strata[1:] == strata[:-1], running[:-1], 1.0)
    return before


def _running_product(factors: Tensor, strata: Tensor) -> Tensor:
    """Cumulative product within strata, by doubling: a factor may be 0, so no division."""
    running, step = factors.clone(), 1
    while step < running.numel():
        same = strata[step:] == strata[:-step]
        if not bool(same.any()):
            break
        product = running[step:] * torch.where(same, running[:-step], 1.0)
        running = torch.cat([running[:step], product])
        step *= 2
    return running


def _sums_to_the_end_of_stratum(values: Tensor, strata: Tensor) -> Tensor:
    total = torch.zeros(int(strata[-1]) + 1, dtype=torch.float64, device=values.device)
    total.index_add_(0, strata, values)
    before = values.cumsum(0) - values
    first = torch.searchsorted(strata, torch.arange(total.numel(), device=values.device))
    first = first.clamp(max=values.numel() - 1)
    return total[strata] - (before - before[first][strata])


def _count_before(strata: Tensor, time: Tensor, at_strata: Tensor, at_time: Tensor) -> Tensor:
    """How many of the sorted ``(strata, time)`` come before each of the others, both sorted."""
    both_time = torch.cat([at_time, time])
    both_strata = torch.cat([at_strata, strata])
    order = torch.argsort(both_time, stable=True)
    order = order[torch.argsort(both_strata[order], stable=True)]
    ours = order < at_time.numel()
    counts = (~ours).long().cumsum(0)[ours]
    out = torch.empty_like(counts)
    out[order[ours]] = counts
    return out

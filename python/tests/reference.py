"""Partial likelihood by its definition, one event time and one row at a time.

Slow on purpose and written without the package: it shares no code with what it checks.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np


def membership(start, stop, event, strata):
    """Return the (stratum, time) pairs and the rows at risk at each, by brute force."""
    pairs = sorted({(s, t) for s, t, e in zip(strata, stop, event, strict=True) if e})
    at_risk = [(strata == s) & (start < t) & (stop >= t) for s, t in pairs]
    return pairs, at_risk


def loglik_score_information(x, start, stop, event, strata, weights, offset, beta, ties):
    """Log-likelihood, score and information, summed over the terms of each tied time."""
    p = x.shape[1]
    loglik, score, information = 0.0, np.zeros(p), np.zeros((p, p))
    eta = x @ beta + offset
    risk = weights * np.exp(eta)
    pairs, at_risk = membership(start, stop, event, strata)
    for (s, t), inside in zip(pairs, at_risk, strict=True):
        dead = event & (stop == t) & (strata == s)
        d, weight = int(dead.sum()), float(weights[dead].sum())
        loglik += float((weights * eta)[dead].sum())
        score += (weights[:, None] * x)[dead].sum(axis=0)
        shares = [share / d for share in range(d)] if ties == "efron" else [0.0] * d
        for f in shares:
            r = np.where(inside, risk, 0.0) - f * np.where(dead, risk, 0.0)
            mean = r @ x / r.sum()
            centred = x - mean
            loglik -= weight / d * np.log(r.sum())
            score -= weight / d * mean
            information += weight / d * (centred.T * r) @ centred / r.sum()
    return loglik, score, information


def martingale(x, start, stop, event, strata, weights, offset, beta, ties):
    """Martingale residuals: observed less expected events of each row."""
    score = np.exp(x @ beta + offset)
    residual = event.astype(float)
    pairs, at_risk = membership(start, stop, event, strata)
    for (s, t), inside in zip(pairs, at_risk, strict=True):
        dead = event & (stop == t) & (strata == s)
        d, weight = int(dead.sum()), float(weights[dead].sum())
        for share in range(d):
            f = share / d if ties == "efron" else 0.0
            r = weights * score * (inside - f * dead)
            residual -= weight / d * score * (inside - f * dead) / r.sum()
    return residual


def score_residuals(x, start, stop, event, strata, weights, offset, beta, ties):
    """Each row's share of the score: the sum of (x_i - mean) dM_i over its event times."""
    score = np.exp(x @ beta + offset)
    residual = np.zeros_like(x)
    pairs, at_risk = membership(start, stop, event, strata)
    for (s, t), inside in zip(pairs, at_risk, strict=True):
        dead = event & (stop == t) & (strata == s)
        d, weight = int(dead.sum()), float(weights[dead].sum())
        for share in range(d):
            f = share / d if ties == "efron" else 0.0
            present = inside - f * dead
            r = weights * score * present
            centred = x - r @ x / r.sum()
            hazard = weight / d / r.sum()
            residual += (dead / d - score * present * hazard)[:, None] * centred
    return residual


def schoenfeld(x, start, stop, event, strata, weights, offset, beta, ties):
    """Rows of the events by stratum, time and row, and their Schoenfeld residuals."""
    risk = weights * np.exp(x @ beta + offset)
    rows, residuals = [], []
    pairs, at_risk = membership(start, stop, event, strata)
    for (s, t), inside in zip(pairs, at_risk, strict=True):
        dead = event & (stop == t) & (strata == s)
        d = int(dead.sum())
        terms = [risk * (inside - (f / d if ties == "efron" else 0.0) * dead) for f in range(d)]
        mean = sum(r @ x / r.sum() for r in terms) / d
        for row in np.flatnonzero(dead):
            rows.append(row)
            residuals.append(x[row] - mean)
    return np.array(rows), np.array(residuals)


def exact_loglik_score_information(x, start, stop, event, strata, offset, beta):
    """The exact partial likelihood of ties, by listing every subset of every risk set."""
    p = x.shape[1]
    loglik, score, information = 0.0, np.zeros(p), np.zeros((p, p))
    eta = x @ beta + offset
    pairs, at_risk = membership(start, stop, event, strata)
    for (s, t), inside in zip(pairs, at_risk, strict=True):
        dead = np.flatnonzero(event & (stop == t) & (strata == s))
        subsets = list(combinations(np.flatnonzero(inside), dead.size))
        sums = np.array([x[list(subset)].sum(axis=0) for subset in subsets])
        weight = np.exp([eta[list(subset)].sum() for subset in subsets])
        mean = weight @ sums / weight.sum()
        loglik += eta[dead].sum() - np.log(weight.sum())
        score += x[dead].sum(axis=0) - mean
        centred = sums - mean
        information += (centred.T * weight) @ centred / weight.sum()
    return loglik, score, information


def zph(x, start, stop, event, strata, weights, offset, beta, ties, g):
    """Score and information of the covariates and their products with ``g``, by definition.

    ``g`` has a value for each row, the same for equal times; it is centred here.
    """
    g = g - g[event].mean()
    wide = np.zeros((2 * x.shape[1],) * 2)
    score = np.zeros(2 * x.shape[1])
    eta = x @ beta + offset
    pairs, at_risk = membership(start, stop, event, strata)
    for (s, t), inside in zip(pairs, at_risk, strict=True):
        dead = event & (stop == t) & (strata == s)
        d, weight = int(dead.sum()), float(weights[dead].sum())
        both = np.hstack((x, x * g[dead][0]))
        score += weights[dead] @ both[dead]
        for share in range(d):
            r = weights * np.exp(eta) * (inside - (share / d if ties == "efron" else 0.0) * dead)
            mean = r @ both / r.sum()
            score -= weight / d * mean
            wide += weight / d * ((both - mean).T * r) @ (both - mean) / r.sum()
    return score, wide

"""survival's own fitters, called from Python through rpy2."""

from __future__ import annotations

import numpy as np


def survival_fit(x, y, strata, offset, weights, ties, iter_max):
    """Call ``survival::coxph.fit`` or ``agreg.fit`` and return its list as a dict.

    ``y`` has two columns (time, status) or three (start, stop, status); no column of
    ``x`` is exempt from centring.
    """
    from rpy2 import robjects
    from rpy2.robjects import packages

    survival = packages.importr("survival")
    base = packages.importr("base")
    null = robjects.NULL

    def vector(value, kind=robjects.FloatVector):
        return null if value is None else kind(np.asarray(value).tolist())

    def matrix(value):
        return robjects.r.matrix(vector(value.T.ravel()), nrow=value.shape[0])

    fitter = robjects.r("survival:::" + ("agreg.fit" if y.shape[1] == 3 else "coxph.fit"))
    control = survival.coxph_control(**{"iter.max": iter_max})
    fit = base.suppressWarnings(
        fitter(
            matrix(x), matrix(y), vector(strata, robjects.IntVector), vector(offset), null, control,
            weights=vector(weights), method=ties, rownames=null, nocenter=null,
        )
    )  # fmt: skip
    result = {name: np.asarray(value) for name, value in fit.items()}
    p = x.shape[1]
    return {
        "coefficients": result["coefficients"],
        "var": result["var"].reshape(p, p),
        "loglik": result["loglik"],
        "score": float(result["score"].item()),
        "iter": int(result["iter"].item()),
        "means": result["means"],
        "residuals": result["residuals"],
        "linear_predictors": result["linear.predictors"],
    }

"""lifelines: CoxPHFitter, CoxTimeVaryingFitter for (start, stop] rows, concordance_index.

Efron's rule for ties only. It stops when the Newton decrement falls below 1e-7 (1e-9 in relative
log-likelihood), hence the tolerance.
"""

import warnings

import lifelines
import numpy as np
import pandas as pd
from lifelines import CoxPHFitter, CoxTimeVaryingFitter
from lifelines.utils import concordance_index

TOLERANCE = {"default": 1e-5}

warnings.simplefilter("ignore")


def version():
    return f"lifelines {lifelines.__version__}"


def threads():
    return 1


def cannot(case):
    if case["task"] not in ("fit", "concordance"):
        return "no function of its own for this"
    if case["task"] == "fit" and case["tied"] and case["ties"] == "breslow":
        return "Efron's rule for ties only"
    return None


def prepare(case, problem):
    if case["task"] == "concordance":
        return lambda: concordance_index(problem["time"], -problem["x1"], problem["status"])
    if case["counting"]:
        return prepare_time_varying(case, problem)
    names = ["time", "status", *problem.covariates]
    strata = ["stratum"] if case["strata"] else None
    cluster = "id" if case["cluster"] else None
    names += (strata or []) + ([cluster] if cluster else [])
    frame = pd.DataFrame({name: problem[name] for name in names})
    return lambda: CoxPHFitter().fit(
        frame, "time", "status", strata=strata, cluster_col=cluster, robust=cluster is not None
    )


def prepare_time_varying(case, problem):
    names = ["start", "stop", "status", "id", *problem.covariates]
    frame = pd.DataFrame({name: problem[name] for name in names})
    return lambda: CoxTimeVaryingFitter().fit(frame, "status", "start", "stop", id_col="id")


def outcome(task, value):
    if task == "concordance":
        return {"concordance": value}
    return {
        "coefficients": np.asarray(value.params_),
        "se": np.asarray(value.standard_errors_),
        "loglik": value.log_likelihood_,
    }

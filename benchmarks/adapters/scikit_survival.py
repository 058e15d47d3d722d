"""scikit-survival: CoxPHSurvivalAnalysis and concordance_index_censored. No standard errors."""

import sksurv
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.metrics import concordance_index_censored
from sksurv.util import Surv

TOLERANCE = {"default": 1e-6}


def version():
    return f"scikit-survival {sksurv.__version__}"


def threads():
    return 1


def cannot(case):
    if case["task"] not in ("fit", "concordance"):
        return "no function of its own for this"
    if case["task"] == "fit":
        for setting, words in (
            ("counting", "no (start, stop] rows"),
            ("strata", "no strata"),
            ("cluster", "no robust variance"),
        ):
            if case[setting]:
                return words
    return None


def prepare(case, problem):
    event, time = problem.event, problem["time"]
    if case["task"] == "concordance":
        risk = problem["x1"]
        return lambda: concordance_index_censored(event, time, risk)[0]
    x = problem.x
    y = Surv.from_arrays(event, time)
    return lambda: CoxPHSurvivalAnalysis(ties=case["ties"]).fit(x, y)


def outcome(task, value):
    if task == "concordance":
        return {"concordance": value}
    return {"coefficients": value.coef_}

"""statsmodels: PHReg."""

import warnings
from importlib.metadata import version as installed

from statsmodels.duration.hazard_regression import PHReg

TOLERANCE = {"default": 1e-6}

warnings.simplefilter("ignore")


def version():
    return f"statsmodels {installed('statsmodels')}"


def threads():
    return 1


def cannot(case):
    if case["task"] != "fit":
        return "no function of its own for this"
    return None


def prepare(case, problem):
    x = problem.x
    arguments = {
        "endog": problem["stop" if case["counting"] else "time"],
        "status": problem["status"],
        "entry": problem["start"] if case["counting"] else None,
        "strata": problem["stratum"] if case["strata"] else None,
        "ties": case["ties"],
    }
    groups = problem["id"] if case["cluster"] else None
    return lambda: PHReg(exog=x, **arguments).fit(groups=groups)


def outcome(task, value):
    return {"coefficients": value.params, "se": value.bse, "loglik": value.llf}

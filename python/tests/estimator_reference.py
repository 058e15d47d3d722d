"""R's coxph on the rows an estimator is given, and how closely the two agree."""

import numpy as np
from agreement import relative_difference

# Newton's last step leaves an error of about the square of 1e-9; rounding remains.
AGREES = 1e-10
# What of two orders of summation is left in a converged fit of a few hundred rows.
ROUNDING = 1e-11

COXPH = """
fit <- withCallingHandlers(
  coxph(y ~ x + strata(g) + offset(o), weights = w, ties = ties, robust = FALSE, init = init,
        control = coxph.control(iter.max = iter.max), nocenter = nocenter),
  warning = function(w) { said <<- c(said, conditionMessage(w)); invokeRestart("muffleWarning") })
table <- summary(fit)
list(coef = unname(coef(fit)), var = fit$var, loglik = fit$loglik, score = fit$score,
     wald = fit$wald.test, iter = fit$iter, means = unname(fit$means),
     lp = unname(predict(fit, type = "lp", reference = "sample")),
     residuals = unname(residuals(fit)), said = said, n = fit$n, events = fit$nevent,
     table = unname(table$coefficients), limits = unname(table$conf.int),
     confint = unname(confint(fit)), tests = rbind(table$logtest, table$waldtest, table$sctest))
"""


def coxph(r, X, y, *, strata=None, weights=None, offset=None, init=None, iter_max=20, ties="efron",
          nocenter=(-1, 0, 1)):  # fmt: skip
    n = len(y[0])
    surv = "y <- Surv(t1, t2, t3);" if len(y) == 3 else "y <- Surv(t1, t2);"
    times = {f"t{j + 1}": np.asarray(column, dtype=float) for j, column in enumerate(y)}
    return r(
        f"said <- NULL; {surv} {COXPH}",
        **times,
        x=np.asarray(X, dtype=float),
        g=np.zeros(n) if strata is None else strata,
        o=np.zeros(n) if offset is None else offset,
        w=np.ones(n) if weights is None else weights,
        init=np.zeros(np.shape(X)[1]) if init is None else init,
        ties=ties,
        nocenter=np.asarray(nocenter, dtype=float),
        **{"iter.max": iter_max},
    )


def assert_agrees(model, theirs, tolerance=AGREES):
    assert relative_difference(model.coef_, np.atleast_1d(theirs["coef"])) < tolerance
    assert relative_difference(model.variance_, theirs["var"]) < tolerance
    assert relative_difference(model.loglik_, theirs["loglik"]) < tolerance
    assert relative_difference(model.linear_predictors_, theirs["lp"]) < tolerance
    assert relative_difference(model.martingale_residuals_, theirs["residuals"]) < tolerance
    assert relative_difference(model.means_, np.atleast_1d(theirs["means"])) < tolerance
    assert relative_difference([model.score_test_], theirs["score"]) < tolerance
    assert relative_difference([model.wald_test_], theirs["wald"]) < tolerance
    assert [model.n_iter_] == theirs["iter"].tolist()
    assert [model.n_, model.n_events_] == [theirs["n"][0], theirs["events"][0]]

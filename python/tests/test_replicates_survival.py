"""Resamples against survival's coxph on the data frame with the drawn rows repeated."""

import numpy as np
import pandas as pd
import pytest
from agreement import relative_difference
from strategies import Rows, make_rows

from survivalgpu.coxph import fit_coxph
from survivalgpu.newton import NewtonControl
from survivalgpu.resampling.replicates import Replicates

# what the repeated rows are to agree to
PARITY = 1e-7
N_SUBJECTS, N_REPLICATES = 90, 60

REFIT = """
response <- if (counting) quote(Surv(start, stop, event)) else quote(Surv(stop, event))
model <- as.formula(bquote(.(response) ~ x1 + x2 + strata(strata) + offset(offset)))
environment(model) <- environment()
control <- coxph.control(eps = 1e-12, iter.max = 100)
fits <- lapply(seq_len(ncol(counts)), function(b) {
  if (copies) {
    drawn <- rows[rep(seq_len(nrow(rows)), counts[subject, b]), ]
  } else {
    drawn <- rows
    drawn$weights <- drawn$weights * counts[subject, b]
  }
  fit <- coxph(model, drawn, weights = weights, ties = ties, control = control)
  c(coef(fit), fit$loglik[2])
})
do.call(rbind, fits)
"""


def frame(rows: Rows) -> pd.DataFrame:
    columns = {name: getattr(rows, name) for name in ("start", "stop", "strata", "weights")}
    x = {"x1": rows.x[:, 0], "x2": rows.x[:, 1]}
    return pd.DataFrame({**columns, "offset": rows.offset, "event": rows.event.astype(int), **x})


@pytest.mark.parametrize("copies", [True, False])
@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("counting", [True, False])
def test_replicates_are_fits_of_the_repeated_rows(r, counting, ties, copies):
    rows, rng = make_rows(21, 3 * N_SUBJECTS, 2, 25, 3, counting), np.random.default_rng(5)
    subjects = np.arange(3 * N_SUBJECTS) // 3
    if copies:
        chance = np.full(N_SUBJECTS, 1 / N_SUBJECTS)
        counts = rng.multinomial(N_SUBJECTS, chance, N_REPLICATES).T
    else:
        counts = rng.exponential(size=(N_SUBJECTS, N_REPLICATES))
    data = rows.data()
    start = fit_coxph(data, ties).coefficients[0]
    fits = Replicates(data, subjects, ties, NewtonControl(), start).fit(counts, copies)
    theirs = r(
        REFIT,
        rows=frame(rows),
        counts=counts.astype(float),
        subject=subjects + 1,
        counting=counting,
        ties=ties,
        copies=copies,
    )
    assert (fits.status == "converged").all()
    assert relative_difference(fits.coefficients, theirs[:, :2]) < PARITY
    assert relative_difference(fits.loglik, theirs[:, 2]) < PARITY


def test_separated_replicates_are_those_that_survival_warns_of(r):
    rng = np.random.default_rng(12)
    n, n_replicates = 40, 80
    rows = make_rows(30, n, 2, 15, 1, False)
    rare = (np.arange(n) < 3).astype(float)
    rows = Rows(**{**rows.__dict__, "x": np.column_stack([rows.x[:, 0], rare])})
    counts = rng.multinomial(n, np.full(n, 1 / n), n_replicates).T
    data = rows.data()
    start = fit_coxph(data).coefficients[0]
    status = (
        Replicates(data, np.arange(n), "efron", NewtonControl(), start).fit(counts, True).status
    )
    theirs = r(
        """
        model <- Surv(stop, event) ~ x1 + x2 + offset(offset)
        environment(model) <- environment()
        sapply(seq_len(ncol(counts)), function(b) {
          drawn <- rows[rep(seq_len(nrow(rows)), counts[, b]), ]
          warned <- ""
          fit <- withCallingHandlers(
            coxph(model, drawn, weights = weights),
            warning = function(w) {
              warned <<- conditionMessage(w)
              invokeRestart("muffleWarning")
            }
          )
          if (anyNA(coef(fit))) "singular" else if (nzchar(warned)) "infinite" else "converged"
        })
        """,
        rows=frame(rows),
        counts=counts.astype(float),
    )
    assert {"converged", "infinite", "singular"} == set(theirs)
    assert status.tolist() == theirs.tolist()

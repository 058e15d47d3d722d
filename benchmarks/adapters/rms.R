# rms::cph(), which calls survival's fitters. Its default rule to stop is looser than coxph()'s,
# so it is given coxph()'s.

adapter <- list(
  name = "rms",
  start = function() suppressWarnings(suppressPackageStartupMessages(library(rms))),
  version = function() paste("rms", utils::packageVersion("rms")),
  threads = function() 1L,
  cannot = function(case) {
    if (!case$task %in% c("fit", "concordance")) "no function of its own for this"
  },
  prepare = function(case, rows) {
    if (case$task == "concordance") {
      risk <- -rows$x1
      outcome <- Surv(rows$time, rows$status)
      return(function() Hmisc::rcorr.cens(risk, outcome))
    }
    formula <- cox_formula(case, names(rows), environment(), strata = "strat(stratum)")
    function() {
      fit <- cph(
        formula,
        data = rows, method = case$ties, eps = 1e-9, iter.max = 20,
        x = case$cluster, y = case$cluster
      )
      if (case$cluster) robcov(fit, rows$id) else fit
    }
  },
  outcome = function(task, value) {
    if (task == "concordance") {
      return(list(concordance = unname(value["C Index"])))
    }
    list(
      coefficients = unname(stats::coef(value)), se = unname(sqrt(diag(value$var))),
      loglik = value$loglik[2]
    )
  },
  tolerance = c(default = 1e-7)
)

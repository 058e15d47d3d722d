# What is measured, for any function that is called as survival::coxph() is. A task makes the call
# to time, and turns its value into the numbers on which engines must agree.

cox_formula <- function(case, columns, environment, strata = "strata(stratum)") {
  outcome <- if (case$counting) "Surv(start, stop, status)" else "Surv(time, status)"
  covariates <- grep("^x[0-9]+$", columns, value = TRUE)
  terms <- c(covariates, if (case$strata) strata)
  stats::as.formula(paste(outcome, "~", paste(terms, collapse = " + ")), environment)
}

# The user's call, in an environment where `rows` is the data.
cox_call <- function(case, rows, fitter, ...) {
  scope <- new.env(parent = globalenv())
  scope$rows <- rows
  call <- as.call(list(
    as.name(fitter), cox_formula(case, names(rows), scope),
    data = quote(rows), ties = case$ties
  ))
  if (case$cluster) call$cluster <- quote(id)
  list(call = call, scope = scope)
}

# A function of no arguments: what is timed. `fitter_inside` finds, by the name of one of
# survival's fitters, the function that does its work in this engine.
prepare_cox <- function(case, rows, fitter, fitter_inside) {
  model <- cox_call(case, rows, fitter)
  fit <- function() eval(model$call, model$scope)
  if (case$task == "fit") {
    return(fit)
  }
  if (case$task == "fitter") {
    return(prepare_fitter(case, rows, fitter_inside))
  }
  after_fit(case$task, fit(), rows)
}

# The functions are called by the names a user would write, so that a method or a mask of the
# package under test is what answers.
after_fit <- function(task, fit, rows) {
  few <- rows[seq_len(min(nrow(rows), 5L)), ]
  switch(task,
    concordance = function() concordance(fit),
    dfbeta = function() residuals(fit, type = "dfbeta"),
    zph = function() cox.zph(fit),
    survfit = function() survfit(fit),
    survfit_new = function() survfit(fit, newdata = few),
    expected = function() predict(fit, type = "expected"),
    expected_new = function() predict(fit, newdata = rows, type = "expected", se.fit = TRUE),
    stop("unknown task: ", task)
  )
}

# survival's coxph() prepares the arguments of its fitter, and is left there; the fitter alone is
# then called on them.
prepare_fitter <- function(case, rows, fitter_inside) {
  name <- if (case$counting) "agreg.fit" else "coxph.fit"
  fitter <- get(name, envir = asNamespace("survival"))
  record <- function(...) {
    arguments <- as.list(match.call(fitter, as.call(list(quote(fitter), ...))))[-1L]
    stop(structure(class = c("recorded", "error", "condition"), list(arguments = arguments)))
  }
  recorder <- survival::coxph
  environment(recorder) <- new.env(parent = asNamespace("survival"))
  assign(name, record, environment(recorder))
  model <- cox_call(case, rows, "recorder")
  model$scope$recorder <- recorder
  recorded <- tryCatch(eval(model$call, model$scope), recorded = function(cnd) cnd$arguments)

  inside <- fitter_inside(name)
  # by name, so that no error message or traceback deparses the data
  arguments <- lapply(stats::setNames(nm = names(recorded)), as.name)
  call <- as.call(c(list(quote(inside)), arguments))
  scope <- list2env(c(list(inside = inside), recorded), parent = globalenv())
  function() eval(call, scope)
}

# ---- outcomes ------------------------------------------------------------------------------------

cox_outcome <- function(task, value) {
  switch(task,
    fit = fit_outcome(value),
    fitter = fitter_outcome(value),
    concordance = list(
      concordance = unname(value$concordance), se = sqrt(value$var),
      counts = as.double(value$count)
    ),
    dfbeta = list(dfbeta = as.double(value)),
    zph = list(zph = as.double(value$table[, 1:2]), schoenfeld = as.double(value$y)),
    survfit = ,
    survfit_new = list(
      time = value$time, surv = as.double(value$surv), std_err = as.double(value$std.err)
    ),
    expected = list(expected = as.double(value)),
    bootstrap = list(resampled = as.double(value)),
    permutation = list(score = as.double(value)),
    expected_new = list(expected = as.double(value$fit), se = as.double(value$se.fit))
  )
}

fit_outcome <- function(fit) {
  list(
    coefficients = unname(stats::coef(fit)), se = unname(sqrt(diag(stats::vcov(fit)))),
    loglik = fit$loglik[2], concordance = unname(fit$concordance["concordance"]),
    concordance_se = unname(fit$concordance["std"])
  )
}

fitter_outcome <- function(fit) {
  list(
    coefficients = unname(fit$coefficients), se = sqrt(diag(fit$var)),
    loglik = fit$loglik[2], residuals = unname(fit$residuals)
  )
}

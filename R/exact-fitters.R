# Our coxexact.fit() and agexact.fit(), for ties = "exact": survival's checks, one call of
# the bridge, a result shaped as survival's. stop() and warning() stay in the fitters' own
# frames, as in R/fitters.R.

exact_right_fitter <- function(device) {
  force(device)
  function(x, y, strata, offset, init, control, weights, method, rownames,
           resid = TRUE, nocenter = NULL) {
    if (anyNA(strata) || NCOL(x) == 0) {
      return(survivals_own("coxexact.fit", sys.call(), parent.frame(), quiet = !anyNA(strata)))
    }
    refused <- exact_refusal(x, weights, init)
    if (!is.null(refused)) stop(refused)
    uncentred <- uncentred_columns(x, nocenter)
    if (any(without_spread(x, uncentred))) {
      # what survival's routines make of a column divided by a deviation of zero
      stop("NA/NaN/Inf in foreign function call (arg 5)")
    }
    fit <- fit_exact(x, y, strata, offset, init, device, control, uncentred, resid)
    for (text in exact_warnings(fit, control)) warning(text)
    if (resid) names(fit$residuals) <- rownames
    shape_exact_right(fit, colnames(x), method)
  }
}

exact_counting_fitter <- function(device) {
  force(device)
  function(x, y, strata, offset, init, control, weights, method, rownames,
           resid = TRUE, nocenter = NULL) {
    if (anyNA(strata) || NCOL(x) == 0) {
      return(survivals_own("agexact.fit", sys.call(), parent.frame(), quiet = !anyNA(strata)))
    }
    refused <- exact_refusal(x, weights, init)
    if (!is.null(refused)) stop(refused)
    if (ncol(y) == 2) y <- cbind(0, y)
    uncentred <- uncentred_columns(x, nocenter)
    fit <- fit_exact(x, y, strata, offset, init, device, control, uncentred, resid)
    for (text in exact_warnings(fit, control)) warning(text)
    if (resid) names(fit$residuals) <- rownames
    shape_exact_counting(fit, x)
  }
}

# survival's reason to refuse the input, or NULL.
exact_refusal <- function(x, weights, init) {
  if (!is.matrix(x)) {
    "Invalid formula for cox fitting function"
  } else if (!is.null(weights) && any(weights != 1)) {
    "Case weights are not supported for the exact method"
  } else if (!length(init) %in% c(0L, ncol(x))) {
    "Wrong length for inital values"
  }
}

# Columns that survival divides by a standard deviation of zero, or of a single row.
without_spread <- function(x, uncentred) {
  vapply(which(!uncentred), FUN.VALUE = NA, function(j) nrow(x) < 2 || all(x[, j] == x[1L, j]))
}

exact_warnings <- function(fit, control) {
  if (control$iter.max <= 1) {
    return(character())
  }
  if (fit$flag == 1000L) {
    return("Ran out of iterations and did not converge")
  }
  step <- next_step(fit)
  infinite_warning(
    step > control$eps & step > control$toler.inf * abs(fit$coefficients), "beta"
  )
}

# survival reports NA for redundant columns even without iterations, but not where they
# ran out.
exact_coefficients <- function(fit, columns) {
  coefficients <- stats::setNames(fit$coefficients, columns)
  if (fit$flag < length(coefficients)) {
    coefficients[diag(fit$var) == 0] <- NA
  }
  coefficients
}

shape_exact_right <- function(fit, columns, method) {
  list(
    coefficients = exact_coefficients(fit, columns),
    var = fit$var,
    loglik = fit$loglik,
    score = fit$score,
    iter = as.double(fit$iter),
    linear.predictors = fit$linear_predictors,
    residuals = fit$residuals,
    means = stats::setNames(fit$means, columns),
    method = method,
    class = "coxph"
  )
}

# survival names no class for this fit, and calls its method "coxph".
shape_exact_counting <- function(fit, x) {
  predictors <- matrix(fit$linear_predictors)
  if (!is.null(rownames(x))) dimnames(predictors) <- list(rownames(x), NULL)
  shaped <- list(
    coefficients = exact_coefficients(fit, colnames(x)),
    var = fit$var,
    loglik = fit$loglik,
    score = fit$score,
    iter = fit$iter,
    linear.predictors = predictors,
    residuals = fit$residuals,
    means = fit$means,
    method = "coxph"
  )
  Filter(Negate(is.null), shaped)
}

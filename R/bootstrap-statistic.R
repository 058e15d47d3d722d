# What is computed from the coefficients: the user's statistic, and the influence of the
# subjects.

check_statistic <- function(statistic, call) {
  if (!is.null(statistic) && !is.function(statistic)) {
    abort_resampling(
      c(
        "{.arg statistic} must be a function, not {.obj_type_friendly {statistic}}.",
        i = "It takes the vector of coefficients and returns one or more numbers."
      ),
      call
    )
  }
}

# The statistic at `beta`: a named vector, NULL without one.
evaluate_statistic <- function(statistic, beta, call) {
  if (is.null(statistic)) {
    return(NULL)
  }
  value <- statistic(beta)
  if (!is.numeric(value) || length(value) == 0L) {
    abort_resampling(
      c(
        "{.arg statistic} must return numbers, not {.obj_type_friendly {value}}.",
        i = "It is given the vector of coefficients."
      ),
      call
    )
  }
  names <- rlang::names2(value)
  unnamed <- !nzchar(names)
  names[unnamed] <- paste0("statistic", seq_along(value))[unnamed]
  taken <- intersect(names, names(beta))
  names[names %in% taken] <- paste0("statistic.", names[names %in% taken])
  stats::setNames(as.double(value), make.unique(names))
}

# Resamples by numbers; NA where the resample was not fitted.
statistic_of_replicates <- function(statistic, coefficients, status, at_estimate) {
  if (is.null(statistic)) {
    return(NULL)
  }
  values <- matrix(
    NA_real_, nrow(coefficients), length(at_estimate),
    dimnames = list(NULL, names(at_estimate))
  )
  for (b in which(status == "converged")) {
    value <- statistic(coefficients[b, ])
    if (!is.numeric(value) || length(value) != length(at_estimate)) {
      cli::cli_abort(
        c(
          "{.arg statistic} returned {length(value)} value{?s} for resample {b}, and
           {length(at_estimate)} for the estimate.",
          i = "It must return as many numbers for all coefficients."
        ),
        class = c("survivalGPU_invalid_argument", "survivalGPU_error"), call = NULL
      )
    }
    values[b, ] <- value
  }
  values
}

# Influence of each subject on the coefficients: a matrix, subjects by coefficients, NA for
# those not estimated. dfbeta is the infinitesimal jackknife, the change of the estimate with
# the weight of the subject.
subject_influence <- function(fit, rows, device) {
  estimated <- rows$estimated
  n_subjects <- max(rows$subjects) + 1L
  variance <- as.matrix(model_variance(fit))[estimated, estimated, drop = FALSE]
  influence <- matrix(NA_real_, n_subjects, length(estimated))
  influence[, estimated] <- cox_score_residuals(
    c(
      rows[c("x", "y", "strata", "weights", "ties")],
      list(linear_predictors = fit$linear.predictors)
    ),
    variance, TRUE, list(codes = rows$subjects, n = n_subjects), device
  )
  influence
}

# Efron's acceleration of each column: sum L^3 / (6 (sum L^2)^(3/2)).
acceleration <- function(influence) {
  colSums(influence^3) / (6 * colSums(influence^2)^1.5)
}

# That of a statistic, by its derivatives at the estimate (the delta method).
statistic_acceleration <- function(statistic, beta, at_estimate, influence) {
  if (is.null(statistic)) {
    return(NULL)
  }
  estimated <- which(!is.na(beta))
  derivatives <- vapply(estimated, FUN.VALUE = double(length(at_estimate)), function(j) {
    step <- .Machine$double.eps^(1 / 3) * max(abs(beta[[j]]), 1e-2)
    (statistic(replace(beta, j, beta[[j]] + step)) -
      statistic(replace(beta, j, beta[[j]] - step))) / (2 * step)
  })
  derivatives <- matrix(derivatives, nrow = length(at_estimate))
  acceleration(influence[, estimated, drop = FALSE] %*% t(derivatives))
}

# Residuals of a fit whose sums over risk sets are computed by the core: survival's
# take time proportional to rows times event times.

#' Residuals of a `coxphGPU` fit
#'
#' Those of [survival::residuals.coxph()]: same types, values, names and shape.
#' Score residuals, dfbeta, dfbetas, Schoenfeld and scaled Schoenfeld residuals
#' are computed on the fit's device in time proportional to the number of rows;
#' survival's time grows with rows times event times. The other types are
#' survival's own.
#'
#' @details
#' With \eqn{\bar x_{kl}} the weighted mean of the covariates over the risk set at
#' event time \eqn{k}, in the \eqn{l}-th term of Efron's approximation:
#'
#' - `"schoenfeld"`: at each event, \eqn{x_i - \frac{1}{d_k}\sum_l \bar x_{kl}}; rows
#'   by stratum, then time. `"scaledsch"`: times the variance and the number of
#'   events, plus the coefficients.
#' - `"score"`: the row's share of the score vector; their weighted sum is the
#'   score, 0 at the maximum.
#' - `"dfbeta"`: score residuals times the variance (the model-based one where the
#'   fit has both), weighted by default; `"dfbetas"`: in units of standard errors.
#'
#' Fits by the exact partial likelihood, penalised, null and multi-state fits, and
#' models with `tt()` are left to survival, with its errors where it has none of
#' the residuals asked for. As in survival 3.5-3, `weighted = TRUE` multiplies
#' Schoenfeld residuals by the case weights in the order of the rows, not of the
#' events.
#'
#' @param object A fit of [coxphGPU()].
#' @param type The residuals; the first letters will do.
#' @param collapse A vector with one value for each row of residuals (rows padded by
#'   `na.exclude` included): score-type residuals of rows with the same value are
#'   added up, as by patient.
#' @param weighted Whether to multiply by the case weights.
#' @param ... Not used.
#' @return A vector, or for score-type residuals of several covariates a matrix with a
#'   column for each, as survival returns them.
#' @references
#' Therneau TM, Grambsch PM, Fleming TR (1990). Martingale-based residuals for
#' survival models. *Biometrika* 77, 147-160.
#'
#' Schoenfeld D (1982). Partial residuals for the proportional hazards regression
#' model. *Biometrika* 69, 239-241.
#' @seealso [cox.zph()] for a test on the Schoenfeld residuals.
#' @examplesIf survivalGPU:::python_ready()
#' library(survival)
#' fit <- coxphGPU(Surv(time, status) ~ age + sex, data = lung, device = "cpu")
#' head(residuals(fit, type = "dfbeta"))
#' colSums(residuals(fit, type = "score"))
#' @method residuals coxphGPU
#' @export
residuals.coxphGPU <- function(object, type = c(
                                 "martingale", "deviance", "score", "schoenfeld",
                                 "dfbeta", "dfbetas", "scaledsch", "partial"
                               ), collapse = FALSE,
                               weighted = (type %in% c("dfbeta", "dfbetas")), ...) {
  type <- match.arg(type)
  force(weighted)
  if (!core_residuals(object, type)) {
    return(NextMethod())
  }
  data <- residual_data(object)
  if (is.null(data)) {
    return(NextMethod())
  }
  device <- device_of(object)
  if (type %in% c("schoenfeld", "scaledsch")) {
    return(schoenfeld_type(object, data, type, weighted, device))
  }
  if (missing(collapse)) {
    collapse <- NULL
  } else if (length(collapse) != length(naresid(object$na.action, object$residuals))) {
    stop("Wrong length for 'collapse'")
  }
  score_type(object, data, type, collapse, weighted, device)
}

# coxph()'s own residuals.coxph(), from which it makes the robust variance and, last, the
# robust score test: its fit has no class, and x, y and the strata in it. What the fitter
# has left of the same rows in the environment `kept` need not be made again.
robust_residuals <- function(device, kept) {
  force(device)
  function(object, type, collapse, weighted = FALSE) {
    if (type == "score") on.exit(release_kept(kept))
    data <- if (core_residuals(object, type) && !anyNA(object$strata)) residual_data(object)
    if (is.null(data)) {
      call <- match.call()
      call[[1L]] <- get("residuals.coxph", envir = asNamespace("survival"))
      return(eval(call, parent.frame()))
    }
    if (is_kept(data, kept)) data$prepared <- kept$prepared
    collapse <- if (!missing(collapse)) collapse
    group <- if (is.integer(collapse)) numbered_groups else group_rows
    score_type(object, data, type, collapse, weighted, device, group)
  }
}

# Whether these are the rows that the fitter had, which takes no time where they are the
# same objects.
is_kept <- function(data, kept) {
  !is.null(kept$prepared) && all(mapply(identical, kept$rows, data[names(kept$rows)]))
}

release_kept <- function(kept) {
  if (!is.null(kept$prepared)) release_rows(kept$prepared)
  kept$prepared <- kept$rows <- NULL
}

# Whether the core computes these residuals of this fit.
core_residuals <- function(object, type) {
  type %in% c("score", "schoenfeld", "dfbeta", "dfbetas", "scaledsch") &&
    isTRUE(object$method %in% c("efron", "breslow")) && is_core_fit(object)
}

is_core_fit <- function(fit) {
  !inherits(fit, c("coxph.null", "coxphms", "coxph.penal")) && is.null(fit$pterms) &&
    length(fit$coefficients) > 0
}

# The rows of a fit: list(x =, y =, strata =, weights =, linear_predictors =, ties =), or
# NULL where they cannot be had or are not those of the fit.
residual_data <- function(object) {
  rows <- list(y = object$y, x = object[["x"]], strata = object$strata)
  if (is.null(rows$y) || is.null(rows$x)) {
    # the rows of a tt() model are not those of its data
    if (length(attr(object$terms, "specials")$tt) > 0) {
      return(NULL)
    }
    rows <- made_again(object)
  }
  dim_x <- c(length(object$residuals), length(object$coefficients))
  if (!identical(dim(rows$x), dim_x) || nrow(rows$y) != dim_x[1L] ||
    !is_finite_numbers(object$linear.predictors)) {
    return(NULL)
  }
  list(
    x = rows$x, y = rows$y, strata = rows$strata, weights = object$weights,
    linear_predictors = object$linear.predictors, ties = object$method
  )
}

# y, x and strata by survival's own function, with the front end's faster parts.
made_again <- function(object) {
  rows_of <- rebound(
    survivals("coxph.getdata"), list(model.matrix.coxph = fresh(front_end$fit_matrix))
  )
  rows_of(object, y = TRUE, x = TRUE, stratax = TRUE)
}

survivals <- function(name) {
  get(name, envir = asNamespace("survival"))
}

# The variance that dfbeta and scaled Schoenfeld residuals are made with.
model_variance <- function(object) {
  drop(object$naive.var %||% object$var)
}

# `group` makes groups of what is not padded or missing.
score_type <- function(object, data, type, collapse, weighted, device, group = group_rows) {
  variance <- model_variance(object)
  matrix <- switch(type,
    score = NULL,
    dfbeta = variance,
    dfbetas = if (length(variance) == 1L) {
      sqrt(variance)
    } else {
      variance * rep(sqrt(1 / diag(variance)), each = nrow(variance))
    }
  )
  # padding and missing groups are left to R
  padded <- inherits(object$na.action, "exclude")
  groups <- if (!padded && !is.null(collapse) && is_plain(collapse)) group(collapse)
  values <- cox_score_residuals(data, matrix, weighted, groups, device)
  columns <- switch(type,
    score = names(object$coefficients),
    dfbeta = colnames(variance)
  )
  if (!is.null(groups)) {
    dimnames(values) <- list(groups$labels, if (ncol(values) > 1) columns)
    return(drop(values))
  }
  if (ncol(values) > 1) {
    dimnames(values) <- list(names(object$residuals), columns)
  } else {
    values <- stats::setNames(values[, 1], names(object$residuals))
  }
  values <- naresid(object$na.action, values)
  if (is.null(collapse)) values else drop(rowsum(values, collapse))
}

is_plain <- function(collapse) {
  (is.atomic(collapse) || is.factor(collapse)) && is.null(dim(collapse)) && !anyNA(collapse)
}

# Groups in the order and with the labels that rowsum() gives them.
group_rows <- function(collapse) {
  groups <- sort(unique(collapse), na.last = TRUE, method = "quick")
  list(
    codes = match(collapse, groups) - 1L, n = length(groups), labels = as.character(groups)
  )
}

# coxph()'s own numbers of clusters, from 1. It adds up over all clusters: one without rows
# changes nothing, and nobody sees the labels.
numbered_groups <- function(collapse) {
  list(codes = collapse - 1L, n = max(collapse))
}

schoenfeld_type <- function(object, data, type, weighted, device) {
  found <- cox_schoenfeld_residuals(data, device)
  values <- found$residuals
  if (ncol(values) == 1) values <- values[, 1]
  if (weighted && !is.null(object$weights)) {
    values <- values * object$weights[sorted_deaths(data)]
  }
  if (length(attr(object$terms, "specials")$strata)) {
    attr(values, "strata") <- table((data$strata[found$rows]))
  }
  times <- data$y[found$rows, ncol(data$y) - 1L]
  if (is.matrix(values)) {
    dimnames(values) <- list(times, names(object$coefficients))
  } else {
    names(values) <- times
  }
  if (type == "schoenfeld") values else scale_schoenfeld(values, object, length(times))
}

# survival takes the weights by the places of the events among the sorted rows.
sorted_deaths <- function(data) {
  status <- data$y[, ncol(data$y)]
  times <- data$y[, ncol(data$y) - 1L]
  strata <- if (is.null(data$strata)) rep(0L, length(times)) else as.numeric(data$strata)
  status[order(strata, times, -status)] == 1
}

scale_schoenfeld <- function(values, object, n_events) {
  variance <- model_variance(object)
  coefficients <- ifelse(is.na(object$coefficients), 0, object$coefficients)
  if (!is.matrix(values)) {
    return(values * variance * n_events + coefficients)
  }
  columns <- colnames(values)
  scaled <- drop(
    values %*% variance * n_events + rep(coefficients, each = nrow(values))
  )
  colnames(scaled) <- columns
  scaled
}

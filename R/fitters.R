# Our coxph.fit() and agreg.fit(): survival's checks, one call of the bridge, a
# result shaped as survival's. coxph() prints their errors and warnings with the
# call of the fitter, so stop() and warning() stay in the fitters' own frames.

right_censored_fitter <- function(device, kept) {
  force(device)
  function(x, y, strata, offset, init, control, weights, method, rownames,
           resid = TRUE, nocenter = NULL) {
    if (anyNA(strata)) {
      return(survivals_own("coxph.fit", sys.call(), parent.frame()))
    }
    rows <- model_rows(x, y, strata, given(offset), given(weights))
    init <- if (ncol(rows$x) > 0) given(init)
    refused <- refusal(rows, init, finite_times = resid)
    if (!is.null(refused)) stop(refused)
    keeper <- if (is_robust(parent.frame())) kept
    fit <- fit_rows(rows, init, method, device, control, nocenter, resid, rownames, keeper)
    if (ncol(rows$x) == 0) {
      return(shape_right_null(fit, rows$offset, method))
    }
    for (text in right_warnings(fit, control)) warning(text)
    shape_right(fit, colnames(rows$x), control, method)
  }
}

counting_fitter <- function(device, kept) {
  force(device)
  function(x, y, strata, offset, init, control, weights, method, rownames,
           resid = TRUE, nocenter = NULL) {
    if (anyNA(strata)) {
      return(survivals_own("agreg.fit", sys.call(), parent.frame()))
    }
    if (no_events(y)) stop("Can't fit a Cox model with 0 failures")
    rows <- model_rows(x, y, strata, given(offset), given(weights))
    refused <- refusal(rows, init)
    if (!is.null(refused)) stop(refused)
    keeper <- if (is_robust(parent.frame())) kept
    fit <- fit_rows(rows, init, method, device, control, nocenter, resid, rownames, keeper)
    if (ncol(rows$x) == 0) {
      return(shape_counting_null(fit, rows$offset, method))
    }
    if (control$iter.max > 1 && !all(is.finite(c(fit$coefficients, fit$var)))) {
      stop(
        "routine failed due to numeric overflow.",
        "This should never happen.  Please contact the author."
      )
    }
    for (text in counting_warnings(fit, control)) warning(text)
    shape_counting(fit, colnames(rows$x), control, method)
  }
}

# The value of an argument, or NULL where it was not given.
given <- function(argument) {
  if (!eval.parent(call("missing", substitute(argument)))) argument
}

model_rows <- function(x, y, strata, offset, weights) {
  list(
    x = if (length(x) == 0) matrix(0, nrow(y), 0L) else as.matrix(x),
    y = y,
    strata = strata,
    offset = offset %||% rep(0, nrow(y)),
    weights = weights
  )
}

# What coxph(), whose frame is `frame`, has made of its argument `robust`: with TRUE, it asks
# for score residuals after the fit.
is_robust <- function(frame) {
  isTRUE(get0("robust", envir = frame, inherits = FALSE))
}

# Leaves the rows as Python has prepared them in the environment `kept`, if there is one.
fit_rows <- function(rows, init, method, device, control, nocenter, resid, rownames,
                     kept = NULL) {
  keep <- !is.null(kept) && ncol(rows$x) > 0
  fit <- fit_cox(
    rows$x, rows$y, rows$strata, rows$offset, rows$weights, init, method, device, control,
    uncentred_columns(rows$x, nocenter), resid, keep
  )
  if (keep) {
    kept$rows <- rows[c("x", "y", "strata", "weights")]
    kept$prepared <- fit$prepared
  }
  if (resid) names(fit$residuals) <- rownames
  fit
}

# survival lets rows without a stratum through where a multi-state formula has
# strata in some of its parts; what it makes of them is kept. The call is
# evaluated as coxph() wrote it, for the sake of its warnings.
survivals_own <- function(name, call, frame, quiet = FALSE) {
  if (!quiet) announce_deferral("strata", "A model with missing strata")
  scope <- new.env(parent = frame)
  scope[[name]] <- get(name, envir = asNamespace("survival"))
  call[[1L]] <- as.name(name)
  eval(call, scope)
}

# survival's reason to refuse the input, or NULL. Infinite times of right-censored data
# are refused in the words of the routine that computes survival's residuals.
refusal <- function(rows, init, finite_times = FALSE) {
  if (any(rows$weights <= 0)) {
    "Invalid weights, must be >0"
  } else if (!length(init) %in% c(0L, ncol(rows$x))) {
    "Wrong length for inital values"
  } else if (finite_times && !finite_column(rows$y, 1L)) {
    "NA/NaN/Inf in foreign function call (arg 3)"
  }
}

no_events <- function(y) {
  all_zero(y, ncol(y))
}

# Whether a vector is all zeros, or a column of a matrix.
all_zero <- function(x, column = NULL) {
  storage.mode(x) <- "double"
  .Call(front_all_equal_to, x, 0, column)
}

finite_column <- function(x, column) {
  storage.mode(x) <- "double"
  .Call(front_all_finite, x, column)
}

# Columns made of `nocenter` values only, which survival leaves uncentred.
uncentred_columns <- function(x, nocenter) {
  if (length(nocenter) == 0 || !is.numeric(nocenter) || anyNA(nocenter)) {
    return(vapply(seq_len(ncol(x)), function(j) all(x[, j] %in% nocenter), NA))
  }
  storage.mode(x) <- "double"
  vapply(seq_len(ncol(x)), FUN.VALUE = NA, function(j) {
    .Call(front_only_among, x, j, as.double(nocenter))
  })
}

# How far one more Newton step would move each coefficient.
next_step <- function(fit) {
  abs(drop(fit$score_vector %*% fit$var))
}

right_warnings <- function(fit, control) {
  if (control$iter.max <= 1) {
    return(character())
  }
  step <- next_step(fit)
  if (fit$flag == 1000L) {
    infinite <- max(fit$linear_predictors) > 500 || !all(is.finite(step))
    return(c(
      "Ran out of iterations and did not converge",
      if (infinite) "one or more coefficients may be infinite"
    ))
  }
  infinite <- !is.finite(fit$score_vector) |
    (step > control$eps & step > control$toler.inf * abs(fit$coefficients))
  infinite_warning(infinite, "coefficient")
}

counting_warnings <- function(fit, control) {
  if (control$iter.max <= 1) {
    return(character())
  }
  if (fit$flag[4] > 0) {
    return("Ran out of iterations and did not converge")
  }
  infinite <- !is.finite(fit$score_vector) |
    next_step(fit) > control$toler.inf * (1 + abs(fit$coefficients))
  infinite_warning(infinite, "beta")
}

# survival's words, blanks included.
infinite_warning <- function(infinite, noun) {
  if (length(which(infinite)) > 0) {
    variables <- paste(which(infinite), collapse = ",")
    paste("Loglik converged before variable ", variables, ";", noun, "may be infinite. ")
  }
}

# NA for the coefficients of columns found to be singular, unless the user asked
# for no iterations at all.
reported_coefficients <- function(fit, rank, columns, control) {
  coefficients <- stats::setNames(fit$coefficients, columns)
  if (control$iter.max > 0 && rank < length(coefficients)) {
    coefficients[diag(fit$var) == 0] <- NA
  }
  coefficients
}

shape_right <- function(fit, columns, control, method) {
  shaped <- list(
    coefficients = reported_coefficients(fit, fit$flag, columns, control),
    var = fit$var,
    loglik = fit$loglik,
    score = fit$score,
    iter = fit$iter,
    linear.predictors = fit$linear_predictors,
    residuals = fit$residuals,
    means = fit$means,
    method = method,
    class = "coxph"
  )
  Filter(Negate(is.null), shaped)
}

shape_counting <- function(fit, columns, control, method) {
  shaped <- list(
    coefficients = reported_coefficients(fit, fit$flag[1], columns, control),
    var = fit$var,
    loglik = fit$loglik,
    score = fit$score,
    iter = fit$iter,
    linear.predictors = fit$linear_predictors,
    residuals = fit$residuals,
    means = stats::setNames(fit$means, columns),
    first = fit$score_vector,
    info = stats::setNames(
      fit$flag, c("rank", "rescale", "step halving", "convergence")
    ),
    method = method,
    class = "coxph"
  )
  Filter(Negate(is.null), shaped)
}

shape_right_null <- function(fit, offset, method) {
  shaped <- list(
    loglik = fit$loglik[1],
    linear.predictors = offset,
    residuals = fit$residuals,
    method = method,
    class = c("coxph.null", "coxph")
  )
  Filter(Negate(is.null), shaped)
}

shape_counting_null <- function(fit, offset, method) {
  shaped <- list(
    loglik = fit$loglik[2],
    linear.predictors = offset,
    method = method,
    class = c("coxph.null", "coxph")
  )
  shaped$residuals <- fit$residuals
  shaped
}

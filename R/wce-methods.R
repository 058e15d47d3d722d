# Methods for wceGPU() fits: what WCE's own return, and what R expects of a model.

# Number of the best model by the fit's criterion, or of all of them.
chosen_models <- function(fit, allres, call = rlang::caller_env()) {
  check_flag(allres, "allres", call)
  if (allres) seq_along(fit$info.criterion) else which.min(fit$info.criterion)
}

criterion_name <- function(fit) if (fit$aic) "AIC" else "BIC"

#' Methods for weighted cumulative exposure models
#'
#' What there is in a fit of [wceGPU()]. `logLik()`, and with it `AIC()` and `BIC()`, are of
#' the best model; `BIC()` counts events, as WCE does. `coef()` and `vcov()` are of all.
#'
#' @param x,object A fit made by [wceGPU()].
#' @param allres Whether to show all models and not the best only.
#' @param digits Significant digits.
#' @param ... Ignored.
#' @return `coef()`: a list of `WCEest`, the coefficients of the artificial covariates, and
#'   `covariates`, both with one row per model. `vcov()`: a list of matrices, one per model.
#'   `logLik()`: of class `logLik`. `nobs()`: the number of events. `summary()`: a list of
#'   tables, of class `summary.wceGPU`.
#' @name wce-methods
#' @seealso [wceGPU()], [plot.wceGPU()], [HR()]
NULL

#' @rdname wce-methods
#' @export
print.wceGPU <- function(x, digits = max(3L, getOption("digits") - 3L), ...) {
  cat("Call:\n")
  dput(x$call, control = NULL)
  cat("\n", wce_title(x), "\n\n", sep = "")
  models <- data.frame(
    loglik = drop(x$loglik), x$info.criterion[1L, ],
    best = ifelse(seq_along(x$info.criterion) == chosen_models(x, FALSE), "*", "")
  )
  names(models) <- c("loglik", criterion_name(x), "")
  rownames(models) <- names(x$knotsmat)
  print(models, digits = max(digits, 6L))
  if (!is.null(x$covariates)) {
    cat("\nCovariates of the best model:\n")
    print(covariate_table(x, chosen_models(x, FALSE)), digits = digits)
  }
  cat("\nn= ", x$n, " subjects, number of events= ", x$nevents, "\n", sep = "")
  invisible(x)
}

wce_title <- function(x) {
  kind <- switch(as.character(x$constrained),
    Right = "right-constrained",
    Left = "left-constrained",
    "unconstrained"
  )
  paste0("Weighted cumulative exposure over ", ncol(x$WCEmat), " days, ", kind)
}

covariate_table <- function(fit, model) {
  coefficient <- fit$beta.hat.covariates[model, ]
  se <- fit$se.covariates[model, ]
  z <- coefficient / se
  cbind(
    coef = coefficient, "exp(coef)" = exp(coefficient), "se(coef)" = se, z = z,
    p = 2 * stats::pnorm(-abs(z))
  )
}

#' @rdname wce-methods
#' @export
summary.wceGPU <- function(object, allres = FALSE, ...) {
  models <- chosen_models(object, allres)
  structure(
    list(
      call = object$call,
      title = wce_title(object),
      criterion = criterion_name(object),
      models = lapply(rlang::set_names(models, names(object$knotsmat)[models]), function(model) {
        list(
          knots = interior_knots(object, model),
          covariates = if (!is.null(object$covariates)) covariate_table(object, model),
          effect = total_effect(object, model, !allres),
          loglik = object$loglik[model],
          df = nrow(object$vcovmat[[model]]),
          info.criterion = object$info.criterion[model]
        )
      }),
      n = object$n,
      nevents = object$nevents,
      level = object$confint,
      chosen = if (!is.null(object$bootstrap)) choices_of_resamples(object)
    ),
    class = "summary.wceGPU"
  )
}

interior_knots <- function(fit, model) {
  knots <- fit$knotsmat[[model]]
  knots[seq(5L, length(knots) - 4L)]
}

# Log hazard ratio of a dose of 1 on all days within the cutoff against none, with limits.
total_effect <- function(fit, model, reselect) {
  all_days <- matrix(1, 1L, ncol(fit$WCEmat))
  contrast_limits(fit, all_days, model, fit$confint, wce_interval_type(fit, NULL), reselect)[1L, ]
}

# How many resamples chose each model.
choices_of_resamples <- function(fit) {
  rlang::set_names(tabulate(fit$bootstrap$best, length(fit$est)), names(fit$est))
}

#' @rdname wce-methods
#' @export
print.summary.wceGPU <- function(x, digits = max(3L, getOption("digits") - 3L), ...) {
  cat("Call:\n")
  dput(x$call, control = NULL)
  cat("\n", x$title, "\n", sep = "")
  for (name in names(x$models)) {
    model <- x$models[[name]]
    cat("\n", name, " at ", paste(model$knots, collapse = ", "), "\n", sep = "")
    if (!is.null(model$covariates)) {
      stats::printCoefmat(
        model$covariates,
        digits = digits, P.values = TRUE, has.Pvalue = TRUE, signif.legend = FALSE
      )
    }
    effect <- formatC(exp(model$effect), digits = digits, format = "g")
    cat(
      "Dose of 1 on all days against none: hazard ratio ", effect[["estimate"]], " (",
      100 * x$level, "% ", effect[["lower"]], " to ", effect[["upper"]], ")",
      "\nLog partial likelihood ", format(model$loglik, digits = digits + 4L), " on ",
      model$df, " df, ", x$criterion, " ", format(model$info.criterion, digits = digits + 4L),
      "\n",
      sep = ""
    )
  }
  cat("\nn= ", x$n, " subjects, number of events= ", x$nevents, "\n", sep = "")
  if (!is.null(x$chosen)) {
    counts <- toString(paste(names(x$chosen), x$chosen))
    cat("Models chosen by the resamples: ", counts, "\n", sep = "")
  }
  invisible(x)
}

#' @rdname wce-methods
#' @importFrom stats coef
#' @export
coef.wceGPU <- function(object, ...) {
  columns <- unique(unlist(lapply(object$est, names)))
  estimates <- t(vapply(object$est, function(est) est[columns], numeric(length(columns))))
  colnames(estimates) <- columns
  list(WCEest = estimates, covariates = object$beta.hat.covariates)
}

#' @rdname wce-methods
#' @importFrom stats vcov
#' @export
vcov.wceGPU <- function(object, ...) {
  object$vcovmat
}

#' @rdname wce-methods
#' @importFrom stats logLik
#' @export
logLik.wceGPU <- function(object, ...) {
  best <- chosen_models(object, FALSE)
  structure(
    object$loglik[best],
    df = nrow(object$vcovmat[[best]]), nobs = object$nevents, class = "logLik"
  )
}

#' @rdname wce-methods
#' @importFrom stats nobs
#' @export
nobs.wceGPU <- function(object, ...) {
  object$nevents
}

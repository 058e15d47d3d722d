# What is printed of a bootstrap, and its other forms.

#' @export
print.coxph_bootstrap <- function(x, digits = max(3L, getOption("digits") - 3L), level = 0.95,
                                  type = "percentile", ...) {
  cat(describe_bootstrap(x), "\n", sep = "")
  failures <- describe_failures(x)
  if (!is.null(failures)) cat(failures, "\n", sep = "")
  if (sum(x$status == "converged") > 1L) {
    print(bootstrap_table(x, level, type), digits = digits, ...)
    cat("Limits: ", type, "\n", sep = "")
  }
  invisible(x)
}

describe_bootstrap <- function(bootstrap) {
  how <- switch(bootstrap$type,
    ordinary = sprintf(
      "%d resamples of %d subjects, seed %.0f",
      bootstrap$R, bootstrap$n_subjects, bootstrap$seed
    ),
    bayesian = sprintf(
      "%d exponential weightings of %d subjects, seed %.0f",
      bootstrap$R, bootstrap$n_subjects, bootstrap$seed
    ),
    frequencies = sprintf(
      "%d given resamples of %d subjects", bootstrap$R, bootstrap$n_subjects
    )
  )
  paste("Bootstrap:", how)
}

# Estimate, bias, standard deviation and limits: a matrix with a row for each number.
bootstrap_table <- function(bootstrap, level, type) {
  resampled <- resampled_values(bootstrap)
  spread <- resampled_moments(resampled)
  limits <- suppressWarnings(
    confint.coxph_bootstrap(bootstrap, level = level, type = type),
    classes = "survivalGPU_few_resamples"
  )
  cbind(estimate = resampled$t0, bias = spread$bias, `std. error` = spread$error, limits)
}

resampled_moments <- function(resampled) {
  list(
    bias = colMeans(resampled$t, na.rm = TRUE) - resampled$t0,
    error = apply(resampled$t, 2L, stats::sd, na.rm = TRUE)
  )
}

#' The summary of a coxphGPU fit with its bootstrap
#'
#' What survival prints, and below it, where [bootstrap()] has resampled the fit, the
#' bootstrap's estimates of bias and standard error and its intervals.
#'
#' @param object,x A fit of [coxphGPU()]; its summary.
#' @param ... As in [survival::summary.coxph()] and [survival::print.coxph()].
#' @return As survival's methods; the summary of a resampled fit has a component `bootstrap`
#'   more.
#' @seealso [bootstrap()]
#' @examplesIf survivalGPU:::python_ready()
#' library(survival)
#' fit <- coxphGPU(Surv(time, status) ~ age + sex, data = lung, device = "cpu")
#' summary(bootstrap(fit, R = 100, seed = 1))
#' @method summary coxphGPU
#' @export
summary.coxphGPU <- function(object, ...) {
  summarised <- NextMethod()
  if (!is.null(object$bootstrap)) {
    summarised$bootstrap <- object$bootstrap
    class(summarised) <- c("summary.coxphGPU", class(summarised))
  }
  summarised
}

#' @rdname summary.coxphGPU
#' @method print summary.coxphGPU
#' @export
print.summary.coxphGPU <- function(x, ...) {
  NextMethod()
  print(x$bootstrap)
  cat("\n")
  invisible(x)
}

#' @rdname summary.coxphGPU
#' @method print coxphGPU
#' @export
print.coxphGPU <- function(x, ...) {
  NextMethod()
  if (!is.null(x$bootstrap)) {
    cat("\n")
    print(x$bootstrap)
  }
  invisible(x)
}

#' A bootstrap as a data frame, or as an object of the boot package
#'
#' `as.data.frame()` has the resamples, `tidy()` (of the packages generics and broom) a row for
#' each coefficient. `as_boot()` makes the object that [boot::boot()] returns, for
#' [boot::boot.ci()] and the rest of that package.
#'
#' @details
#' The object of `as_boot()` has no data: what draws again from them, such as
#' [boot::boot.array()], does not work. For the interval `"bca"` of `boot.ci()` give `L`, the
#' influence of the subjects, for instance `residuals(fit, type = "dfbeta", collapse = id)`.
#'
#' @param x A bootstrap, as `fit$bootstrap`; for `as_boot()` also the fit.
#' @param format `"long"`: a row for each resample and coefficient; `"wide"`: a row for each
#'   resample.
#' @param row.names,optional Not used.
#' @param conf.int,conf.level,type Whether to give limits, their level, and of which interval;
#'   see [confint()][confint.coxphGPU].
#' @param ... Not used.
#' @return Data frames. Long: `replicate`, `status`, `term`, `estimate`. Wide: `replicate`,
#'   `status`, `loglik`, `iter` and the coefficients and statistics. `tidy()`: `term`,
#'   `estimate`, `bias`, `std.error`, `conf.low`, `conf.high`. `as_boot()`: a list of class
#'   `boot`.
#' @references
#' Davison AC, Hinkley DV (1997). *Bootstrap Methods and their Application*. Cambridge
#' University Press.
#' @seealso [bootstrap()]
#' @examplesIf survivalGPU:::python_ready()
#' library(survival)
#' fit <- coxphGPU(Surv(time, status) ~ age + sex, data = lung, device = "cpu")
#' fit <- bootstrap(fit, R = 100, seed = 1)
#' head(as.data.frame(fit$bootstrap, format = "wide"))
#' if (requireNamespace("boot", quietly = TRUE)) {
#'   boot::boot.ci(as_boot(fit), type = c("norm", "basic", "perc"), index = 2)
#' }
#' @export
as.data.frame.coxph_bootstrap <- function(x, row.names = NULL, # nolint: object_name_linter.
                                          optional = FALSE, ..., format = c("long", "wide")) {
  format <- rlang::arg_match(format)
  values <- resampled_values(x)$t
  if (format == "wide") {
    kept <- data.frame(
      replicate = seq_len(x$R), status = x$status, loglik = x$loglik, iter = x$iter
    )
    return(cbind(kept, as.data.frame(values)))
  }
  data.frame(
    replicate = rep(seq_len(x$R), ncol(values)),
    status = rep(x$status, ncol(values)),
    term = rep(colnames(values), each = x$R),
    estimate = as.double(values)
  )
}

#' @rdname as.data.frame.coxph_bootstrap
#' @exportS3Method generics::tidy
tidy.coxph_bootstrap <- function( # nolint: object_name_linter. As broom has them.
    x, conf.int = TRUE, conf.level = 0.95, # nolint: object_name_linter.
    type = "percentile", ...) {
  table <- bootstrap_table(x, conf.level, type)
  tidied <- data.frame(
    term = rownames(table), estimate = table[, 1L], bias = table[, 2L],
    std.error = table[, 3L], row.names = NULL
  )
  if (conf.int) tidied[c("conf.low", "conf.high")] <- unname(table[, 4:5])
  tidied
}

#' @rdname as.data.frame.coxph_bootstrap
#' @export
as_boot <- function(x) {
  if (inherits(x, "coxph")) x <- bootstrap_of(x)
  if (!inherits(x, "coxph_bootstrap")) {
    abort_resampling(
      c(
        "{.arg x} must be a bootstrap or a fit with one, not {.obj_type_friendly {x}}.",
        i = "{.fn bootstrap} makes one."
      ),
      rlang::current_env()
    )
  }
  resampled <- resampled_values(x)
  # for its print() and plot()
  requireNamespace("boot", quietly = TRUE)
  structure(
    list(
      t0 = resampled$t0, t = unname(resampled$t), R = x$R, data = NULL, seed = x$seed,
      statistic = NULL, sim = "ordinary",
      # boot looks its arguments up in the call
      call = call("boot", data = NULL, statistic = NULL, R = x$R),
      stype = if (x$type == "bayesian") "w" else "f",
      strata = rep(1, x$n_subjects), weights = rep(1 / x$n_subjects, x$n_subjects)
    ),
    class = "boot",
    boot_type = "boot"
  )
}

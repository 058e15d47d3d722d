# Survival curves with bootstrap limits.

#' Survival curves of a Cox model with bootstrap limits
#'
#' The survival curves that a fit predicts, with pointwise limits from its bootstrap: each
#' resample has its own coefficients and its own baseline hazard.
#'
#' @details
#' A resample's cumulative baseline hazard \eqn{H_b} is the one of the data frame in which the
#' drawn subjects' rows stand as often as they were drawn: Efron's estimate for fits with
#' Efron's ties, else Breslow's, as [survival::survfit.coxph()] takes by default. For the
#' covariates \eqn{x} the survival is \eqn{S_b(t) = \exp(-H_b(t) e^{x\beta_b})}, and the
#' limits are quantiles of \eqn{S_b(t)} as in [confint()][confint.coxphGPU]. Resamples that
#' could not be fitted are left out; so are, from the limits of a stratum, those that drew no
#' row of it.
#'
#' The draws are made again from the seed, and the data looked up again: both must be as they
#' were. The time is that of sorting the data once per resample.
#'
#' @param fit What [bootstrap()] returned.
#' @param times Times at which the survival is wanted.
#' @param newdata A data frame of covariates; by default their means, as in
#'   [survival::survfit.coxph()]. Each row gets a curve for each stratum of the model.
#' @param level Confidence level of the limits, at each time.
#' @param frequencies Those given to [bootstrap()], if they were.
#' @param device As in [bootstrap()].
#' @return A data frame with a row for each stratum, row of `newdata` and time: `stratum` (if
#'   there are strata), `row`, `time`, `surv` (that of the fit), `std.err` (the standard
#'   deviation of the resampled survival), `lower`, `upper`.
#' @references
#' Davison AC, Hinkley DV (1997). *Bootstrap Methods and their Application*, section 7.3.
#' Cambridge University Press.
#' @seealso [bootstrap()], [survival::survfit.coxph()]
#' @examplesIf survivalGPU:::python_ready()
#' library(survival)
#' fit <- coxphGPU(
#'   Surv(time, status) ~ age + sex,
#'   data = lung, device = "cpu", bootstrap = 100, seed = 1
#' )
#' bootstrap_survival(fit, times = c(180, 365), newdata = data.frame(age = 60, sex = 1:2))
#' @export
bootstrap_survival <- function(fit, times, newdata = NULL, level = 0.95, frequencies = NULL,
                               device = NULL) {
  frame <- environment()
  check_resampled_fit(fit, frame)
  bootstrap <- bootstrap_of(fit, frame)
  check_level(level, frame)
  if (!is.numeric(times) || length(times) == 0L || anyNA(times)) {
    abort_resampling(
      c("{.arg times} must be numbers.", i = "Give the times at which the survival is wanted."),
      frame
    )
  }
  if (bootstrap$type == "frequencies") {
    if (is.null(frequencies)) {
      abort_resampling(
        c(
          "{.arg frequencies} is missing: the resamples were given, not drawn.",
          i = "Give the matrix that {.fn bootstrap} was given."
        ),
        frame
      )
    }
    frequencies <- check_frequencies(frequencies, frame)
    check_subjects(frequencies, bootstrap$n_subjects, frame)
  }
  device <- if (is.null(device)) device_of(fit) else requested_device(device)
  rows <- resampling_rows(fit, frame)
  rows$subjects <- bootstrap$subjects %||% (seq_len(nrow(rows$y)) - 1L)
  rows$resampling_strata <- bootstrap$resampling_strata
  names <- levels(droplevels(as.factor(rows$strata)))
  rows$strata <- if (length(names) > 0L) as.integer(droplevels(as.factor(rows$strata)))
  new <- new_covariates(fit, newdata, rows)
  survival <- resampled_survival(bootstrap, rows, new, times, frequencies, device)
  tabulate_survival(survival, names, nrow(new$x), times, level)
}

# Covariates of new rows, those estimated only, and their offsets.
new_covariates <- function(fit, newdata, rows) {
  if (is.null(newdata)) {
    offset <- if (is.null(rows$offset)) 0 else mean(rows$offset)
    return(list(x = rbind(unname(fit$means[rows$estimated])), offset = offset))
  }
  terms <- stats::delete.response(fit$terms)
  evaluated <- stats::setNames(
    as.list(attr(terms, "predvars") %||% attr(terms, "variables"))[-1L],
    vapply(as.list(attr(terms, "variables"))[-1L], deparse1, "")
  )
  strata <- untangled_strata(fit)$terms
  own <- if (length(strata) > 0L) terms[-strata] else terms
  # those that R gives a part of a formula still have what was taken out
  kept <- vapply(as.list(attr(own, "variables"))[-1L], deparse1, "")
  attr(own, "predvars") <- as.call(c(quote(list), unname(evaluated[kept])))
  levels <- fit$xlevels[intersect(names(fit$xlevels), kept)]
  frame <- stats::model.frame(own, newdata, xlev = levels, na.action = stats::na.fail)
  x <- stats::model.matrix(own, frame, contrasts.arg = fit$contrasts)[, -1L, drop = FALSE]
  offsets <- evaluated[attr(terms, "offset")]
  offset <- lapply(offsets, eval, newdata, environment(fit$terms))
  list(x = unname(x[, rows$estimated, drop = FALSE]), offset = Reduce(`+`, offset, 0))
}

# list(estimate =, resampled =): times by new rows by strata, and that by resamples.
resampled_survival <- function(bootstrap, rows, new, times, frequencies, device) {
  estimated <- !is.na(bootstrap$t0)
  centre <- colMeans(rows$x)
  kind <- if (bootstrap$type == "bayesian") "bayesian" else "ordinary"
  hazards <- bootstrap_hazards(rows, centre, times, kind, bootstrap$seed %||% 0, device)
  centred <- new$x - rep(centre, each = nrow(new$x))
  curves <- function(beta, first, copies) {
    hazard <- replicate_hazards(hazards, beta, first, copies)
    risk <- exp(centred %*% t(beta) + new$offset)
    survival_of(hazard, risk)
  }
  whole <- matrix(1, bootstrap$n_subjects, 1L)
  estimate <- curves(rbind(bootstrap$t0[estimated]), 0L, whole)
  beta <- bootstrap$coefficients[, estimated, drop = FALSE]
  resampled <- array(NA_real_, c(dim(estimate)[1:3], bootstrap$R))
  bar <- progress_bar("Survival curves ", bootstrap$R)
  for (first in seq(0L, bootstrap$R - 1L, by = first_batch)) {
    batch <- first + seq_len(min(first_batch, bootstrap$R - first))
    resampled[, , , batch] <- curves(
      beta[batch, , drop = FALSE], first,
      if (!is.null(frequencies)) frequencies[, batch, drop = FALSE]
    )
    bar$update(max(batch))
  }
  list(estimate = estimate[, , , 1L], resampled = resampled)
}

# exp(-H r): times by new rows by strata by resamples, of hazards (resamples by strata by
# times) and risks (new rows by resamples).
survival_of <- function(hazard, risk) {
  size <- c(dim(hazard)[3L], nrow(risk), dim(hazard)[2L], dim(hazard)[1L])
  hazard <- aperm(hazard, c(3L, 2L, 1L))
  of_each <- aperm(array(hazard, size[c(1L, 3L, 4L, 2L)]), c(1L, 4L, 2L, 3L))
  risks <- aperm(array(risk, size[c(2L, 4L, 1L, 3L)]), c(3L, 1L, 4L, 2L))
  exp(-of_each * risks)
}

tabulate_survival <- function(survival, strata, n_new, times, level) {
  cells <- matrix(survival$resampled, ncol = utils::tail(dim(survival$resampled), 1L))
  tails <- c(1 - level, 1 + level) / 2
  limits <- apply(cells, 1L, function(values) {
    values <- sort(values)
    if (length(values) < 2L) c(NA_real_, NA_real_) else interpolated_quantiles(values, tails)
  })
  n_strata <- max(length(strata), 1L)
  table <- data.frame(
    row = rep(rep(seq_len(n_new), each = length(times)), n_strata),
    time = rep(times, n_new * n_strata),
    surv = as.double(survival$estimate),
    std.err = apply(cells, 1L, stats::sd, na.rm = TRUE),
    lower = limits[1L, ],
    upper = limits[2L, ]
  )
  if (length(strata) == 0L) {
    return(table)
  }
  cbind(stratum = factor(rep(strata, each = n_new * length(times)), strata), table)
}

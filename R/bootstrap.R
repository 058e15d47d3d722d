#' Bootstrap a Cox model
#'
#' Refits a Cox model to resamples of its subjects, many at a time, and keeps the
#' coefficients of each: for standard errors and confidence intervals that do not rest on
#' the information matrix, of the coefficients and of anything computed from them.
#'
#' @details
#' # What is drawn
#' Subjects are drawn, each with all its rows: as many as there are, with replacement (Efron
#' 1979). A resample is fitted as [survival::coxph()] fits the data frame in which the rows
#' of a subject stand as often as the subject was drawn: by Efron's rule, a subject drawn
#' twice is two tied events. With \eqn{c_{bs}} the copies of subject \eqn{s} in resample
#' \eqn{b}, \eqn{\hat\beta_b} maximises
#' \deqn{\sum_i \delta_i c_i w_i \eta_i - \sum_k \frac{W_k}{d_k} \sum_{l=0}^{d_k - 1}
#'   \log\left(\sum_{i \in R_k} c_i w_i r_i - \frac{l}{d_k} \sum_{i \in D_k} c_i w_i r_i\right),
#'   \qquad d_k = \sum_{i \in D_k} c_i, \quad W_k = \sum_{i \in D_k} c_i w_i,}
#' in the notation of [coxphGPU()], starting from the estimate \eqn{\hat\beta}.
#'
#' `type = "bayesian"` multiplies the case weights of a subject by an exponential variable
#' with mean 1 instead: the posterior of Rubin (1981). All subjects stay in every resample,
#' so that no factor level is lost. `strata` draws within groups of subjects, as many from
#' each as it has.
#'
#' # Which draws
#' The draws of a resample depend on the seed and on its number only: not on the batch
#' size, the device or the number of threads, and the first 1000 of 2000 resamples are
#' those of `R = 1000`. Without `seed`, R's generator draws it, so that [set.seed()] governs;
#' it is kept in the result.
#'
#' # Failures
#' A resample can fail to converge where the model did: `status` tells why. `"infinite"`: a
#' coefficient grows without bound (separation), `"singular"`: a column became redundant, as
#' when a rare factor level was not drawn, `"no events"`, `"ran out"` of iterations, or
#' `"not finite"`. Its coefficients are `NA`; one warning, `print()` and `summary()` count
#' them. Intervals leave them out: they describe the resamples that can be fitted. A
#' coefficient that is `NA` in the fit, since its column is redundant, stays `NA` and is no
#' failure.
#'
#' # Time and interruption
#' Batches take about a second, and are as large as the memory allows at most. Between two
#' the progress bar moves (`options(survivalGPU.progress = FALSE)` hides it) and Ctrl-C is
#' heard. With `file`, finished batches are kept there; the same call takes them up again,
#' also for a larger `R`.
#'
#' # What cannot be resampled
#' Multi-state models, penalised terms, `tt()` terms, exact ties and fits of [clogitGPU()] are
#' refused with the reason. Where the model has strata, all copies of a subject are in the
#' subject's stratum.
#'
#' @param fit A fit of [coxphGPU()] or [survival::coxph()]. Its data are looked up where the
#'   formula was written.
#' @param R Number of resamples.
#' @param id Whose row each is: a vector, or the name of a variable of the data, as in
#'   `coxph`. By default the `id` of the fit, else its `cluster`, else each row is a subject,
#'   which (start, stop] data do not allow.
#' @param frequencies A matrix, subjects by resamples, of whole numbers from 0: how often each
#'   subject (in order of first appearance) is in each resample. It replaces the drawing,
#'   `R`, `type` and `strata`.
#' @param type `"ordinary"`, or `"bayesian"` for exponential weights.
#' @param strata Groups of subjects within which to draw: a vector over the rows or the name
#'   of a variable of the data, constant within subjects.
#' @param statistic A function of the coefficients, a vector with their names, that returns
#'   one or more numbers: evaluated for the estimate and for each resample.
#' @param batchsize Number of resamples fitted at a time; 0 chooses by time and memory.
#' @param seed A whole number from 0; `NULL` draws one by R's generator.
#' @param file A path: finished batches are kept there and taken up again.
#' @param device `"auto"`, `"cpu"`, `"cuda"` or `"cuda:N"`; `NULL`, the default, takes the
#'   device of a [coxphGPU()] fit, else the option `survivalGPU.device`.
#' @param ... Options of [survival::coxph.control()] in place of those of the fit.
#' @return `fit`, with class `coxphGPU` if it had not, and a component `bootstrap`, an object
#'   of class `coxph_bootstrap`, a list of
#'   - `coefficients`: a matrix, resamples by coefficients.
#'   - `loglik`, `iter`, `status`: of each resample the log partial likelihood, the number
#'     of iterations, and `"converged"` or why not.
#'   - `statistic`: a matrix, resamples by numbers, or `NULL`; `statistic_t0`: at the
#'     estimate.
#'   - `t0`: the coefficients of the fit.
#'   - `acceleration`: of each coefficient and number, for the interval `"bca"`.
#'   - `seed`, `type`, `R`, `n_subjects`, `call`.
#'   - `subjects`: of each row, from 0, `NULL` where each row is one; `resampling_strata`: of
#'     each subject, or `NULL`.
#'
#'   It holds no Python object: `saveRDS()` keeps it whole.
#' @references
#' Efron B (1979). Bootstrap methods: another look at the jackknife. *Annals of Statistics* 7,
#' 1-26.
#'
#' Rubin DB (1981). The Bayesian bootstrap. *Annals of Statistics* 9, 130-134.
#'
#' Efron B, Tibshirani RJ (1993). *An Introduction to the Bootstrap*. Chapman and Hall.
#'
#' Davison AC, Hinkley DV (1997). *Bootstrap Methods and their Application*. Cambridge
#' University Press.
#' @seealso [confint()][confint.coxphGPU] for intervals, [plot()][plot.coxph_bootstrap],
#'   [as_boot()] for the boot package, [bootstrap_survival()] for survival curves.
#' @examplesIf survivalGPU:::python_ready()
#' library(survival)
#' fit <- coxphGPU(Surv(time, status) ~ age + sex, data = lung, device = "cpu")
#' fit <- bootstrap(fit, R = 200, seed = 1)
#' fit
#' confint(fit, type = "bca")
#'
#' # Patients with several rows, and the hazard ratio of ten years
#' fit <- coxphGPU(
#'   Surv(tstart, tstop, status) ~ treat + age,
#'   data = cgd, id = id, device = "cpu"
#' )
#' fit <- bootstrap(
#'   fit,
#'   R = 100, seed = 1, statistic = function(beta) c(decade = unname(exp(10 * beta["age"])))
#' )
#' confint(fit, "decade")
#' @export
bootstrap <- function(fit, R = 1000, ...) { # nolint: object_name_linter. As everywhere.
  UseMethod("bootstrap")
}

#' @rdname bootstrap
#' @export
bootstrap.default <- function(fit, R = 1000, ...) { # nolint: object_name_linter.
  check_resampled_fit(fit)
}

#' @rdname bootstrap
#' @export
bootstrap.coxph <- function(
    fit, R = 1000, id = NULL, frequencies = NULL, # nolint: object_name_linter.
    type = c("ordinary", "bayesian"),
    strata = NULL, statistic = NULL, batchsize = 0, seed = NULL, file = NULL,
    device = NULL, ...) {
  call <- match.call()
  # for messages, which are to show the call of the method
  frame <- environment()
  type <- if (is.null(frequencies)) rlang::arg_match(type) else "frequencies"
  settings <- list(
    R = R, type = type, batchsize = batchsize, seed = seed, file = file, frequencies = frequencies,
    statistic = statistic
  )
  settings <- check_bootstrap(settings, frame)
  check_not_matched(fit, frame)
  device <- if (is.null(device)) device_of(fit) else requested_device(device)
  rows <- subject_rows(fit, substitute(id), substitute(strata), parent.frame(), frame)
  made <- make_bootstrap(fit, rows, settings, fit_control(fit, list(...), frame), device, frame)
  made$call <- call
  fit$bootstrap <- made
  if (!inherits(fit, "coxphGPU")) class(fit) <- c("coxphGPU", class(fit))
  warn_of_failures(made)
  fit
}

# Draws, fits, and what is computed from the coefficients: an object of class
# coxph_bootstrap.
make_bootstrap <- function(fit, rows, settings, control, device, call) {
  check_iterations(control, call)
  n_subjects <- max(rows$subjects) + 1L
  check_subjects(settings$frequencies, n_subjects, call)
  t0 <- fit$coefficients
  at_estimate <- evaluate_statistic(settings$statistic, t0, call)
  influence <- subject_influence(fit, rows, device)
  fits <- fit_replicates(fit, rows, settings, control, device, call)
  coefficients <- matrix(
    NA_real_, settings$R, length(t0),
    dimnames = list(NULL, names(t0))
  )
  coefficients[, rows$estimated] <- fits$coefficients
  structure(
    list(
      coefficients = coefficients,
      loglik = fits$loglik,
      iter = fits$iter,
      status = fits$status,
      statistic = statistic_of_replicates(
        settings$statistic, coefficients, fits$status, at_estimate
      ),
      t0 = t0,
      statistic_t0 = at_estimate,
      acceleration = c(
        acceleration(influence),
        statistic_acceleration(settings$statistic, t0, at_estimate, influence)
      ),
      seed = fits$seed, type = settings$type, R = settings$R, n_subjects = n_subjects,
      subjects = if (n_subjects < nrow(rows$y)) rows$subjects,
      resampling_strata = rows$resampling_strata
    ),
    class = "coxph_bootstrap"
  )
}

# The coefficients, log-likelihood, iterations and status of each resample, and the seed.
fit_replicates <- function(fit, rows, settings, control, device, call) {
  uncentred <- fit_uncentred(fit, rows$x)
  fingerprint <- if (!is.null(settings$file)) {
    bootstrap_fingerprint(fit, rows, uncentred, control, settings$type, settings$frequencies)
  }
  saved <- read_batches(settings$file, fingerprint, settings$seed, call)
  given <- settings$frequencies
  seed <- if (is.null(given)) saved$seed %||% settings$seed %||% draw_seed()
  start <- fit$coefficients[rows$estimated]
  kind <- if (is.null(given)) settings$type else "ordinary"
  made <- bootstrap_resampler(rows, uncentred, start, control, kind, seed %||% 0, device)
  fit_batch <- function(first, number) {
    if (is.null(given)) {
      bootstrap_fits(made$resampler, first, number)
    } else {
      frequency_fits(made$resampler, given[, first + seq_len(number), drop = FALSE])
    }
  }
  fits <- run_batches(
    fit_batch, settings$R, settings$batchsize, made$batch_size, saved$fits,
    batch_writer(settings$file, fingerprint, seed %||% 0)
  )
  fits["seed"] <- list(seed)
  fits
}

failure_counts <- function(status) {
  counts <- sort(table(status[status != "converged"]), decreasing = TRUE)
  stats::setNames(as.integer(counts), names(counts))
}

# "3 of 200 resamples did not converge (2 infinite, 1 no events)", or NULL.
describe_failures <- function(bootstrap) {
  counts <- failure_counts(bootstrap$status)
  if (length(counts) > 0L) {
    sprintf(
      "%d of %d resamples could not be fitted (%s)",
      sum(counts), bootstrap$R, paste(counts, names(counts), collapse = ", ")
    )
  }
}

warn_of_failures <- function(bootstrap) {
  described <- describe_failures(bootstrap)
  if (!is.null(described)) {
    cli::cli_warn(
      c(
        paste0(described, ": {.code NA} in the result."),
        i = "{.code status} tells which. Intervals leave them out."
      ),
      class = "survivalGPU_failed_resamples", call = NULL
    )
  }
}

#' Weighted cumulative exposure models
#'
#' `wceGPU()` estimates how past doses of an exposure add up to today's hazard, as `WCE()` of
#' the WCE package does: the same arguments in the same order, the same numbers, an object
#' that works with WCE's own methods where that package is loaded. It takes a fraction of the
#' time, and exposures as they come from claims data.
#'
#' @details
#' # Model
#' The dose of subject \eqn{i} on day \eqn{s} is \eqn{X_i(s)}, and \eqn{z_i} are covariates.
#' The hazard on day \eqn{t} is
#' \deqn{h(t | x_i) = h_0(t) \exp\left(\gamma' z_i(t) +
#'   \sum_{u=1}^{cutoff} w(u) X_i(t + 1 - u)\right)}
#' with a weight function \eqn{w(u) = \sum_j \theta_j B_j(u)} of the days since a dose, where
#' \eqn{u = 1} is the current day. The \eqn{B_j} are cubic B-splines with `nknots` interior
#' knots at quantiles of \eqn{1, \dots, cutoff}. So \eqn{\theta_j} is the coefficient of the
#' artificial covariate \eqn{D_j(t) = \sum_u B_j(u) X_i(t + 1 - u)} in a Cox model, and
#' \eqn{w} is in log hazard ratios per unit of dose and day.
#'
#' A `constrained` weight function goes smoothly to 0: `"Right"` for doses long ago, which
#' leaves the last two \eqn{B_j} out, `"Left"` for current ones, which leaves the first two
#' out.
#'
#' # Exposure
#' Doses are per day, on rows (start, stop] of any length in whole days: one row per day, as
#' WCE wants them, or one row for as long as neither the dose nor a covariate changes. They may
#' also be a table of their own, `exposures`, with a row for each spell; doses of overlapping
#' spells add up, and days without a spell have dose 0. Spells may begin before follow-up. The
#' \eqn{D_j} of a dose that is constant on \eqn{(a, b]} are differences of cumulated splines,
#' so that long spells cost no more than short ones.
#'
#' # Choice of the model
#' One model is fitted for each number of knots. The best is the one with the smallest BIC,
#' \eqn{-2 \ell + p \log d} with \eqn{d} the number of events (Volinsky and Raftery 2000), or
#' with `aic = TRUE` the smallest AIC. `print()`, `summary()`, `plot()`, `logLik()` and [HR()]
#' are of the best model, unless told otherwise.
#'
#' # Bootstrap
#' With `nbootstraps`, subjects are drawn with replacement, each with its whole history, and all
#' models are fitted to each resample, as `WCE()` fits the data frame in which the rows of a
#' subject stand as often as it was drawn, under numbers of their own. Each resample chooses its
#' own best model, so that [HR()], [plot()][plot.wceGPU] and `summary()` account for the choice
#' of `nknots`; they can also keep to one. Which subjects are drawn depends on the seed and the
#' number of the resample only. A resample in which no model converges is `NA`, and one warning
#' counts them.
#'
#' @param data A data frame with the rows of follow-up (start, stop] of all subjects. The
#'   rows of a subject follow one another without a gap, in any order; the last ends with the
#'   event or with censoring.
#' @param analysis `"Cox"`.
#' @param nknots Numbers of interior knots, one model for each.
#' @param cutoff Days over which doses count, the current day included.
#' @param constrained `FALSE`, `"Right"` (`"R"`, `"right"`) or `"Left"` (`"L"`, `"left"`).
#' @param aic Whether the best model is chosen by AIC instead of BIC.
#' @param MatchedSet Of no use in a Cox model; must be `NULL`.
#' @param id,event,start,stop,expos Names of the columns of `data`: subject, event (1 or 0)
#'   at the end of the row, both ends of the row in whole days, and dose per day.
#' @param covariates Names of the columns of numeric covariates, or `NULL`.
#' @param controls Arguments of [survival::coxph.control()] as a list, or `NULL`.
#' @param ... Must be empty.
#' @param nbootstraps Number of resamples of subjects; 0 for none.
#' @param batchsize Number of resamples fitted at a time; 0 chooses by time and memory.
#' @param confint Level of the confidence intervals of the methods.
#' @param seed A whole number from 0; `NULL` draws one by R's generator.
#' @param weights Name of the column of positive case weights, or `NULL`. Variances are those of
#'   the model, which takes weights as numbers of subjects: for others, such as inverse
#'   probabilities of treatment, take `nbootstraps`.
#' @param exposures `NULL`, or a data frame of spells with the columns `id`, `start`, `stop`
#'   and `dose`, or those named by the arguments `id`, `start`, `stop` and `expos`. `expos` is
#'   then not looked up in `data`.
#' @param ties `"efron"` or `"breslow"`.
#' @param device As in [coxphGPU()].
#' @return An object of class `c("wceGPU", "WCE")`, a list of
#'   \item{knotsmat}{all knots of each model, a list}
#'   \item{WCEmat}{the weight functions, one row per model}
#'   \item{loglik, info.criterion}{log partial likelihood, and BIC or AIC, of each model}
#'   \item{est, SED}{coefficients \eqn{\theta} of each model and their standard errors, lists}
#'   \item{vcovmat}{variance of the coefficients of the covariates and of \eqn{\theta}, a list}
#'   \item{beta.hat.covariates, se.covariates}{coefficients of the covariates and their
#'     standard errors, one row per model}
#'   \item{covariates, constrained, aic, analysis}{the arguments}
#'   \item{nevents}{the number of events}
#'   and, beyond those of WCE, `basis` (the \eqn{B_j(u)} of each model, a list), `n` (subjects),
#'   `iter` (Newton steps), `confint`, `ties` and `call`; and with `nbootstraps` the list
#'   `bootstrap` of `coefficients` (a matrix for each model), `loglik`, `info.criterion` and
#'   `status` (resamples by models), `best` (the number of the model chosen by each resample),
#'   `WCEmat` (its weight function), `nevents`, `nbootstraps` and `seed`.
#' @section Errors:
#' Of class `survivalGPU_error`, they name the argument, what was found and what to do: a cutoff
#' longer than follow-up, overlapping or gapped rows, times that are not whole days, missing
#' values, events that are not 0 or 1 or not the last of their subject, exposure of unknown
#' subjects, empty or reversed spells, too many knots.
#' @references
#' Sylvestre MP, Abrahamowicz M (2009). Flexible modeling of the cumulative effects of
#' time-dependent exposures on the hazard. *Statistics in Medicine* 28, 3437-3453.
#'
#' Volinsky CT, Raftery AE (2000). Bayesian information criterion for censored survival models.
#' *Biometrics* 56, 256-262.
#' @seealso [HR()] for hazard ratios of exposure histories, [plot.wceGPU()].
#' @examplesIf survivalGPU:::python_ready()
#' # Two subjects in three have a course of 20 days at some time
#' set.seed(1)
#' n <- 300
#' visits <- data.frame(
#'   id = seq_len(n), start = 0, stop = pmin(100, ceiling(rexp(n, 1 / 80))), age = rnorm(n, 60, 9)
#' )
#' visits$event <- as.integer(visits$stop < 100)
#' courses <- data.frame(id = 1:200, start = sample(0:80, 200, TRUE), dose = 1)
#' courses$stop <- courses$start + 20
#'
#' fit <- wceGPU(
#'   visits, nknots = 1:2, cutoff = 30, constrained = "Right", id = "id", event = "event",
#'   start = "start", stop = "stop", covariates = "age", exposures = courses, device = "cpu"
#' )
#' fit
#' HR(fit, rep(1, 30), rep(0, 30))
#' @export
wceGPU <- function( # nolint: object_name_linter.
    data, analysis = "Cox", nknots, cutoff, constrained = FALSE, aic = FALSE,
    MatchedSet = NULL, id, event, start, stop, expos, # nolint: object_name_linter.
    covariates = NULL, controls = NULL, ...,
    nbootstraps = 0, batchsize = 0, confint = 0.95, seed = NULL, weights = NULL,
    exposures = NULL, ties = c("efron", "breslow"), device = NULL) {
  rlang::check_dots_empty()
  user_call <- sys.call()
  check_flag(aic, "aic")
  check_wce_analysis(analysis, MatchedSet)
  ties <- match.arg(ties)
  options <- list(
    nknots = knot_numbers(nknots),
    cutoff = whole_number(cutoff, "cutoff"),
    constrained = constraint(constrained),
    aic = aic,
    ties = ties,
    device = requested_device(device)
  )
  resampling <- wce_resampling(nbootstraps, batchsize, confint, seed)
  control <- cox_controls(controls)
  columns <- list(
    id = required_name(id), event = required_name(event), start = required_name(start),
    stop = required_name(stop), expos = if (is.null(exposures)) required_name(expos)
  )
  if (!is.null(exposures)) columns$expos <- if (!missing(expos)) expos
  columns <- Filter(Negate(is.null), columns)
  checked <- wce_rows(data, columns, covariates, weights, exposures)
  result <- with_call(user_call, {
    made <- fit_wce_models(
      checked$rows, checked$spells, options, control, resampling$nbootstraps > 0
    )
    for (text in wce_warnings(made$fits, options$nknots, control)) warning(text, call. = FALSE)
    fitted <- wce_result(made$fits, options, covariates, sum(checked$rows$event))
    if (resampling$nbootstraps > 0) {
      fitted$bootstrap <- wce_bootstrap(fitted, made$models, checked$rows, resampling)
    }
    fitted
  })
  result$n <- checked$subjects
  result$confint <- confint
  result$ties <- ties
  result$call <- match.call()
  structure(result, class = c("wceGPU", "WCE"))
}

# The name of a column, which must be given.
required_name <- function(x, call = rlang::caller_env()) {
  argument <- deparse(substitute(x))
  if (missing(x)) {
    abort_argument(
      argument, "it is missing.", call,
      remedy = "Name the column of {.arg data}, as in {.code {argument} = \"{argument}\"}."
    )
  }
  x
}

check_wce_analysis <- function(analysis, matched_set, call = rlang::caller_env()) {
  if (rlang::is_string(analysis, c("NCC", "ncc", "CC", "cc"))) {
    abort_argument(
      "analysis", "case-control designs ({.val {analysis}}) are not implemented yet.", call,
      analysis = analysis, remedy = "Use {.code analysis = \"Cox\"}."
    )
  }
  if (!rlang::is_string(analysis, c("Cox", "cox"))) {
    abort_argument("analysis", "it must be {.val Cox}.", call)
  }
  if (!is.null(matched_set)) {
    abort_argument("MatchedSet", "a Cox model has no matched sets.", call)
  }
}

# FALSE, "Right" or "Left".
constraint <- function(constrained, call = rlang::caller_env()) {
  if (isFALSE(constrained)) {
    return(FALSE)
  }
  known <- c(
    R = "Right", right = "Right", Right = "Right", L = "Left", left = "Left", Left = "Left"
  )
  if (!rlang::is_string(constrained, names(known))) {
    abort_argument(
      "constrained", "it has to be one of {.code FALSE}, {.val Right} or {.val Left}.", call
    )
  }
  known[[constrained]]
}

knot_numbers <- function(nknots, call = rlang::caller_env()) {
  valid <- !missing(nknots) && is.numeric(nknots) && length(nknots) > 0L &&
    all(vapply(nknots, is_whole, NA)) && all(nknots >= 1)
  if (!valid) {
    abort_argument("nknots", "it must hold whole numbers of interior knots, 1 or more.", call)
  }
  sort(unique(nknots))
}

whole_number <- function(x, argument, call = rlang::caller_env()) {
  if (missing(x) || !is_whole(x) || x < 1) {
    abort_argument(argument, "it must be one whole number, 1 or more.", call)
  }
  x
}

cox_controls <- function(controls, call = rlang::caller_env()) {
  if (!is.null(controls) && !is.list(controls)) {
    abort_argument(
      "controls", "it must be a list, as {.fn survival::coxph.control} returns it.", call
    )
  }
  do.call(survival::coxph.control, as.list(controls))
}

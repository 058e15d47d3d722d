#' Simulate a cohort with a known effect of an exposure history
#'
#' Draws subjects, their courses of treatment and their follow-up by the permutational
#' algorithm, such that the hazard depends on past doses by a known weight function. For
#' tests, examples and studies of [wceGPU()] and of other models of time-dependent exposures.
#'
#' @details
#' The hazard of subject \eqn{i} on day \eqn{t} is proportional to
#' \deqn{r_i(t) = \exp\left(\gamma' z_i(t) + \sum_{u=1}^{cutoff} w(u) X_i(t + 1 - u)\right)}
#' with the dose \eqn{X_i(s)} of day \eqn{s}. Observed times are matched to subjects in the
#' order of time: who of those left has an event at \eqn{t} is drawn with a probability
#' proportional to \eqn{r_i(t)}, who is censored with equal probabilities (Sylvestre and
#' Abrahamowicz 2008). So any event times give a Cox model with the effects asked for.
#'
#' The shapes of `weight` are functions of \eqn{v = u / cutoff}, scaled such that the weights sum
#' to 1; with `effect`, the log hazard ratio of a dose of 1 on all days is `effect`:
#'
#' | shape | proportional to |
#' |---|---|
#' | `"exponential"` | \eqn{\exp(-7v)} |
#' | `"bilinear"` | \eqn{1 - v / 0.3}, or 0 if that is negative |
#' | `"early peak"` | a normal density with mean 0.08 and standard deviation 0.1 |
#' | `"inverted U"` | a normal density with mean 0.4 and standard deviation 0.12 |
#' | `"constant"` | 1 |
#' | `"hat"` | \eqn{v / 0.3} up to 0.3, then \eqn{(1 - v) / 0.7} |
#'
#' They are those of Sylvestre and Abrahamowicz (2009) but for their scale. Weights given as
#' numbers or by a function are multiplied by `effect`, which then is 1 by default.
#'
#' Without `exposures`, subjects take turns between pauses and courses, whose days are
#' exponential with means 60 and 30, rounded up; the dose of a course is 0.5, 1, 1.5 or 2 with
#' equal probabilities. Without `covariates`, they have an `age` (normal, mean 60, standard
#' deviation 10, rounded) and a `sex` (0 or 1), with the log hazard ratios 0.02 and 0.4 unless
#' `coefficients` says otherwise. Event times are exponential with mean `followup` and
#' censoring times uniform on \eqn{1, \dots, followup}.
#'
#' Each number drawn is a function of `seed`, of what it is for and of the subject: results are
#' the same on all machines and with any number of threads.
#'
#' @param n Number of subjects.
#' @param weight One of the shapes, a vector of weights for \eqn{u = 1, 2, \dots} (its length
#'   is the cutoff), or a function of the days \eqn{u} since a dose.
#' @param cutoff Days over which doses count.
#' @param followup Longest follow-up in days.
#' @param effect What the weights are multiplied by.
#' @param covariates A data frame with one row per subject, or `NULL`.
#' @param varying A data frame of covariates that change with time: `id`, `start`, `stop` in
#'   whole days, and one column per covariate, 0 where there is no row; or `NULL`.
#' @param coefficients Named log hazard ratios of the covariates; those not named have none.
#' @param exposures A data frame of spells (start, stop] with the columns `id` (numbers from 1 to
#'   `n`), `start`, `stop` and `dose`, or `NULL`. Doses of overlapping spells add up.
#' @param event_times,censoring_times Days, one for each subject, in any order, rounded up; or
#'   `NULL`. They are not those of particular subjects: they are matched to them.
#' @param rows `"daily"` for one row per day, or `"spells"` for one row for as long as no
#'   covariate and no dose changes.
#' @param seed A whole number, or `NULL` to draw one by R's generator.
#' @param device As in [coxphGPU()].
#' @return A data frame with the columns `Id`, `Event`, `Start`, `Stop`, the covariates and
#'   `dose`, subject after subject. Its attribute `truth` is a list of `weights`,
#'   \eqn{w(u)} times `effect`, and `coefficients`.
#' @references
#' Sylvestre MP, Abrahamowicz M (2008). Comparison of algorithms to generate event times
#' conditional on time-dependent covariates. *Statistics in Medicine* 27, 2618-2634.
#'
#' Sylvestre MP, Abrahamowicz M (2009). Flexible modeling of the cumulative effects of
#' time-dependent exposures on the hazard. *Statistics in Medicine* 28, 3437-3453.
#' @seealso [wceGPU()]
#' @examplesIf survivalGPU:::python_ready()
#' cohort <- simulate_cohort(500, "exponential", cutoff = 60, rows = "spells", seed = 1)
#' head(cohort)
#' fit <- wceGPU(
#'   cohort, nknots = 1, cutoff = 60, constrained = "Right", id = "Id", event = "Event",
#'   start = "Start", stop = "Stop", expos = "dose", covariates = c("age", "sex"),
#'   device = "cpu"
#' )
#' plot(fit)
#' lines(attr(cohort, "truth")$weights, lty = 2)
#' @export
simulate_cohort <- function(n, weight = "exponential", cutoff = 180, followup = 365,
                            effect = if (is.character(weight)) log(2) else 1,
                            covariates = NULL, varying = NULL, coefficients = NULL,
                            exposures = NULL, event_times = NULL, censoring_times = NULL,
                            rows = c("daily", "spells"), seed = NULL, device = NULL) {
  user_call <- sys.call()
  n <- whole_number(n, "n")
  followup <- whole_number(followup, "followup")
  rows <- match.arg(rows)
  device <- requested_device(device)
  if (!is_one_number(effect)) abort_argument("effect", "it must be one number.", user_call)
  check_seed(seed)
  seed <- seed %||% draw_seed()
  with_call(user_call, {
    weights <- effect * cohort_weights(weight, cutoff, user_call)
    drawn <- draw_subjects(n, followup, seed)
    constant <- constant_covariates(covariates, drawn, user_call)
    changing <- c(
      list(dose = spells_of(exposures, "dose", n, "exposures", user_call)),
      varying_covariates(varying, n, user_call)
    )
    coefficients <- cohort_coefficients(
      coefficients, covariates, names(constant), names(changing)[-1L], user_call
    )
    times <- observed_times(drawn, event_times, censoring_times, followup, user_call)
    simulated <- simulate_rows(
      seed, times, linear_predictor(constant, coefficients),
      cohort_variables(changing, weights, coefficients), followup, rows == "daily", device
    )
  })
  cohort_frame(simulated, constant, names(changing), list(
    weights = weights, coefficients = coefficients
  ))
}

# Our own errors come with the call of the function that the user called.
with_call <- function(user_call, expr) {
  relabel_conditions(
    expr,
    from = function(cnd) inherits(cnd, "survivalGPU_error") && is.null(conditionCall(cnd)),
    call = function(call) user_call
  )
}

cohort_weights <- function(weight, cutoff, call) {
  if (is.numeric(weight)) {
    weights <- weight
  } else {
    cutoff <- whole_number(cutoff, "cutoff", call)
    weights <- if (is.function(weight)) {
      weight(seq_len(cutoff))
    } else if (rlang::is_string(weight)) {
      shape_of_weights(weight, cutoff)
    }
  }
  expected <- if (is.numeric(weight)) length(weight) else cutoff
  if (!is.numeric(weights) || length(weights) != expected || expected == 0L ||
    !all(is.finite(weights))) {
    abort_argument(
      "weight",
      "it must be a shape, a vector of finite weights, or a function that returns {expected}.",
      call,
      expected = expected
    )
  }
  as.double(weights)
}

constant_covariates <- function(covariates, drawn, call) {
  n <- length(drawn$age)
  if (is.null(covariates)) {
    return(data.frame(age = drawn$age, sex = drawn$sex))
  }
  if (!is.data.frame(covariates) || nrow(covariates) != n) {
    abort_argument(
      "covariates", "it must be a data frame with one row for each of {n} subjects.", call,
      n = n
    )
  }
  for (name in names(covariates)) {
    check_numbers(data_column(covariates, name, "covariates", call), name, "covariates", call)
  }
  covariates
}

varying_covariates <- function(varying, n, call) {
  if (is.null(varying)) {
    return(list())
  }
  names <- setdiff(names(varying), c("id", "start", "stop"))
  lapply(rlang::set_names(names), function(name) spells_of(varying, name, n, "varying", call))
}

# Spells of the column `name`, for the core; NULL stays NULL.
spells_of <- function(table, name, n, argument, call) {
  if (is.null(table)) {
    return(NULL)
  }
  columns <- list(id = "id", start = "start", stop = "stop", expos = name)
  exposure_spells(table, columns, seq_len(n), call, argument)
}

cohort_coefficients <- function(coefficients, covariates, constant, varying, call) {
  known <- c(constant, varying)
  values <- rlang::set_names(numeric(length(known)), known)
  if (is.null(covariates)) values[c("age", "sex")] <- c(0.02, 0.4)
  if (is.null(coefficients)) {
    return(values)
  }
  unknown <- setdiff(rlang::names2(coefficients), known)
  if (!is.numeric(coefficients) || length(unknown) > 0L || !all(is.finite(coefficients))) {
    abort_argument(
      "coefficients", "they must be finite numbers named as covariates: {.val {known}}.", call,
      known = known
    )
  }
  values[names(coefficients)] <- coefficients
  values
}

linear_predictor <- function(constant, coefficients) {
  columns <- lapply(names(constant), function(name) coefficients[[name]] * constant[[name]])
  Reduce(`+`, columns, numeric(nrow(constant)))
}

# Dose and varying covariates with their weights; of the latter the current value counts.
cohort_variables <- function(changing, weights, coefficients) {
  Map(changing, names(changing), f = function(spells, name) {
    list(spells = spells, weights = if (name == "dose") weights else coefficients[[name]])
  })
}

# Days of observation, and whether they end with an event.
observed_times <- function(drawn, event_times, censoring_times, followup, call) {
  events <- given_days(event_times, drawn$event_days, "event_times", call)
  censorings <- given_days(censoring_times, drawn$censoring_days, "censoring_times", call)
  last <- pmin(censorings, followup)
  list(day = pmin(events, last), event = as.double(events <= last))
}

given_days <- function(days, drawn, argument, call) {
  if (is.null(days)) {
    return(drawn)
  }
  if (!is.numeric(days) || length(days) != length(drawn) || anyNA(days) || any(days <= 0)) {
    abort_argument(
      argument, "it must hold {length(drawn)} positive numbers of days.", call,
      drawn = drawn
    )
  }
  ceiling(days)
}

cohort_frame <- function(simulated, constant, changing, truth) {
  cohort <- c(
    list(
      Id = simulated$subject, Event = simulated$event, Start = simulated$start,
      Stop = simulated$stop
    ),
    lapply(constant, function(column) column[simulated$subject]),
    rlang::set_names(simulated$values, changing)[c(changing[-1L], "dose")]
  )
  structure(
    cohort,
    class = "data.frame", row.names = .set_row_names(length(cohort$Id)), truth = truth
  )
}

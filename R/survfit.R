# survfit() of coxphGPU fits: survival's survfit.coxph(), in an environment in which the
# function that computes the curves is bound to ours.

#' Survival curves and baseline hazards of a coxphGPU fit
#'
#' [survival::survfit.coxph()] with another engine: the arguments, the numbers and the
#' object are survival's, and [survival::basehaz()] gains with it. The baseline hazard
#' and the standard errors are computed on the device of the fit, for all strata and all
#' rows of `newdata` at once.
#'
#' @details
#' With \eqn{H(t)} the cumulative baseline hazard (Breslow's, or with `ctype = 2` Efron's),
#' a row \eqn{x} of risk \eqn{r} has the survival \eqn{e^{-r H(t)}}, or with `stype = 1`
#' Kalbfleisch and Prentice's product. The standard error of \eqn{r H(t)} is
#' \deqn{r \sqrt{V(t) + d(t)' I^{-1} d(t)}, \qquad
#'   d(t) = \sum_{t_k \le t} h_k (x - \bar x(t_k)).}
#'
#' The device is the one in the call of the fit, else that of the option
#' `survivalGPU.device`. Data of fewer than 5000 rows, multi-state models, and sessions in
#' which Python or the device is missing take survival's own code: the results are the
#' same.
#'
#' @param formula A fit made by [coxphGPU()].
#' @param ... As in [survival::survfit.coxph()].
#' @return An object of class `c("survfitcox", "survfit")`; see
#'   [survival::survfit.object].
#' @references
#' Kalbfleisch JD, Prentice RL (1973). Marginal likelihoods based on Cox's regression and
#' life model. *Biometrika* 60, 267-278.
#'
#' Tsiatis AA (1981). A large sample study of Cox's regression model. *Annals of
#' Statistics* 9, 93-108.
#' @examplesIf survivalGPU:::python_ready()
#' library(survival)
#' fit <- coxphGPU(Surv(time, status) ~ age + sex, data = lung, device = "cpu")
#' survfit(fit, newdata = data.frame(age = c(50, 70), sex = 1))
#' head(basehaz(fit))
#' @importFrom survival survfit
#' @export
survfit.coxphGPU <- function(formula, ...) {
  # which have methods of their own
  own_method <- inherits(formula, c("coxphms", "clogit"))
  device <- if (!own_method) engine_device(formula, formula$n[1L])
  if (is.null(device)) {
    return(NextMethod())
  }
  user_call <- sys.call()
  engine <- survfit_engine(formula, device)
  matched <- match.call(engine, user_call, envir = parent.frame())
  matched[[1L]] <- quote(survfit)
  engine_call <- matched
  # The fit is an argument's default, not part of the call: a traceback shows calls whole.
  engine_call$formula <- NULL
  engine_call[[1L]] <- engine
  curves <- relabel_conditions(
    eval(engine_call, parent.frame()),
    from = function(cnd) has_head(conditionCall(cnd), engine),
    call = function(call) user_call
  )
  curves$call <- matched
  curves
}

survfit_engine <- function(fit, device) {
  survfit <- utils::getFromNamespace("survfit.coxph", "survival")
  engine <- new.env(parent = asNamespace("survival"))
  engine$engine_fit <- fit
  engine$coxsurv.fit <- curve_fitter(device)
  engine$model.matrix.coxph <- fresh(front_end$fit_matrix)
  formals(survfit)$formula <- quote(engine_fit)
  environment(survfit) <- engine
  survfit
}

# Our coxsurv.fit(). Arguments that survfit.coxph() passes and we do not use may not
# exist.
curve_fitter <- function(device) {
  force(device)
  own <- survival::coxsurv.fit
  own_in_engine <- own
  environment(own_in_engine) <- list2env(
    list(agsurv = hazard_fitter(device)),
    parent = asNamespace("survival")
  )
  function(ctype, stype, se.fit, varmat, cluster, y, x, wt, risk, position, strata, # nolint
           oldid, y2, x2, risk2, strata2, id2, unlist = TRUE) {
    rows <- list(y = y, x = x, weights = wt, risk = risk, strata = strata)
    rows$codes <- curve_strata(strata)
    call <- sys.call()
    if (!can_compute(rows, x2, risk2)) {
      call[[1L]] <- own
      return(eval.parent(call))
    }
    if (!missing(id2)) {
      call[[1L]] <- own_in_engine
      return(eval.parent(call))
    }
    warn_of_single_times(rows)
    curves <- survival_curves(
      list(y = y, x = x, weights = wt, risk = risk, strata = rows$codes$code),
      hazard_kind(stype, ctype), x2, risk2, if (se.fit) varmat, device
    )
    shape_curves(curves, rows, x2, se.fit)
  }
}

hazard_kind <- function(stype, ctype) {
  if (stype == 1) "kalbfleisch-prentice" else c("breslow", "efron")[ctype]
}

# The strata as coxsurv.fit() takes them: codes (NULL for one stratum) and names; NULL
# where a row has no stratum or a stratum no row.
curve_strata <- function(strata) {
  if (length(strata) == 0) {
    return(list(names = 0L))
  }
  names <- if (is.factor(strata)) levels(strata) else sort(unique(strata))
  code <- if (is.factor(strata)) as.integer(strata) else match(strata, names)
  if (anyNA(code) || !all(tabulate(code, length(names)) > 0)) {
    return(NULL)
  }
  list(names = names, code = if (length(names) > 1L) code)
}

# FALSE for what survival computes by recycling or not at all, as with data that have
# changed since the fit.
can_compute <- function(rows, new_x, new_risk) {
  any(rows$y[, ncol(rows$y)] == 1) && has_matching_rows(rows) &&
    is_finite(rows$x) && is_finite(rows$risk) && has_new_risks(rows, new_x, new_risk)
}

has_matching_rows <- function(rows) {
  columns <- Filter(length, rows[c("risk", "weights", "strata")])
  !is.null(rows$codes) && is.matrix(rows$x) &&
    all(c(nrow(rows$x), lengths(columns)) == nrow(rows$y))
}

has_new_risks <- function(rows, new_x, new_risk) {
  is.matrix(new_x) && nrow(new_x) > 0L && is.null(names(new_risk)) &&
    identical(dim(new_x), c(length(new_risk), ncol(rows$x))) &&
    is_finite(c(new_x, new_risk))
}

# Without a logical vector as long as `x`.
is_finite <- function(x) is.finite(sum(x)) || all(is.finite(x))

# survival halves the least distance of two times, and where there is one time warns of
# it, once per stratum.
warn_of_single_times <- function(rows) {
  if (ncol(rows$y) == 3L) {
    time <- rows$y[, 2L]
    single <- if (is.null(rows$codes$code)) {
      min(time) == max(time)
    } else {
      code <- rows$codes$code
      pair <- unique(data.frame(code, time))
      tabulate(pair$code) == 1L
    }
    for (stratum in which(single)) min(numeric())
  }
}

shape_curves <- function(curves, rows, new_x, se) {
  if (is.integer(rows$weights)) {
    # where rows enter late, survival subtracts a number that is not an integer
    counts <- c("n_event", "n_censor", if (ncol(rows$y) == 2L) "n_risk")
    curves[counts] <- lapply(curves[counts], as.integer)
  }
  by_curve <- function(values) if (nrow(new_x) > 1L) values else as.double(values)
  shaped <- list(
    n = curves$n, time = curves$time, n.risk = curves$n_risk,
    n.event = curves$n_event, n.censor = curves$n_censor
  )
  if (!is.null(rows$codes$code)) {
    shaped$strata <- stats::setNames(curves$n_times, rows$codes$names)
  }
  shaped$surv <- by_curve(curves$surv)
  if (nrow(new_x) > 1L) dimnames(shaped$surv) <- list(NULL, rownames(new_x))
  shaped$cumhaz <- by_curve(curves$cumhaz)
  if (se) shaped$std.err <- by_curve(curves$std_err)
  shaped
}

# Our agsurv(): the hazard of one stratum at all its times.
hazard_fitter <- function(device) {
  force(device)
  own <- utils::getFromNamespace("agsurv", "survival")
  function(y, x, wt, risk, survtype, vartype) {
    rows <- list(y = y, x = as.matrix(x), weights = wt, risk = risk)
    if (survtype != vartype || nrow(y) < least_rows() || !any(y[, ncol(y)] == 1)) {
      return(own(y, x, wt, risk, survtype, vartype))
    }
    kind <- c("kalbfleisch-prentice", "breslow", "efron")[survtype]
    steps <- hazard_steps(rows, kind, device)
    shaped <- list(
      n = nrow(y), time = steps$time, n.event = steps$n_event, n.risk = steps$n_risk,
      n.censor = steps$n_censor, hazard = steps$hazard, cumhaz = steps$cumhaz,
      varhaz = steps$varhaz, xbar = steps$xbar
    )
    if (survtype == 1) shaped$surv <- steps$surv
    shaped
  }
}

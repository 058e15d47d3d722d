#' Conditional logistic regression on the GPU, or on all CPU cores
#'
#' `clogitGPU()` is [survival::clogit()] with survivalGPU's engine: the same
#' arguments, the same numbers, and an object of class `clogit` and `coxph`.
#'
#' @details
#' In each stratum, of \eqn{m} rows of which \eqn{d} are cases, the likelihood is that of
#' these \eqn{d} rows being the cases given that there are \eqn{d}:
#' \deqn{\frac{\prod_{i \in cases} r_i}
#'   {\sum_{S: |S| = d} \prod_{i \in S} r_i}, \qquad r_i = e^{x_i\beta + o_i}}
#' with the sum over all subsets \eqn{S} of \eqn{d} rows. It equals the exact partial
#' likelihood of tied event times (`ties = "exact"` of [coxphGPU()]), which fits it.
#' The sum is built one row at a time, as Gail, Lubin and Rubinstein do, in ratios that
#' do not overflow: survival's fit of the same model does for large strata with many
#' cases, and then has no finite log-likelihood. Many strata of like shape are computed
#' together.
#'
#' `method = "efron"`, `"breslow"` and `"approximate"` (another name for `"breslow"`) are
#' the approximations of that sum in [coxphGPU()].
#'
#' @param formula,data,weights,subset,na.action,method,...
#'   As in [survival::clogit()]. Weights are ignored by the exact method, with a warning.
#' @inheritParams coxphGPU
#' @return An object of class `c("clogit", "coxphGPU", "coxph")` with the components of
#'   [survival::coxph.object], and the call of `clogitGPU()` as `userCall`.
#' @references
#' Gail MH, Lubin JH, Rubinstein LV (1981). Likelihood calculations for matched
#' case-control studies and survival studies with tied death times. *Biometrika* 68,
#' 703-707.
#' @seealso [coxphGPU()]
#' @examplesIf survivalGPU:::python_ready()
#' # Cases of infertility, each with two controls of like age, parity and education
#' fit <- clogitGPU(case ~ spontaneous + induced + strata(stratum), data = infert, device = "cpu")
#' summary(fit)
#' @export
clogitGPU <- function( # nolint: object_name_linter.
    formula, data, weights, subset, na.action,
    method = c("exact", "approximate", "efron", "breslow"), ..., device = NULL,
    concordance = TRUE) {
  user_call <- sys.call()
  matched <- match.call()
  frame <- parent.frame()
  check_flag(concordance, "concordance")
  device <- requested_device(device)
  engine <- engine_expression(device)
  front_end <- engine_expression(device, quote(clogit_engine))
  if (!concordance) engine$concordance <- front_end$concordance <- FALSE

  engine_call <- matched
  engine_call$device <- engine_call$concordance <- NULL
  engine_call[[1L]] <- front_end
  fit <- relabel_conditions(
    eval(engine_call, frame),
    from = function(cnd) is_from_engine(cnd, list(engine, front_end)),
    call = function(call) user_call
  )
  fit$call[[1L]] <- sibling_name(matched[[1L]], "coxphGPU")
  fit$call$device <- as.list(matched)[["device"]]
  fit$call$concordance <- as.list(matched)[["concordance"]]
  fit$userCall <- user_call
  class(fit) <- append(class(fit), "coxphGPU", after = 1L)
  fit
}

# survival's clogit() makes a call of coxph() and evaluates it in its caller's frame,
# where `coxph` is not ours: its eval() puts our engine in that call.
clogit_engine <- function(device, concordance = TRUE) {
  check_survival()
  engine <- engine_expression(device)
  if (!concordance) engine$concordance <- FALSE
  clogit <- survival::clogit
  scope <- new.env(parent = asNamespace("survival"))
  scope$eval <- function(expr, envir, ...) {
    if (is.call(expr) && deparse1(expr[[1L]]) %in% c("coxph", "survival::coxph")) {
      expr[[1L]] <- engine
    }
    base::eval(expr, envir, ...)
  }
  environment(clogit) <- scope
  clogit
}

# `name` qualified by the package where `as` is.
sibling_name <- function(as, name) {
  if (is.call(as)) {
    as[[3L]] <- as.name(name)
    as
  } else {
    as.name(name)
  }
}

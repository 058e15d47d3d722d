# concordance() of our fits, and of anything else that survival's takes: survival's own
# methods, bound to our concordancefit().

#' Concordance of a fit with the observed survival, at the speed of a fit
#'
#' `concordance()` of a [coxphGPU()] fit is survival's, with the same arguments and result;
#' `concordanceGPU()` does the same for a formula, a `survreg` fit, an `lm` or any other object
#' that [survival::concordance()] takes. The pairs are counted in time proportional to
#' \eqn{n \log n}, standard error included, however many strata there are.
#'
#' @details
#' A pair of rows is comparable where one has an event while the other is under
#' observation and remains so. It is concordant if the predictions agree with that order. With
#' \eqn{c} concordant, \eqn{d} discordant and \eqn{t} pairs tied on the prediction, the
#' concordance is \eqn{(c + t/2) / (c + d + t)}. Its variance is the sum of the squared
#' influences of the rows, or of the clusters, on it.
#'
#' Tables of ranks (`ranks = TRUE`) come from survival's own code.
#'
#' @param object A fit, or for `concordanceGPU()` also a formula: what
#'   [survival::concordance()] takes.
#' @param ... The other arguments of [survival::concordance()], further fits among them.
#' @param device `"auto"`, `"cpu"`, `"cuda"` or `"cuda:N"`; `NULL`, the default, takes the
#'   device of a [coxphGPU()] fit, else the option `survivalGPU.device`.
#' @return An object of class `concordance`, see [survival::concordance()].
#' @references
#' Harrell FE, Califf RM, Pryor DB, Lee KL, Rosati RA (1982). Evaluating the yield of medical
#' tests. *JAMA* 247, 2543-2546.
#'
#' Therneau TM, Watson DA (2017). *The concordance statistic and the Cox model*. Technical
#' report 85, Department of Health Science Research, Mayo Clinic.
#' @seealso [coxphGPU()]
#' @examplesIf survivalGPU:::python_ready()
#' library(survival)
#' fit <- coxphGPU(Surv(time, status) ~ age + ph.ecog, data = lung, device = "cpu")
#' concordance(fit)
#' concordance(fit, timewt = "n/G2", cluster = lung$inst[!is.na(lung$ph.ecog)])
#' concordanceGPU(Surv(time, status) ~ ph.karno + strata(sex), data = lung, device = "cpu")
#' @export
concordanceGPU <- function(object, ..., device = NULL) { # nolint: object_name_linter.
  matched <- match.call()
  device <- if (is.null(device) && inherits(object, "coxphGPU")) {
    device_of(object)
  } else {
    requested_device(device)
  }
  method <- concordance_method(object)
  counted <- call_with_object(method, matched, object, parent.frame(), device)
  if (!is.null(counted$call)) counted$call <- matched
  counted
}

#' @rdname concordanceGPU
#' @method concordance coxphGPU
#' @export
concordance.coxphGPU <- function(object, ...) {
  matched <- match.call()
  counted <- call_with_object(
    "concordance.coxph", matched, object, parent.frame(), device_of(object)
  )
  if (!is.null(counted$call)) counted$call$object <- matched$object
  counted
}

# The name of survival's method for `object`.
concordance_method <- function(object) {
  methods <- paste0("concordance.", c(class(object), "default"))
  known <- vapply(methods, exists, NA, envir = asNamespace("survival"), inherits = FALSE)
  if (!any(known)) {
    cli::cli_abort(
      c(
        "{.arg object} must be a formula or a fit, not {.obj_type_friendly {object}}.",
        i = "{.help survival::concordance} has what can be given."
      ),
      class = "survivalGPU_error", call = rlang::caller_env()
    )
  }
  methods[known][1L]
}

# Calls survival's method in our engine with the arguments of `call`, evaluated where they
# were written. A fit is known already and may have taken long: a name stands for it, the one
# that survival will give it among the results.
call_with_object <- function(method, call, object, frame, device) {
  scope <- new.env(parent = frame)
  scope[[method]] <- concordance_engine(method, device)
  call[[1L]] <- as.name(method)
  call$device <- NULL
  written <- as.character(call)[[2L]]
  if (!is.language(call$object) || nchar(written, "bytes") > 1000L) {
    call$object <- object
  } else if (!inherits(object, "formula")) {
    call$object <- as.name(written)
    scope[[written]] <- object
  }
  eval(call, scope)
}

concordance_engine <- function(method, device) {
  engine <- engine_environment(device)
  for (name in c("cord.work", method)) {
    engine[[name]] <- get(name, envir = asNamespace("survival"))
    environment(engine[[name]]) <- engine
  }
  engine[[method]]
}

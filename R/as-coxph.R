#' A coxphGPU fit as a plain coxph fit
#'
#' A `coxphGPU` fit is a `coxph` fit, and functions that take one take the other.
#' A few look at the first class of an object only, or at the name of the function
#' in its call. `as_coxph()` gives them the object that [survival::coxph()] would
#' have returned.
#'
#' @param fit An object of class `coxphGPU`, or any object of class `coxph`, which
#'   is returned as it is.
#' @return `fit` without the class `coxphGPU`, and with a call of
#'   [survival::coxph()] (of [survival::clogit()], where that is what it stands
#'   for). All else, numbers included, is unchanged. `update()` then fits with
#'   survival.
#' @seealso [coxphGPU()]
#' @examplesIf survivalGPU:::python_ready()
#' fit <- coxphGPU(Surv(time, status) ~ age + sex, data = lung, device = "cpu")
#' class(as_coxph(fit))
#' as_coxph(fit)$call
#' @export
as_coxph <- function(fit) {
  # survival gives some exact fits of (start, stop] data no class
  unclassed <- is.list(fit) && !is.object(fit) && is.call(fit$call)
  if (!inherits(fit, "coxph") && !unclassed) {
    cli::cli_abort(
      c(
        "{.arg fit} must be a fit of {.fn coxphGPU}, not {.obj_type_friendly {fit}}.",
        i = "Give what {.fn coxphGPU} returned."
      ),
      class = c("survivalGPU_invalid_fit", "survivalGPU_error")
    )
  }
  if (is.object(fit) && !inherits(fit, "coxphGPU")) {
    return(fit)
  }
  fit <- without_own_class(fit)
  fit$call <- survivals_call(fit$call)
  if (is.call(fit$userCall)) fit$userCall <- survivals_call(fit$userCall)
  fit
}

without_own_class <- function(fit) {
  if (is.object(fit)) class(fit) <- setdiff(class(fit), "coxphGPU")
  fit
}

# Without the arguments that coxph() does not have.
survivals_call <- function(call) {
  call[[1L]] <- survivals_name(call[[1L]])
  own <- setdiff(names(formals(coxphGPU)), names(formals(survival::coxph)))
  call[!rlang::names2(call) %in% own]
}

# coxph for coxphGPU, and survival::coxph for survivalGPU::coxphGPU.
survivals_name <- function(fun) {
  if (is.symbol(fun)) {
    as.name(sub("GPU$", "", as.character(fun)))
  } else if (is.call(fun) && as.character(fun[[1L]]) %in% c("::", ":::")) {
    as.call(lapply(fun, survivals_name))
  } else {
    fun
  }
}

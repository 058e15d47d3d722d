# The data of a fit looked up again, by survival's own methods with the front end's faster
# parts: every method for fits of survival's starts with it.

#' The model frame and the design matrix of a coxphGPU fit
#'
#' Those of survival's methods for `coxph` fits, made faster: the data are looked up
#' where the formula was written, or taken from the fit if it has kept them.
#'
#' @param formula,object A fit made by [coxphGPU()].
#' @param data,... As in survival's methods for `coxph` fits.
#' @return A data frame; a matrix.
#' @examplesIf survivalGPU:::python_ready()
#' library(survival)
#' fit <- coxphGPU(Surv(time, status) ~ age + sex, data = lung, device = "cpu")
#' head(model.matrix(fit))
#' @importFrom stats model.frame
#' @export
model.frame.coxphGPU <- function(formula, ...) {
  # the rows of a model with tt() are made by code that is looked up at its call
  if (length(attr(formula$terms, "specials")$tt) > 0L || has_methods_of_its_own(formula)) {
    return(NextMethod())
  }
  rebuild <- fresh(front_end$fit_frame)
  rebuild(formula, ...)
}

#' @rdname model.frame.coxphGPU
#' @importFrom stats model.matrix
#' @export
model.matrix.coxphGPU <- function(object, data = NULL, ...) {
  if (has_methods_of_its_own(object)) {
    return(NextMethod())
  }
  rebuild <- fresh(front_end$fit_matrix)
  rebuild(object, data, ...)
}

# survival has methods for multi-state fits, and multcomp for penalised ones.
has_methods_of_its_own <- function(fit) {
  inherits(fit, c("coxphms", "coxph.penal"))
}

quick_fit_frame <- function() {
  rebound(
    utils::getFromNamespace("model.frame.coxph", "survival"),
    list(eval = function(expr, envir, ...) evaluate_front_end(expr, envir))
  )
}

quick_fit_matrix <- function() {
  rebound(
    utils::getFromNamespace("model.matrix.coxph", "survival"),
    list(
      model.matrix = quick_model_matrix(),
      "[.survivalGPU_design" = select_design_columns
    )
  )
}

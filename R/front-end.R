# survival's front end, with faster parts.
#
# Most of the time that coxph() spends around its fitters on millions of rows goes to a few
# helpers. The environment between coxph()'s copy and survival's namespace binds
# them to functions with the same results. Each handles the plain case, in one pass over
# the data, and hands everything else to the function whose place it takes.

# make_front_end() when the package was loaded
front_end <- NULL

# The functions that coxph() finds, those that a formula finds, model.frame(), and what
# makes a fit's frame and matrix again, or those of new rows.
make_front_end <- function() {
  list(
    coxph = list(
      eval = evaluate_front_end,
      aeqSurv = quick_aeqSurv(),
      model.response = quick_model_response(),
      "[.Surv" = quick_surv_column(),
      model.matrix = quick_model_matrix(),
      "[.survivalGPU_design" = select_design_columns,
      is.finite = all_finite,
      as.integer = factor_codes,
      as.factor = quick_as_factor(),
      unique = quick_unique(),
      match = quick_match()
    ),
    formula = list(Surv = quick_Surv(), strata = quick_strata()),
    model_frame = quick_model_frame(),
    fit_frame = quick_fit_frame(),
    fit_matrix = quick_fit_matrix(),
    new_matrix = quick_new_matrix()
  )
}

front_end_environment <- function() {
  front <- list2env(front_end$coxph, parent = asNamespace("survival"))
  front$aeqSurv <- fresh(front$aeqSurv)
  front
}

# A copy that R will not compile: it compiles what is called twice, and of a long function,
# called once for each fit, that takes longer than many a fit.
fresh <- function(f) {
  environment(f) <- environment(f)
  f
}

# `original` that first tries `shortcut`, an expression evaluated in its frame: its value
# is returned unless it is NULL. The call that errors and warnings show, the promises and
# missing() stay what they are. `helpers` are found by the shortcut. An argument that the
# shortcut passes on is to be evaluated in the frame before, for the sake of that call.
with_shortcut <- function(original, shortcut, helpers) {
  prologue <- bquote(if (!is.null(quick_result <- .(shortcut))) return(quick_result))
  body(original) <- call("{", prologue, body(original))
  rebound(original, helpers)
}

# `f` with `helpers` found before what its own environment holds.
rebound <- function(f, helpers) {
  environment(f) <- list2env(helpers, parent = environment(f))
  f
}

# survival's rounding of times. It sorts all times, twice, to find that none are tied.
quick_aeqSurv <- function() { # nolint: object_name_linter.
  with_shortcut(
    survival::aeqSurv,
    quote(if (missing(tolerance)) {
      x
      round_times(x, tolerance)
    }),
    list(round_times = round_times)
  )
}

round_times <- function(y, tolerance) {
  if (!survival::is.Surv(y)) {
    return(NULL)
  }
  rounded <- .Call(front_rounded_times, y, tolerance)
  # where no times are tied, it is y
  if (!is.null(rounded)) attributes(rounded) <- attributes(y)
  rounded
}

# survival asks all(is.finite(X)) of its design: for a matrix, one answer is returned.
all_finite <- function(x) {
  if (is.double(x) && is.matrix(x) && !is.object(x)) {
    .Call(front_all_finite, x, NULL)
  } else {
    is.finite(x)
  }
}

# as.integer() copies the names that it drops, for many rows at a high price.
factor_codes <- function(x) {
  if (is.factor(x)) .Call(front_bare_copy, x, NULL) else as.integer(x)
}

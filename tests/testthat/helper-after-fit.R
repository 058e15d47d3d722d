# What methods for coxphGPU fits give, against survival's own methods on the same fit:
# both have the same coefficients, so that only the methods differ.

# Asks the engine however few the rows.
local_engine_for_all <- function(frame = parent.frame()) {
  local_package_function("least_rows", function() 0L, frame)
}

# `use`, an expression in `fit`, comes to the same for a coxphGPU fit and for that fit
# read as a coxph: the same value within `tolerance`, or the same error, the same warnings
# and the same printed lines.
expect_same_method <- function(use, fit, frame, label, tolerance = rounding_tolerance,
                               printed = TRUE) {
  label <- paste0(label, ": ", paste(deparse(use), collapse = " "))
  evaluate <- function(fit) {
    scope <- list2env(list(fit = fit), parent = frame)
    result <- outcome(use, scope)
    if (printed && is.null(result$error)) {
      scope$value <- without_noise(result$value)
      result$printed <- outcome(quote(capture.output(print(value))), scope)
    }
    result
  }
  ours <- evaluate(fit)
  theirs <- evaluate(as_coxph(fit))
  expect_identical(ours$error, theirs$error, label = paste(label, "error"))
  expect_identical(ours$warnings, theirs$warnings, label = paste(label, "warnings"))
  if (is.null(ours$error) && is.null(theirs$error)) {
    expect_same_result(ours$value, theirs$value, tolerance, label)
    expect_identical(ours$printed, theirs$printed, label = paste(label, "printed"))
  }
  invisible(theirs)
}

expect_same_methods <- function(uses, fit, frame, label, ...) {
  for (use in uses) expect_same_method(use, fit, frame, label, ...)
}

# Each of `models` (calls of coxph by name) fitted with coxphGPU; penalised and multi-state
# ones, for which the methods are survival's own, only if named.
fit_models <- function(models, frame, except = character()) {
  models <- models[!names(models) %in% except]
  lapply(models, function(call) {
    call[[1L]] <- quote(coxphGPU)
    suppressMessages(with_warnings(eval(call, frame)), classes = "survivalGPU_deferred")$value
  })
}

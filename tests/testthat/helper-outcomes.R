# What a call of coxph comes to, a fit or an error, must be what it comes to with
# coxphGPU in its place.

expect_same_outcome <- function(call, tolerance = rounding_tolerance, frame = parent.frame()) {
  swapped <- call
  swapped[[1L]] <- quote(coxphGPU)
  theirs <- outcome(call, frame)
  ours <- outcome(swapped, frame)
  label <- paste(deparse(call, width.cutoff = 200L), collapse = " ")
  expect_identical(ours$error, theirs$error, label = label)
  expect_identical(ours$warnings, theirs$warnings, label = label)
  if (is.null(theirs$error)) {
    expect_same_fit(ours$value, theirs$value, tolerance = tolerance, label = label)
  }
  invisible(theirs)
}

outcome <- function(call, frame) {
  tryCatch(
    with_warnings(eval(call, frame)),
    error = function(cnd) list(error = conditionMessage(cnd))
  )
}

# The call as it is, for right-censored data, and with entry times.
expect_same_both_ways <- function(call, ...) {
  frame <- parent.frame()
  expect_same_outcome(call, ..., frame = frame)
  counting <- do.call(substitute, list(
    call, list(Surv = quote(surv_from_start))
  ))
  frame <- new.env(parent = frame)
  frame$surv_from_start <- function(time, ...) Surv(time - 1, time, ...)
  expect_same_outcome(counting, ..., frame = frame)
}

# Follow-up in whole days, so with ties; (start, stop] by a late entry for every row.
simulated <- function(n, seed = 11) {
  withr::local_seed(seed)
  data <- data.frame(
    x = rnorm(n),
    z = rbinom(n, 1, 0.4),
    group = sample(letters[1:4], n, replace = TRUE),
    time = ceiling(rexp(n, 0.05)),
    status = rbinom(n, 1, 0.6)
  )
  data$start <- data$time - ceiling(data$time * runif(n))
  data$start[data$start == data$time] <- 0
  data
}

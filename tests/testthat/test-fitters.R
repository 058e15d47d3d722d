library(survival)

# survival's own fitters and ours, called as programs other than coxph() may.
fitters <- function(name) {
  list(
    theirs = get(name, envir = asNamespace("survival")),
    ours = get(name, envir = environment(coxph_engine("cpu")))
  )
}

expect_same_shape <- function(name, ...) {
  fit <- fitters(name)
  theirs <- fit$theirs(...)
  ours <- fit$ours(...)
  expect_identical(names(ours), names(theirs))
  expect_identical(lapply(ours, typeof), lapply(theirs, typeof))
  expect_identical(lapply(ours, attributes), lapply(theirs, attributes))
  converged <- setdiff(names(theirs), "first")
  expect_equal(ours[converged], theirs[converged])
}

right <- na.omit(lung[c("time", "status", "age", "sex", "inst")])
right_y <- Surv(right$time, right$status)
right_x <- as.matrix(right[c("age", "sex")])
heart_y <- Surv(heart$start, heart$stop, heart$event)
heart_x <- as.matrix(heart[c("age", "year")])
control <- coxph.control()

test_that("results of right-censored fits have survival's shape", {
  skip_if_no_python()
  rows <- row.names(right)
  same <- function(x, ...) expect_same_shape("coxph.fit", x, right_y, ..., rownames = rows)
  same(right_x, NULL, NULL, NULL, control, NULL, "efron")
  same(right_x, right$inst, NULL, c(0, 0), control, NULL, "breslow", nocenter = 1:2)
  same(right_x, NULL, NULL, NULL, control, NULL, "efron", resid = FALSE)
  same(cbind(right_x, 1), NULL, NULL, NULL, control, NULL, "efron")
  same(right_x[, 0], NULL, right$age / 99, NULL, control, NULL, "efron")
  same(right_x[, 0], NULL, NULL, NULL, control, NULL, "efron", resid = FALSE)
  same(NULL, NULL, NULL, NULL, control, NULL, "efron")
})

test_that("results of counting process fits have survival's shape", {
  skip_if_no_python()
  rows <- row.names(heart)
  same <- function(x, ...) expect_same_shape("agreg.fit", x, heart_y, ..., rownames = rows)
  same(heart_x, NULL, NULL, NULL, control, NULL, "efron")
  same(heart_x, heart$surgery, NULL, c(0, 0), control, NULL, "breslow", nocenter = 1:2)
  same(heart_x, NULL, NULL, NULL, control, NULL, "efron", resid = FALSE)
  same(cbind(heart_x, 1), NULL, NULL, NULL, control, NULL, "efron")
  same(heart_x[, 0], NULL, heart$age / 99, NULL, control, NULL, "efron")
  same(heart_x[, 0], NULL, NULL, NULL, control, NULL, "efron", resid = FALSE)
})

test_that("arguments left out are those survival takes", {
  skip_if_no_python()
  fit <- fitters("coxph.fit")
  expect_equal(
    fit$ours(right_x, right_y, NULL, control = control, method = "efron", rownames = NULL),
    fit$theirs(right_x, right_y, NULL, control = control, method = "efron", rownames = NULL)
  )
})

test_that("what survival refuses is refused in its words", {
  refuse <- function(name, ...) {
    fit <- fitters(name)
    expect_identical(
      conditionMessage(expect_error(fit$ours(...))),
      conditionMessage(expect_error(fit$theirs(...)))
    )
  }
  n <- nrow(right)
  refuse("coxph.fit", right_x, right_y, NULL, NULL, NULL, control, rep(0, n), "efron", 1:n)
  refuse("coxph.fit", right_x, right_y, NULL, NULL, 1, control, NULL, "efron", 1:n)
  n <- nrow(heart)
  none <- Surv(heart$start, heart$stop, 0 * heart$event)
  refuse("agreg.fit", heart_x, none, NULL, NULL, NULL, control, NULL, "efron", 1:n)
  refuse("agreg.fit", heart_x, heart_y, NULL, NULL, NULL, control, rep(-1, n), "efron", 1:n)
  refuse("agreg.fit", heart_x, heart_y, NULL, NULL, 1:3, control, NULL, "efron", 1:n)
  refuse("agreg.fit", heart_x[, 0], heart_y, NULL, NULL, 1, control, NULL, "efron", 1:n)
})

test_that("results that are not finite are refused, not returned", {
  local_package_function("fit_cox", function(...) {
    list(coefficients = c(NaN, 1), var = diag(2))
  })
  expect_error(
    fitters("agreg.fit")$ours(
      heart_x, heart_y, NULL, NULL, NULL, control, NULL, "efron", NULL,
      resid = FALSE
    ),
    "numeric overflow"
  )
})

test_that("warnings follow survival's rules", {
  fit <- list(
    flag = 1000L, linear_predictors = 501, score_vector = 0, var = matrix(1),
    coefficients = 1
  )
  expect_identical(
    right_warnings(fit, control),
    c("Ran out of iterations and did not converge", "one or more coefficients may be infinite")
  )
  expect_length(right_warnings(fit, coxph.control(iter.max = 1)), 0)
  fit$linear_predictors <- 1
  expect_length(right_warnings(fit, control), 1)
  fit$flag <- 1L
  expect_null(right_warnings(fit, control))
  fit$score_vector <- Inf
  expect_match(right_warnings(fit, control), "variable  1 ; coefficient may be infinite. ")
  fit$flag <- c(1L, 0L, 0L, 1L)
  expect_match(counting_warnings(fit, control), "Ran out")
  fit$flag[4] <- 0L
  expect_match(counting_warnings(fit, control), "variable  1 ; beta may be infinite. ")
  fit$score_vector <- 0
  expect_null(counting_warnings(fit, control))
})

test_that("missing strata are survival's own affair", {
  skip_if_no_python()
  forget_message("deferred_strata")
  x <- cbind(age = lung$age)
  strata <- replace(lung$sex, 1, NA)
  fit <- function(fitter, y) {
    suppressWarnings(fitter(
      x, y, strata, NULL, NULL, coxph.control(),
      weights = NULL, method = "efron", rownames = NULL
    ))
  }
  engine <- engine_environment("cpu")
  counting <- cbind(0, lung$time, lung$status - 1)
  expect_message(ours <- fit(engine$agreg.fit, counting), "missing strata")
  expect_identical(ours, fit(asNamespace("survival")$agreg.fit, counting))
})

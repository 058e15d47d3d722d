library(survival)

withr::local_options(survivalGPU.device = "cpu", .local_envir = teardown_env())

test_that("the call prints as coxph's, but for its name", {
  skip_if_no_python()
  fit <- coxphGPU(Surv(time, status) ~ age, data = lung)
  expect_identical(
    fit$call, quote(coxphGPU(formula = Surv(time, status) ~ age, data = lung))
  )
  qualified <- survivalGPU::coxphGPU(Surv(time, status) ~ age, lung)
  expect_identical(qualified$call[[1]], quote(survivalGPU::coxphGPU))
  expect_identical(
    capture.output(print(summary(fit)))[-2],
    capture.output(print(summary(coxph(Surv(time, status) ~ age, data = lung))))[-2]
  )
})

test_that("a device given is kept in the call, so that update keeps it", {
  skip_if_no_python()
  fit <- coxphGPU(Surv(time, status) ~ age, lung, device = "cpu")
  expect_identical(fit$call$device, "cpu")
  expect_identical(update(fit, . ~ sex)$call$device, "cpu")
  expect_null(as.list(coxphGPU(Surv(time, status) ~ age, lung)$call)[["device"]])
})

test_that("coxph's edits of its call are kept", {
  skip_if_no_python()
  formula <- Surv(time, status) ~ age + cluster(inst)
  fit <- coxphGPU(Surv(time, status) ~ age + cluster(inst), lung)
  expect_equal(
    as_coxph(fit)$call, coxph(Surv(time, status) ~ age + cluster(inst), lung)$call
  )
  expect_equal(as_coxph(coxphGPU(formula, lung))$call, coxph(formula, lung)$call)
})

test_that("do.call with the function itself works as for coxph", {
  skip_if_no_python()
  arguments <- list(Surv(time, status) ~ age, data = lung)
  fit <- do.call(coxphGPU, arguments)
  expect_identical(fit$call[[1]], coxphGPU)
  expect_equal(coef(update(fit, . ~ sex)), coef(coxph(Surv(time, status) ~ sex, lung)))
  expect_identical(do.call("coxphGPU", arguments)$call[[1]], quote(coxphGPU))
})

test_that("arguments passed down through functions mean what they mean for coxph", {
  skip_if_no_python()
  same <- function(wrap) {
    expect_equal(as_coxph(wrap(coxphGPU)), wrap(coxph), ignore_formula_env = TRUE)
  }
  same(function(fit) {
    outer <- function(...) fit(Surv(time, status) ~ age, ...)
    result <- outer(data = lung, subset = lung$sex == 1)
    result$call[[1]] <- quote(coxph)
    result
  })
  same(function(fit) {
    outer <- function(formula, data, robust, weights = NULL) {
      limit <- 60
      formula <- Surv(time, status) ~ I(age > limit)
      fit(formula, data, robust = robust)
    }
    result <- outer(data = lung)
    result$call[[1]] <- quote(coxph)
    result
  })
  same(function(fit) {
    result <- lapply(list(Surv(time, status) ~ age), fit, data = lung)[[1]]
    result$call[[1]] <- quote(coxph)
    result
  })
  through_dots <- function(...) coxphGPU(...)
  chosen <- "cpu"
  fit <- through_dots(Surv(time, status) ~ age, data = lung, device = chosen)
  expect_identical(fit$call$device, quote(..3))
})

test_that("variables named T and data are found as coxph finds them", {
  skip_if_no_python()
  data <- lung
  # nolint start: T_and_F_symbol_linter, object_name_linter.
  T <- data$time
  fit <- coxphGPU(Surv(T, status) ~ age, data)
  expect_equal(as_coxph(fit), coxph(Surv(T, status) ~ age, data))
  # nolint end
  device <- lung$age
  expect_equal(
    unname(coef(coxphGPU(Surv(time, status) ~ device, lung))),
    unname(coef(coxph(Surv(time, status) ~ age, lung)))
  )
})

test_that("tibbles, integer columns and logical columns fit", {
  skip_if_no_python()
  skip_if_not_installed("tibble")
  data <- tibble::as_tibble(transform(lung, old = age > 60, sex = as.integer(sex)))
  expect_equal(
    as_coxph(coxphGPU(Surv(time, status) ~ old + sex, data)),
    coxph(Surv(time, status) ~ old + sex, data)
  )
})

test_that("classes are coxphGPU before survival's", {
  skip_if_no_python()
  expect_s3_class(
    coxphGPU(Surv(time, status) ~ age, lung), c("coxphGPU", "coxph"), exact = TRUE
  )
  expect_s3_class(
    coxphGPU(Surv(time, status) ~ 1, lung),
    c("coxphGPU", "coxph.null", "coxph"), exact = TRUE
  )
  progressed <- transform(
    mgus2,
    t = ifelse(pstat == 1, ptime, futime),
    event = factor(ifelse(pstat == 1, 1, 2 * death), 0:2, c("none", "pcm", "death"))
  )
  expect_s3_class(
    coxphGPU(Surv(t, event) ~ age, progressed, id = id),
    c("coxphGPU", "coxphms", "coxph"), exact = TRUE
  )
})

test_that("without events the object is coxph's, and Python is not asked", {
  local_package_function("fit_cox", function(...) stop("asked"))
  fit <- coxphGPU(Surv(time, status > 5) ~ age, lung)
  expect_s3_class(fit, c("coxphGPU", "coxph"), exact = TRUE)
  expect_identical(fit$call[[1]], quote(coxphGPU))
  expect_equal(as_coxph(fit), coxph(Surv(time, status > 5) ~ age, lung))
})

test_that("errors and warnings of coxph show the user's call", {
  of_coxph <- function(call, signal) {
    call[[1]] <- quote(coxph)
    signal(eval(call))
  }
  calls <- list(
    quote(coxphGPU(Surv(time, status) ~ age, lung, typo = 3)),
    quote(coxphGPU()),
    quote(coxphGPU(time ~ age, lung)),
    quote(coxphGPU(Surv(time, status) ~ age, lung, init = 1:2)),
    quote(coxphGPU(Surv(time, status) ~ I(1 / (age - 60)), lung))
  )
  for (call in calls) {
    error <- expect_error(eval(call))
    expect_identical(conditionMessage(error), conditionMessage(of_coxph(call, expect_error)))
    expect_identical(conditionCall(error), call)
  }
  skip_if_no_python()
  call <- quote(coxphGPU(Surv(time, status) ~ age, lung, cluster = inst, robust = FALSE))
  warned <- expect_warning(eval(call))
  expect_identical(conditionMessage(warned), conditionMessage(of_coxph(call, expect_warning)))
  expect_identical(conditionCall(warned), call)
})

test_that("errors and warnings of the fitters are survival's, call and words", {
  skip_if_no_python()
  separated <- data.frame(start = 0, time = 1:10, status = 1, x = rep(1:0, each = 5))
  expect_same <- function(call, signal) {
    ours <- signal(eval(call))
    call[[1]] <- quote(coxph)
    theirs <- signal(eval(call))
    expect_identical(conditionMessage(ours), conditionMessage(theirs))
    expect_identical(conditionCall(ours), conditionCall(theirs))
  }
  expect_same(quote(coxphGPU(Surv(time, status) ~ x, separated)), expect_warning)
  expect_same(quote(coxphGPU(Surv(start, time, status) ~ x, separated)), expect_warning)
  expect_same(
    quote(coxphGPU(Surv(time, status) ~ age, lung, weights = age - 60)), expect_error
  )
  expect_same(
    quote(coxphGPU(Surv(start, stop, event) ~ 1, heart, weights = age)), expect_error
  )
})

test_that("neither loading nor a failing formula starts Python", {
  session <- fresh_session(c(
    "started <- function() reticulate::py_available(initialize = FALSE)",
    "loaded <- started()",
    "try(coxphGPU(Surv(time, nothing) ~ age, lung), silent = TRUE)",
    "try(coxphGPU(Surv(time, status) ~ age, lung, device = 'gpu'), silent = TRUE)",
    "cat(loaded, started())"
  ))
  expect_identical(session$out, "FALSE FALSE")
})

test_that("the first fit in a fresh session says nothing on standard output", {
  skip_if_no_python()
  session <- fresh_session(
    "fit <- coxphGPU(Surv(time, status) ~ age, lung)"
  )
  expect_identical(session$out, character())
  expect_null(session$status)
})

test_that("without a Python the error names two ways out", {
  session <- fresh_session(
    "coxphGPU(Surv(time, status) ~ age, lung)",
    env = "RETICULATE_PYTHON=/no/such/python"
  )
  expect_identical(session$out, character())
  expect_identical(session$status, 1L)
  expect_match(paste(session$err, collapse = "\n"), "RETICULATE_PYTHON")
  expect_match(paste(session$err, collapse = "\n"), "py_install")
})

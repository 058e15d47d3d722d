library(survival)

withr::local_options(survivalGPU.device = "cpu", .local_envir = teardown_env())

# The call fails as coxph's does, in the same words; nothing is assigned by it, and a
# good fit that follows is what it was before.
expect_same_refusal <- function(call, frame = parent.frame()) {
  theirs <- expect_same_outcome(call, frame = frame)
  expect_type(theirs$error, "character")
  swapped <- call
  swapped[[1L]] <- quote(coxphGPU)
  before <- "as it was"
  try(before <- eval(swapped, frame), silent = TRUE)
  expect_identical(before, "as it was")
}

good_fit <- function() {
  coxphGPU(Surv(time, status) ~ age + sex, lung)
}

test_that("a formula that is none is refused in coxph's words", {
  expect_same_refusal(quote(coxph()))
  expect_same_refusal(quote(coxph(data = lung)))
  expect_same_refusal(quote(coxph("no formula", lung)))
  expect_same_refusal(quote(coxph(3, lung)))
  expect_same_refusal(quote(coxph(NULL, lung)))
  expect_same_refusal(quote(coxph(lung)))
  expect_same_refusal(quote(coxph(~age, lung)))
  expect_same_refusal(quote(coxph(list(Surv(time, status) ~ age, ~sex), lung)))
  expect_same_refusal(quote(coxph(Surv(time, status) ~ nothing, lung)))
  expect_same_refusal(quote(coxph(Surv(nothing, status) ~ age, lung)))
  expect_same_refusal(quote(coxph(Surv(time, status) ~ no_function(age), lung)))
})

test_that("responses that Cox models cannot have are refused in coxph's words", {
  expect_same_refusal(quote(coxph(time ~ age, lung)))
  expect_same_refusal(quote(coxph(cbind(time, status) ~ age, lung)))
  expect_same_refusal(quote(coxph(Surv(time, status, type = "left") ~ age, lung)))
  expect_same_refusal(
    quote(coxph(Surv(time, time + 1, rep(3, 228), type = "interval") ~ age, lung))
  )
  expect_same_refusal(quote(coxph(Surv(time, time + 1, type = "interval2") ~ age, lung)))
  expect_same_refusal(quote(coxph(Surv(inst, time, status) ~ age, lung[1, 1:3])))
  expect_same_refusal(quote(coxph(Surv("time", status) ~ age, lung)))
  expect_same_refusal(quote(coxph(Surv(time, "status") ~ age, lung)))
  expect_same_refusal(quote(coxph(Surv(time, factor(status)) ~ age, lung)))
})

test_that("start at or after stop is survival's warning, and its row is dropped", {
  skip_if_no_python()
  heart$start[c(3, 8)] <- heart$stop[c(3, 8)] + 0:1
  theirs <- expect_same_outcome(quote(coxph(Surv(start, stop, event) ~ age, heart)))
  expect_match(theirs$warnings, "Stop time must be > start time, NA created")
  heart$start <- heart$stop
  theirs <- expect_same_outcome(quote(coxph(Surv(start, stop, event) ~ age, heart)))
  expect_match(theirs$error, "No (non-missing)", fixed = TRUE)
})

test_that("data that are no data frame are refused in coxph's words", {
  expect_same_refusal(quote(coxph(Surv(time, status) ~ age, "lung")))
  expect_same_refusal(quote(coxph(Surv(time, status) ~ age, as.matrix(lung))))
  expect_same_refusal(quote(coxph(Surv(time, status) ~ age, 1:10)))
  expect_same_refusal(quote(coxph(Surv(time, status) ~ age, mean)))
  expect_same_refusal(quote(coxph(Surv(time, status) ~ age, no_such_data)))
  expect_same_refusal(quote(coxph(Surv(time, status) ~ age)))
  expect_same_refusal(quote(coxph(Surv(time, status) ~ age, NULL)))
})

test_that("covariates that are not finite are refused in coxph's words", {
  skip_if_no_python()
  data <- lung
  data$age[7] <- Inf
  expect_same_refusal(quote(coxph(Surv(time, status) ~ age + sex, data)))
  data$age[7] <- -Inf
  expect_same_refusal(quote(coxph(Surv(inst * 0, time, status) ~ age, data)))
  expect_same_refusal(quote(coxph(Surv(time, status) ~ sex + offset(age), data)))
  # NaN is a missing value
  data$age[7] <- NaN
  expect_same_outcome(quote(coxph(Surv(time, status) ~ age + sex, data)))
  expect_same_refusal(quote(coxph(Surv(time, status) ~ age, data, na.action = na.fail)))
})

test_that("infinite times are refused in coxph's words", {
  skip_if_no_python()
  data <- lung
  data$time[3] <- Inf
  expect_same_refusal(quote(coxph(Surv(time, status) ~ age, data)))
  expect_same_refusal(quote(coxph(Surv(-time, status) ~ age, data)))
})

test_that("arguments of the wrong length are refused in coxph's words", {
  skip_if_no_python()
  expect_same_refusal(quote(coxph(Surv(time, status) ~ age, lung, weights = 1:3)))
  expect_same_refusal(quote(coxph(Surv(time, status) ~ age + offset(1:3), lung)))
  expect_same_refusal(quote(coxph(Surv(time, status) ~ age, lung, cluster = 1:3)))
  expect_same_refusal(quote(coxph(Surv(time, status) ~ age, lung, id = 1:3)))
  expect_same_refusal(quote(coxph(Surv(time, status) ~ age + strata(1:3), lung)))
  expect_same_refusal(quote(coxph(Surv(time, status) ~ age, lung, init = 1:2)))
  expect_same_refusal(quote(coxph(Surv(time, status) ~ age + sex, lung, init = 1)))
  expect_same_refusal(quote(coxph(Surv(time, status[1:9]) ~ age, lung)))
  expect_same_refusal(quote(coxph(Surv(time, status) ~ lung$age[1:9], lung)))
})

test_that("arguments of the wrong kind are refused in coxph's words", {
  skip_if_no_python()
  expect_same_refusal(quote(coxph(Surv(time, status) ~ age, lung, ties = "effron")))
  expect_same_refusal(quote(coxph(Surv(time, status) ~ age, lung, ties = 1)))
  expect_same_refusal(quote(coxph(Surv(time, status) ~ age, lung, method = "exactly")))
  expect_same_refusal(quote(coxph(Surv(time, status) ~ age, lung, init = "a")))
  expect_same_refusal(quote(coxph(Surv(time, status) ~ age, lung, init = NA)))
  expect_same_refusal(quote(coxph(Surv(time, status) ~ age, lung, init = 1e4)))
  expect_same_refusal(quote(coxph(Surv(time, status) ~ age, lung, weights = "sex")))
  expect_same_refusal(quote(coxph(Surv(time, status) ~ age, lung, na.action = "none")))
  expect_same_refusal(quote(coxph(Surv(time, status) ~ age, lung, subset = "all")))
  expect_same_refusal(quote(coxph(Surv(time, status) ~ tt(age), lung, tt = "log")))
  expect_same_refusal(quote(coxph(Surv(time, status) ~ age, lung, nocenter = "0", robust = "a")))
  expect_same_refusal(quote(coxph(Surv(time, status) ~ age, lung, control = 3)))
})

test_that("settings of the iteration are checked as by coxph", {
  skip_if_no_python()
  expect_same_refusal(quote(coxph(Surv(time, status) ~ age, lung, iter.max = -1)))
  expect_same_refusal(quote(coxph(Surv(time, status) ~ age, lung, eps = 0)))
  expect_same_refusal(quote(coxph(Surv(time, status) ~ age, lung, eps = -1)))
  expect_same_refusal(quote(coxph(Surv(time, status) ~ age, lung, timefix = "yes")))
  expect_same_refusal(
    quote(coxph(Surv(time, status) ~ age, lung, control = coxph.control(iter.max = -1)))
  )
  # a warning only, or nothing
  expect_same_outcome(quote(coxph(Surv(time, status) ~ age, lung, toler.chol = 0)))
  expect_same_outcome(quote(coxph(Surv(time, status) ~ age, lung, eps = 1e-13)))
  expect_same_outcome(quote(coxph(Surv(time, status) ~ age, lung, iter.max = 3.7)))
})

test_that("a misspelt argument is an error, as in coxph", {
  expect_same_refusal(quote(coxph(Surv(time, status) ~ age, lung, weight_s = age)))
  expect_same_refusal(quote(coxph(Surv(time, status) ~ age, lung, typo = 3)))
  expect_same_refusal(quote(coxph(Surv(time, status) ~ age, lung, strata = sex)))
  expect_same_refusal(quote(coxph(Surv(time, status) ~ age, lung, offset = age)))
  expect_same_refusal(quote(coxph(formula = Surv(time, status) ~ age, data = lung, da = 3)))
  # `...` stands before `device`, so a part of its name is no name
  expect_error(
    coxphGPU(Surv(time, status) ~ age, lung, dev = "cpu"),
    "Argument dev not matched"
  )
})

test_that("an error names our own argument and the remedy", {
  error <- expect_error(
    coxphGPU(Surv(time, status) ~ age, lung, device = "gpu"),
    class = "survivalGPU_error"
  )
  expect_match(conditionMessage(error), "`device` is \"gpu\"")
  expect_match(conditionMessage(error), "It must be \"auto\", \"cpu\", \"cuda\"")
})

test_that("a failure leaves nothing behind", {
  skip_if_no_python()
  before <- good_fit()
  set.seed(1)
  seed <- .Random.seed
  options <- options()
  for (call in expression(
    coxphGPU(Surv(time, status) ~ age, lung, device = "gpu"),
    coxphGPU(Surv(time, status) ~ age, lung, init = 1:3),
    coxphGPU(Surv(time, status) ~ age, lung, weights = age - 60),
    coxphGPU(Surv(time, status) ~ I(age / 0), lung),
    coxphGPU(Surv(time, status) ~ no_such_column, lung)
  )) {
    expect_error(eval(call))
  }
  expect_identical(good_fit(), before, ignore_formula_env = TRUE)
  expect_identical(.Random.seed, seed)
  expect_identical(options(), options)
  expect_same_outcome(quote(coxph(Surv(time, status) ~ age + sex, lung)))
})

test_that("covariates at the edge of double precision draw no word from Python", {
  skip_if_no_python()
  session <- fresh_session(c(
    "options(survivalGPU.device = 'cpu')",
    "fit <- coxphGPU(Surv(time, status) ~ I(age * 1e200), lung)",
    "fit <- suppressWarnings(coxphGPU(Surv(time, status) ~ I(age * 1e-200), lung))"
  ))
  expect_identical(grep("Warning", session$err, value = TRUE), character())
})

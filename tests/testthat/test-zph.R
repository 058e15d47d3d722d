library(survival)

withr::local_options(survivalGPU.device = "cpu", .local_envir = teardown_env())

# `use` with our cox.zph() on a fit, and with survival's on the same fit as coxph's.
expect_same_zph <- function(use, fit, frame = parent.frame(), label = deparse1(use),
                            tolerance = 1e-9) {
  value <- function(...) {
    scope <- list2env(list(...), parent = frame)
    tryCatch(
      {
        result <- with_warnings(eval(use, scope))
        result$printed <- capture.output(print(result$value))
        result
      },
      error = function(cnd) conditionMessage(cnd)
    )
  }
  ours <- value(fit = fit, cox.zph = survivalGPU::cox.zph)
  theirs <- value(
    fit = if (inherits(fit, "coxphGPU")) as_coxph(fit) else fit, cox.zph = survival::cox.zph
  )
  expect_same_result(ours, theirs, tolerance, label)
}

# survival 3.5-3 reads integer weights as numbers and ends in an error.
has_double_weights <- function(fit) is.null(fit$weights) || is.double(fit$weights)

uses <- rlang::exprs(
  cox.zph(fit), cox.zph(fit, "rank", terms = FALSE),
  cox.zph(fit, function(time) log(time + 1), singledf = TRUE)
)

for (data_set in names(c(right_censored_models, counting_models))) {
  test_that(paste("tests of the models of", data_set, "are survival's"), {
    skip_if_no_python()
    frame <- model_data(environment())
    models <- c(right_censored_models, counting_models)[[data_set]]
    for (name in names(models)) {
      call <- models[[name]]
      call[[1L]] <- quote(coxphGPU)
      fit <- suppressMessages(suppressWarnings(eval(call, frame)))
      if (!inherits(fit, "coxph") || !has_double_weights(fit)) next
      diverges <- name %in% c(divergent_models, "no treated male with a tumour")
      tolerance <- if (diverges) 1e-5 else 1e-9
      for (use in uses) {
        expect_same_zph(use, fit, frame, paste(name, deparse1(use)), tolerance)
      }
    }
  })
}

test_that("every argument does what it does in survival's", {
  skip_if_no_python()
  expect_identical(formals(survivalGPU::cox.zph), formals(survival::cox.zph))
  frame <- model_data(environment())
  fits <- list(
    coxphGPU(Surv(time, status) ~ karno * celltype + strata(trt), veteran, x = TRUE),
    coxphGPU(
      Surv(tstart, tstop, status) ~ treat + poly(weight, 2) + strata(hos.cat), cgd,
      weights = age / 7, cluster = id, ties = "breslow"
    ),
    coxphGPU(Surv(time, status) ~ age + I(2 * age) + factor(ph.ecog), lung)
  )
  own <- function(time) sqrt(time)
  for (fit in fits) {
    for (use in rlang::exprs(
      cox.zph(fit, transform = "identity", global = FALSE), cox.zph(fit, "log"),
      cox.zph(fit, own), cox.zph(fit, tr = rank), cox.zph(fit, terms = FALSE, singledf = TRUE),
      cox.zph(fit, function(time) {
        shifted <- time + 1
        another_long_name_to_fill_the_line <- log(shifted)
        another_long_name_to_fill_the_line
      }),
      cox.zph(fit, singledf = TRUE, global = FALSE)[1:2], cox.zph(fit)[2], cox.zph(fit = fit, "km")
    )) {
      expect_same_zph(use, fit, frame)
    }
  }
})

test_that("strata in which covariates do not vary are left out as in survival's", {
  skip_if_no_python()
  data <- simulated(160)
  data$x[data$group == "b"] <- 1
  data$z[data$group %in% c("b", "c")] <- 0
  data$group <- factor(data$group, levels = c("c", "a", "d", "b"))
  for (formula in list(
    Surv(time, status) ~ x + z + strata(group), Surv(start, time, status) ~ x + z + strata(group),
    Surv(time, status) ~ poly(x, 2) + z + strata(group)
  )) {
    fit <- coxphGPU(formula, data)
    for (use in uses) expect_same_zph(use, fit)
  }
})

test_that("what is not ours is survival's, in the same words", {
  skip_if_no_python()
  frame <- model_data(environment())
  for (call in rlang::exprs(
    coxphGPU(Surv(time, status) ~ 1, lung),
    coxphGPU(Surv(time, status) ~ age, lung, ties = "exact"),
    coxphGPU(Surv(time, status) ~ ridge(age, sex, theta = 1), lung),
    coxphGPU(Surv(time, status) ~ pspline(age, df = 3) + sex, lung),
    coxphGPU(Surv(time, status) ~ age + frailty(inst), lung),
    coxphGPU(Surv(time, status) ~ tt(age), lung, tt = function(x, t, ...) x * t),
    coxphGPU(Surv(tstart, tstop, event) ~ trt + sex, myeloid_states, id = id),
    coxph(Surv(time, status) ~ age, lung), lm(age ~ sex, lung), NULL
  )) {
    fit <- suppressMessages(eval(call, frame))
    expect_same_zph(quote(cox.zph(fit)), fit, frame)
  }
  fit <- coxphGPU(Surv(time, status) ~ age, lung)
  for (use in rlang::exprs(
    cox.zph(fit, "none"), cox.zph(fit, 1:3), cox.zph(), cox.zph(fit, extra = 1)
  )) {
    expect_same_zph(use, fit)
  }
})

test_that("the call of a coxph fit's test is the user's", {
  fit <- survival::coxph(Surv(time, status) ~ age, lung)
  expect_identical(cox.zph(fit)$call, quote(cox.zph(fit = fit)))
  expect_identical(survivalGPU::cox.zph(fit, "rank")$transform, "rank")
  wrapped <- function(x, ...) cox.zph(x, ...)
  expect_equal(wrapped(fit, transform = "log")$table, survival::cox.zph(fit, "log")$table)
})

test_that("the core computes the sums", {
  skip_if_no_python()
  fit <- coxphGPU(Surv(time, status) ~ age, lung)
  local_package_function("cox_zph_sums", function(...) stop("called"))
  expect_error(cox.zph(fit), "called")
})

test_that("data that changed since the fit are refused", {
  skip_if_no_python()
  rows <- lung
  fit <- coxphGPU(Surv(time, status) ~ age, rows)
  rows <- lung[1:100, ]
  expect_error(cox.zph(fit), class = "survivalGPU_changed_data")
})

test_that("a true departure is found, and none where there is none", {
  skip_if_no_python()
  data <- withr::with_seed(5, {
    x <- rep(0:1, 300)
    data.frame(x, noise = rnorm(600), time = rweibull(600, 1 + x, 10), status = 1)
  })
  p <- cox.zph(coxphGPU(Surv(time, status) ~ x + noise, data))$table[, "p"]
  expect_lt(p[["x"]], 1e-6)
  expect_gt(p[["noise"]], 0.01)
})

library(survival)

withr::local_options(survivalGPU.device = "cpu", .local_envir = teardown_env())

types <- c(
  "martingale", "deviance", "score", "schoenfeld", "dfbeta", "dfbetas", "scaledsch", "partial"
)

# `use` of a fit, and of the same fit as coxph's: the coefficients are the same, so that
# nothing but the residuals can differ. An error counts by its message.
expect_same_residuals <- function(use, fit, frame = parent.frame(), label = deparse1(use),
                                  tolerance = 1e-9) {
  value <- function(fit) {
    scope <- list2env(list(fit = fit), parent = frame)
    tryCatch(with_warnings(eval(use, scope)), error = function(cnd) conditionMessage(cnd))
  }
  expect_same_result(value(fit), value(as_coxph(fit)), tolerance, label)
}

of_core <- rlang::exprs(
  residuals(fit, "score"), residuals(fit, "dfbeta"), residuals(fit, "dfbetas"),
  residuals(fit, "schoenfeld"), residuals(fit, "scaledsch"),
  residuals(fit, "score", weighted = TRUE), residuals(fit, "dfbeta", weighted = FALSE),
  residuals(fit, "schoenfeld", weighted = TRUE)
)
single_state <- c(right_censored_models, counting_models)

for (data_set in names(single_state)) {
  test_that(paste("residuals of the models of", data_set, "are survival's"), {
    skip_if_no_python()
    frame <- model_data(environment())
    for (name in names(single_state[[data_set]])) {
      call <- single_state[[data_set]][[name]]
      call[[1L]] <- quote(coxphGPU)
      fit <- suppressMessages(suppressWarnings(eval(call, frame)))
      if (!inherits(fit, "coxph")) next
      tolerance <- if (name %in% divergent_models) divergent_tolerance else 1e-9
      for (use in of_core) {
        expect_same_residuals(use, fit, frame, paste(name, deparse1(use)), tolerance)
      }
    }
  })
}

test_that("the core computes them", {
  skip_if_no_python()
  fit <- coxphGPU(Surv(time, status) ~ age + strata(sex), lung)
  local_package_function("cox_score_residuals", function(...) stop("score called"))
  local_package_function("cox_schoenfeld_residuals", function(...) stop("schoenfeld called"))
  for (type in c("score", "dfbeta", "dfbetas")) expect_error(residuals(fit, type), "score called")
  for (type in c("schoenfeld", "scaledsch")) {
    expect_error(residuals(fit, type), "schoenfeld called")
  }
  expect_no_error(residuals(fit, "partial"))
})

test_that("groups of every kind are added up as rowsum() does", {
  skip_if_no_python()
  frame <- model_data(environment())
  frame$few <- c(letters[3:1], NA)
  # not at the maximum, where the sum over all rows is rounding
  fits <- list(
    coxphGPU(
      Surv(time, status) ~ age + sex, lung,
      weights = age / 50, init = c(0.1, 0), iter.max = 0
    ),
    coxphGPU(Surv(time, status) ~ age, lung, ties = "breslow", init = 0.1, iter.max = 0),
    coxphGPU(
      Surv(tstart, tstop, status) ~ treat + age + strata(hos.cat), cgd,
      cluster = id, init = c(1, 0), iter.max = 0
    )
  )
  groups <- list(
    quote(seq_len(n) %% 7), quote(rep_len(c("b", "a", "Z"), n)), quote(rep(1, n)),
    quote(factor(rep_len(c("y", "x"), n), levels = c("y", "unused", "x"))),
    quote(rep_len(few, n)), quote(as.Date("2020-01-01") + seq_len(n) %% 3),
    quote(seq_len(n) %% 2 == 0), quote(list(1)), quote(1:3), FALSE,
    quote(-rev(seq_len(n)) * 1e6 + 0.5)
  )
  for (fit in fits) {
    frame$n <- length(fit$residuals)
    for (group in groups) {
      for (type in types[-c(4, 7, 8)]) {
        use <- bquote(residuals(fit, .(type), collapse = .(group)))
        expect_same_residuals(use, fit, frame)
      }
      use <- bquote(residuals(fit, "score", collapse = .(group), weighted = TRUE))
      expect_same_residuals(use, fit, frame)
    }
  }
})

test_that("rows left out come back with na.exclude, in groups too", {
  skip_if_no_python()
  for (formula in list(Surv(time, status) ~ ph.karno, Surv(time, status) ~ wt.loss + age)) {
    fit <- coxphGPU(formula, lung, na.action = na.exclude)
    for (type in types) {
      expect_same_residuals(bquote(residuals(fit, .(type))), fit)
      expect_same_residuals(bquote(residuals(fit, .(type), collapse = lung$inst)), fit)
      expect_same_residuals(bquote(residuals(fit, .(type), collapse = lung$sex)), fit)
    }
    expect_identical(NROW(residuals(fit, "dfbeta")), nrow(lung))
    expect_error(residuals(fit, "score", collapse = 1:3), "Wrong length for 'collapse'")
  }
})

test_that("arguments are survival's", {
  skip_if_no_python()
  own <- formals(survivalGPU:::residuals.coxphGPU)
  expect_identical(own, formals(survival:::residuals.coxph))
  fit <- coxphGPU(Surv(time, status) ~ age + sex, lung)
  for (use in rlang::exprs(
    residuals(fit), resid(fit, "sco"), residuals(fit, type = "df"), residuals(fit, "nothing"),
    residuals(fit, type = "dfbetas", weighted = 0), residuals(fit, "score", weighted = 1),
    residuals(fit, "sch", collapse = 1)
  )) {
    expect_same_residuals(use, fit)
  }
})

test_that("fits that the core has not made are survival's", {
  skip_if_no_python()
  frame <- model_data(environment())
  frame$many <- c(multistate_models$myeloid, multistate_models$mgus2)
  for (call in c(frame$many, rlang::exprs(
    coxph(Surv(time, status) ~ 1, lung), coxph(Surv(time, status) ~ age, lung, ties = "exact"),
    coxph(Surv(time, status) ~ ridge(age, sex, theta = 1), lung),
    coxph(Surv(time, status) ~ pspline(age) + sex, lung, x = TRUE),
    coxph(Surv(time, status) ~ age + frailty(inst), lung),
    coxph(Surv(time, status) ~ tt(age), lung, tt = function(x, t, ...) x * t)
  ))) {
    call[[1L]] <- quote(coxphGPU)
    fit <- suppressMessages(suppressWarnings(eval(call, frame)))
    for (type in types) {
      expect_same_residuals(bquote(residuals(fit, .(type))), fit, frame)
    }
  }
})

test_that("a fit keeps its residuals without data, environment or session", {
  skip_if_no_python()
  fit <- local({
    rows <- lung
    coxphGPU(Surv(time, status) ~ age + strata(sex), rows, x = TRUE)
  })
  expected <- residuals(fit, "dfbeta")
  path <- withr::local_tempfile()
  saveRDS(fit, path)
  expect_identical(residuals(readRDS(path), "dfbeta"), expected)
})

test_that("identities of the residuals hold", {
  skip_if_no_python()
  data <- simulated(200)
  for (formula in list(Surv(time, status) ~ x + z, Surv(start, time, status) ~ x + strata(z))) {
    for (ties in c("efron", "breslow")) {
      fit <- coxphGPU(formula, data, ties = ties, weights = 1 + (group == "a"), robust = FALSE)
      score <- residuals(fit, "score", weighted = TRUE)
      expect_lt(max(abs(colSums(as.matrix(score)))), 1e-6)
      expect_equal(
        unname(residuals(fit, "dfbeta")), unname(drop(score %*% fit$var)),
        tolerance = rounding_tolerance
      )
      robust <- update(fit, cluster = group, robust = TRUE)
      by_cluster <- as.matrix(residuals(robust, "dfbeta", collapse = data$group))
      expect_equal(
        unname(crossprod(by_cluster)), unname(as.matrix(robust$var)),
        tolerance = rounding_tolerance
      )
      expect_equal(
        by_cluster, as.matrix(rowsum(residuals(robust, "dfbeta"), data$group)),
        tolerance = rounding_tolerance, ignore_attr = TRUE
      )
    }
  }
})

test_that("the device is that of the fit's call, or the option's", {
  skip_if_no_python()
  fit <- coxphGPU(Surv(time, status) ~ age, lung, device = "cpu")
  withr::local_options(survivalGPU.device = "cuda:99")
  expect_no_error(residuals(fit, "score"))
  fit$call$device <- NULL
  expect_error(residuals(fit, "score"), class = "survivalGPU_error")
})

library(survival)

withr::local_options(survivalGPU.device = "cpu", .local_envir = teardown_env())

# Two ways to the same sums: equal but for the order of the terms.
expect_equal_fits <- function(ours, other, parts = c("coefficients", "var", "loglik", "score")) {
  for (part in parts) {
    expect_equal(ours[[part]], other[[part]], tolerance = rounding_tolerance, label = part)
  }
  expect_identical(ours$iter, other$iter)
}

test_that("a weight of k is k copies of the row under Breslow", {
  skip_if_no_python()
  data <- simulated(150)
  data$k <- withr::with_seed(4, sample(1:4, 150, replace = TRUE))
  copies <- data[rep(seq_len(150), data$k), ]
  for (formula in list(
    Surv(time, status) ~ x + z, Surv(start, time, status) ~ x + z,
    Surv(start, time, status) ~ x + z + strata(group)
  )) {
    fit <- coxphGPU(formula, data, weights = k, ties = "breslow", robust = FALSE)
    long <- coxphGPU(formula, copies, ties = "breslow")
    expect_equal_fits(fit, long)
    expect_equal(
      unname(residuals(fit)[rep(seq_len(150), data$k)]), unname(residuals(long)),
      tolerance = rounding_tolerance
    )
  }
})

test_that("the order of the rows does not matter", {
  skip_if_no_python()
  data <- simulated(300)
  shuffled <- withr::with_seed(8, sample(300))
  for (formula in list(
    Surv(time, status) ~ x + z, Surv(start, time, status) ~ x + z,
    Surv(time, status) ~ x + z + strata(group),
    Surv(start, time, status) ~ x * group + offset(z)
  )) {
    for (ties in c("efron", "breslow")) {
      fit <- coxphGPU(formula, data, ties = ties, weights = 1 + z, cluster = group)
      other <- coxphGPU(
        formula, data[shuffled, ],
        ties = ties, weights = 1 + z, cluster = group
      )
      expect_equal_fits(fit, other, c("coefficients", "var", "naive.var", "loglik", "score"))
      for (part in c("linear.predictors", "residuals")) {
        expect_equal(
          unname(fit[[part]][shuffled]), unname(other[[part]]),
          tolerance = rounding_tolerance, label = part
        )
      }
    }
  }
})

test_that("only the order of the times matters", {
  skip_if_no_python()
  data <- simulated(300)
  for (change in list(log1p, sqrt, function(t) 2 * t - 1000, function(t) rank(t) / 7)) {
    both <- change(c(data$start, data$time))
    changed <- transform(data, start = both[1:300], time = both[-(1:300)])
    for (formula in list(Surv(time, status) ~ x + z, Surv(start, time, status) ~ x + z)) {
      # exactly: the same rows in the same order give the same sums
      expect_identical(
        unclass(coxphGPU(formula, data))[c("coefficients", "var", "loglik", "residuals")],
        unclass(coxphGPU(formula, changed))[c("coefficients", "var", "loglik", "residuals")]
      )
    }
  }
})

test_that("strata are fits whose likelihoods add", {
  skip_if_no_python()
  data <- simulated(200)
  fit <- coxphGPU(Surv(time, status) ~ x + strata(group), data, iter.max = 0, init = 0.3)
  parts <- vapply(split(data, data$group), FUN.VALUE = 0, function(part) {
    coxphGPU(Surv(time, status) ~ x, part, iter.max = 0, init = 0.3)$loglik[2]
  })
  expect_equal(fit$loglik[2], sum(parts), tolerance = rounding_tolerance)
})

test_that("a shift of a covariate, and a change of its unit, do what they must", {
  skip_if_no_python()
  data <- simulated(200)
  fit <- coxphGPU(Surv(time, status) ~ x + z, data)
  moved <- coxphGPU(Surv(time, status) ~ I(1000 - 8 * x) + z, data)
  expect_equal(unname(coef(moved)), unname(coef(fit) * c(-1 / 8, 1)),
    tolerance = rounding_tolerance
  )
  expect_equal(moved$loglik, fit$loglik, tolerance = rounding_tolerance)
  expect_equal(residuals(moved), residuals(fit), tolerance = rounding_tolerance)
})

test_that("two runs give the same bits, here and in fresh sessions", {
  skip_if_no_python()
  skip_on_cran()
  models <- c(
    "coxphGPU(Surv(time, status) ~ age + sex + ph.ecog + strata(inst), lung)",
    "coxphGPU(Surv(tstart, tstop, status) ~ treat + age + weight, cgd, cluster = id)",
    "coxphGPU(Surv(futime, death) ~ log(kappa) + age + sex, flchain, weights = age)"
  )
  fits <- sprintf("list(%s)", paste(models, collapse = ", "))
  bytes <- function(fits) {
    # to the last bit, as `identical()` is not of doubles written as text
    values <- unlist(lapply(fits, function(fit) {
      unclass(fit)[c("coefficients", "var", "loglik", "score", "residuals")]
    }))
    paste(writeBin(unname(values), raw()), collapse = "")
  }
  here <- eval(str2lang(fits))
  again <- eval(str2lang(fits))
  expect_identical(again, here, ignore_formula_env = TRUE, ignore_function_env = TRUE)
  code <- c(
    "options(survivalGPU.device = 'cpu')",
    paste("bytes <-", paste(deparse(bytes), collapse = "\n")),
    sprintf("cat(bytes(%s))", fits)
  )
  first <- fresh_session(code)
  second <- fresh_session(code)
  expect_gt(nchar(first$out), 1000)
  expect_identical(second$out, first$out)
  expect_identical(first$out, bytes(here))
})

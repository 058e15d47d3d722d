# Simulated cohorts are what was asked for.

withr::local_options(survivalGPU.device = "cpu", .local_envir = teardown_env())

test_that("a cohort is determined by its seed, or by R's", {
  skip_if_no_python()
  cohort <- simulate_cohort(50, cutoff = 30, rows = "spells", seed = 4)
  expect_identical(simulate_cohort(50, cutoff = 30, rows = "spells", seed = 4), cohort)
  expect_false(identical(simulate_cohort(50, cutoff = 30, rows = "spells", seed = 5), cohort))
  by_r <- lapply(c(1, 1, 2), function(seed) {
    withr::with_seed(seed, simulate_cohort(20, cutoff = 30, rows = "spells"))
  })
  expect_identical(by_r[[1]], by_r[[2]])
  expect_false(identical(by_r[[1]], by_r[[3]]))
})

test_that("rows are those of WCE's example, daily or as long as nothing changes", {
  skip_if_no_python()
  spells <- simulate_cohort(40, cutoff = 30, followup = 100, rows = "spells", seed = 2)
  daily <- simulate_cohort(40, cutoff = 30, followup = 100, seed = 2)
  expect_named(daily, c("Id", "Event", "Start", "Stop", "age", "sex", "dose"))
  expect_identical(unique(daily$Id), 1:40)
  expect_identical(daily$Stop, daily$Start + 1L)
  expect_lte(max(daily$Stop), 100L)
  compressed <- as_spells(daily)
  rownames(compressed) <- NULL
  attr(compressed, "truth") <- attr(spells, "truth")
  expect_identical(compressed[names(spells)], spells, ignore_attr = TRUE)
  last <- !duplicated(daily$Id, fromLast = TRUE)
  expect_identical(sum(daily$Event), sum(daily$Event[last]))
})

test_that("times, covariates and exposures are those given", {
  skip_if_no_python()
  n <- 60
  covariates <- data.frame(x = seq_len(n) / n)
  varying <- data.frame(id = 1:n, start = 3, stop = 8, z = 2)
  exposures <- data.frame(id = c(1, 1, 2), start = c(0, 4, 2), stop = c(6, 9, 5), dose = 1)
  cohort <- simulate_cohort(
    n, c(0.2, 0.1),
    followup = 20, covariates = covariates, varying = varying,
    coefficients = c(z = 1), exposures = exposures, event_times = rep(c(5.5, 10), n / 2),
    censoring_times = rep(c(30, 7), each = n / 2), seed = 1
  )
  expect_named(cohort, c("Id", "Event", "Start", "Stop", "x", "z", "dose"))
  ends <- cohort[!duplicated(cohort$Id, fromLast = TRUE), ]
  expect_identical(as.integer(table(ends$Stop, ends$Event)), c(0L, 15L, 0L, 30L, 0L, 15L))
  expect_identical(cohort$x, cohort$Id / n)
  expect_identical(cohort$z, ifelse(cohort$Start >= 3 & cohort$Start < 8, 2, 0))
  first <- cohort[cohort$Id == 1, ]
  expect_identical(first$dose, c(1, 1, 1, 1, 2, 2, 1, 1, 1, 0)[seq_len(nrow(first))])
  expect_true(all(cohort$dose[cohort$Id > 2] == 0))
  expect_identical(
    attr(cohort, "truth"), list(weights = c(0.2, 0.1), coefficients = c(x = 0, z = 1))
  )
})

test_that("weights may be a shape, numbers or a function, times the effect", {
  skip_if_no_python()
  weights <- function(...) attr(simulate_cohort(5, ..., seed = 1, rows = "spells"), "truth")$weights
  expect_equal(sum(weights("hat", cutoff = 50)), log(2))
  expect_identical(weights(c(3, 2, 1), effect = 2), c(6, 4, 2))
  expect_identical(weights(c(3, 2, 1)), c(3, 2, 1))
  expect_equal(weights(function(u) 1 / u, cutoff = 4), 1 / 1:4)
})

test_that("models of a large cohort find the truth", {
  skip_if_no_python()
  n <- 20000
  cohort <- simulate_cohort(
    n, "inverted U",
    cutoff = 60, followup = 200, effect = 2, rows = "spells", seed = 8,
    varying = data.frame(id = seq_len(n / 2), start = 0, stop = 40, z = 1),
    coefficients = c(z = -0.5)
  )
  fit <- wceGPU(
    cohort,
    nknots = 3, cutoff = 60, id = "Id", event = "Event", start = "Start", stop = "Stop",
    expos = "dose", covariates = c("age", "sex", "z")
  )
  truth <- attr(cohort, "truth")
  z <- (fit$beta.hat.covariates[1, ] - truth$coefficients[c("age", "sex", "z")]) /
    fit$se.covariates[1, ]
  expect_lt(max(abs(z)), 4)
  # doses of the last 5, 20 and 60 days
  windows <- outer(c(5, 20, 60), 1:60, ">=") * 1
  ratios <- HR(fit, windows, conf.int = 0.9999)
  expect_true(all(ratios[, "lower"] < exp(windows %*% truth$weights)))
  expect_true(all(ratios[, "upper"] > exp(windows %*% truth$weights)))
})

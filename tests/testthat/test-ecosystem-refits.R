library(survival)

withr::local_options(survivalGPU.device = "cpu", .local_envir = teardown_env())

imputation <- quote({
  columns <- c("time", "status", "age", "sex", "ph.ecog", "wt.loss")
  imputed <- mice(lung[columns], m = 3, maxit = 2, seed = 1, printFlag = FALSE)
})

test_that("analyses of multiple imputations are pooled as coxph's", {
  expect_same_script(bquote({
    .(imputation)
    fits <- with(imputed, coxph(Surv(time, status) ~ age + sex + ph.ecog + wt.loss))
    print(pool(fits))
    print(summary(pool(fits), conf.int = TRUE, exponentiate = TRUE))
    list(fits, pool(fits), summary(pool(fits), conf.int = TRUE), getfit(fits, 2))
  }), "mice")
  expect_same_script(bquote({
    .(imputation)
    fits <- lapply(1:3, function(i) {
      coxph(Surv(time, status) ~ age + strata(sex), complete(imputed, i))
    })
    summary(pool(fits))
  }), "mice")
  expect_same_script(bquote({
    .(imputation)
    rows <- imputationList(lapply(1:3, function(i) complete(imputed, i)))
    fits <- with(rows, coxph(Surv(time, status) ~ age + ph.ecog))
    list(capture.output(summary(MIcombine(fits))), vcov(MIcombine(fits)))
  }), c("mice", "mitools"))
})

test_that("refits in resamples are coxph's", {
  expect_same_script(quote({
    effects <- function(data, rows) coef(coxph(Surv(time, dead) ~ age + sex, data[rows, ]))
    resampled <- boot(patients, effects, R = 20)
    list(resampled$t0, resampled$t, boot.ci(resampled, type = "perc")$percent)
  }), "boot")
  expect_same_script(quote({
    data <- patients[c("time", "dead", "age", "sex")]
    fit <- coxph(Surv(time, dead) ~ age + sex, data)
    resampled <- censboot(data, function(data) coef(coxph(Surv(time, dead) ~ age + sex, data)),
      R = 5, F.surv = survfit(fit), G.surv = survfit(Surv(time, 1 - dead) ~ 1, data),
      sim = "cond", cox = fit, index = c(1, 2)
    )
    list(resampled$t0, resampled$t)
  }), "boot")
})

test_that("a fit in a forked process is the fit", {
  skip_on_os("windows")
  skip_if_no_python()
  # enough rows to be shared by threads, of which a fork has none
  withr::local_seed(1)
  rows <- data.frame(time = rexp(140000), status = rbinom(140000, 1, 0.5), x = rnorm(140000))
  fitted <- function() coxphGPU(Surv(time, status) ~ x, rows)$coefficients
  here <- fitted()
  job <- parallel::mcparallel(fitted())
  there <- parallel::mccollect(job, wait = FALSE, timeout = 120)
  tools::pskill(job$pid, tools::SIGKILL)
  expect_equal(unname(there)[[1L]], here, tolerance = rounding_tolerance)
})

test_that("resamples in forked processes are those in one", {
  skip_on_os("windows")
  expect_same_script(quote({
    effects <- function(data, rows) coef(coxph(Surv(time, dead) ~ age + sex, data[rows, ]))
    boot(patients, effects, R = 6, parallel = "multicore", ncpus = 2)$t
  }), "boot")
})

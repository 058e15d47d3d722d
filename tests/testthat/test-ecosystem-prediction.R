library(survival)

withr::local_options(survivalGPU.device = "cpu", .local_envir = teardown_env())

test_that("riskRegression predicts from coxphGPU fits as from coxph's", {
  expect_same_with("riskRegression", rlang::exprs(
    predictCox(fit), predictCox(fit, times = c(100, 300), newdata = cases),
    predictRisk(fit, newdata = cases, times = c(100, 200)), coxN(fit), coxBaseEstimator(fit),
    predictCox(fit, times = c(100, 300), newdata = cases, se = TRUE, iid = TRUE),
    predictCox(fit, times = c(100, 300), newdata = cases, average.iid = TRUE),
    predictCoxPL(fit, times = c(100, 300), newdata = cases), iidCox(fit)
  ), c("main", "strata"))
})

test_that("riskRegression scores coxphGPU fits as coxph's", {
  expect_same_with("riskRegression", rlang::exprs(
    Score(list(a = fit), Surv(time, dead) ~ 1, data = patients, times = c(200, 400)),
    Score(
      list(a = fit, b = update(fit, . ~ . - age)), Surv(time, dead) ~ 1,
      data = patients, times = 300, plots = c("ROC", "calibration"), summary = "IPA"
    ),
    Score(
      list(a = fit), Surv(time, dead) ~ 1,
      data = patients, times = 200, split.method = "bootcv", B = 3, M = 150, seed = 3
    ),
    IPA(fit, formula = Surv(time, dead) ~ 1, newdata = patients, times = 200),
    {
      effect <- ate(fit, data = patients, treatment = "ecog", times = c(200, 400), verbose = FALSE)
      effect[c("meanRisk", "diffRisk", "ratioRisk")]
    }
  ))
})

test_that("pec's errors of coxphGPU fits are coxph's", {
  expect_same_with(c("prodlim", "pec"), rlang::exprs(
    predictSurvProb(fit, newdata = cases, times = c(10, 100)),
    pec(list(a = fit), Surv(time, dead) ~ 1, data = patients, verbose = FALSE),
    crps(pec(list(a = fit), Surv(time, dead) ~ 1, data = patients, verbose = FALSE)),
    pec(
      list(a = fit), Surv(time, dead) ~ 1,
      data = patients, verbose = FALSE, splitMethod = "bootcv", B = 2
    ),
    cindex(
      list(a = fit), Surv(time, dead) ~ 1, patients,
      eval.times = c(100, 300), verbose = FALSE
    )$AppCindex
  ))
})

test_that("rms and Hmisc take a coxphGPU fit where they take coxph's", {
  expect_same_with("rms", rlang::exprs(vif(fit), robcov(fit)))
  expect_same_with("Hmisc", rlang::exprs(
    rcorr.cens(-predict(fit), Surv(patients$time, patients$dead))
  ), c("main", "strata", "weighted"))
})

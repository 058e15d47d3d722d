library(survival)

withr::local_options(survivalGPU.device = "cpu", .local_envir = teardown_env())

all_kinds <- names(ecosystem_calls)

test_that("models are chosen among coxphGPU's as among coxph's", {
  expect_same_with("MASS", rlang::exprs(
    list(capture.output(chosen <- stepAIC(fit)), chosen$anova, chosen),
    stepAIC(fit, trace = 0, scope = ~ .^2), stepAIC(fit, trace = 0, k = log(100)),
    dropterm(fit, test = "Chisq"), addterm(fit, ~ . + pat.karno, test = "Chisq"),
    step(fit, trace = 0), drop1(fit), add1(fit, ~ . + ph.karno), extractAIC(fit, k = 3)
  ), c("main", "weighted"))
})

test_that("Wald and sandwich tests of coxphGPU fits are those of coxph's", {
  expect_same_with(c("sandwich", "lmtest"), rlang::exprs(
    sandwich(fit), estfun(fit), bread(fit), meat(fit), coeftest(fit),
    coeftest(fit, vcov. = sandwich), coefci(fit), waldtest(fit)
  ), all_kinds)
  expect_same_with(c("sandwich", "lmtest"), rlang::exprs(
    vcovCL(fit, cluster = patients$ph.ecog), vcovBS(fit, R = 4), lrtest(fit),
    waldtest(fit, . ~ . - age), lrtest(fit, update(fit, . ~ . - age))
  ))
  expect_same_with("survey", rlang::exprs(
    regTermTest(fit, ~age), regTermTest(fit, ~age, method = "LRT")
  ), "main")
  expect_same_with("timereg", rlang::exprs(wald.test(fit, contrast = c(1, 0, 0, 0))))
  expect_same_with("survMisc", rlang::exprs(rsq(fit), gof(fit), cutp(fit)))
  expect_same_with("lava", rlang::exprs(estimate(fit)))
  expect_same_with("clubSandwich", rlang::exprs(vcovCR(fit, patients$ph.ecog, "CR0")))
})

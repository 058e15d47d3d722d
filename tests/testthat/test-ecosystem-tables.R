library(survival)

withr::local_options(survivalGPU.device = "cpu", .local_envir = teardown_env())

all_kinds <- names(ecosystem_calls)
of_patients <- setdiff(all_kinds, "robust")

test_that("broom tidies coxphGPU fits as coxph's", {
  expect_same_with("broom", rlang::exprs(
    tidy(fit), tidy(fit, exponentiate = TRUE, conf.int = TRUE, conf.level = 0.9),
    glance(fit), tidy(survfit(fit)), tidy(cox.zph(fit)$table)
  ), all_kinds)
  expect_same_with("broom", rlang::exprs(
    augment(fit, data = patients),
    augment(fit, newdata = cases, type.predict = "risk"),
    augment(fit, newdata = cases, type.predict = "lp", se_fit = FALSE),
    augment(fit, data = patients, type.predict = "expected", type.residuals = "deviance")
  ), of_patients)
  expect_same_with("broom", rlang::exprs(tidy(anova(fit)), glance(survfit(fit))))
})

test_that("other tables of coxphGPU fits are coxph's", {
  expect_same_with("xtable", rlang::exprs(xtable(fit)), c("main", "strata"))
  expect_same_with("Publish", rlang::exprs(
    publish(fit), regressionTable(fit),
    # takes an object by its first class
    subgroupAnalysis(as_coxph(fit), patients, treatment = "sex", subgroups = "ecog")
  ))
  expect_same_with("Epi", rlang::exprs(
    ci.lin(fit), ci.exp(fit, subset = "age"), ci.lin(fit, ctr.mat = diag(length(coef(fit))))
  ), all_kinds)
  expect_same_with("pammtools", rlang::exprs(tidy_fixed(fit), gg_fixed(fit)$data))
})

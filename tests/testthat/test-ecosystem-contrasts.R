library(survival)

withr::local_options(survivalGPU.device = "cpu", .local_envir = teardown_env())

all_kinds <- names(ecosystem_calls)

test_that("car's tests of coxphGPU fits are those of coxph's", {
  expect_same_with("car", rlang::exprs(
    Anova(fit), Anova(fit, type = "III"), Anova(fit, type = 3, test.statistic = "Wald")
  ), c("main", "strata"))
  expect_same_with("car", rlang::exprs(
    Anova(fit, test.statistic = "Wald"), vif(fit), linearHypothesis(fit, "age = 0"),
    Confint(fit), confidenceEllipse(fit, draw = FALSE), lht(fit, "age")
  ), all_kinds)
  expect_same_with("car", rlang::exprs(
    linearHypothesis(fit, c("ecog1 = ecog2", "sexfemale = 0"), verbose = TRUE),
    deltaMethod(fit, "ecog1 / ecog2"), compareCoefs(fit, update(fit, . ~ . - age)),
    capture.output(S(fit), brief(fit)), summary(Boot(fit, R = 5)), matchCoefs(fit, "ecog")
  ))
})

test_that("marginal means of coxphGPU fits are coxph's", {
  expect_same_with("emmeans", rlang::exprs(
    emmeans(fit, "ecog"), emmeans(fit, pairwise ~ ecog), contrast(emmeans(fit, ~ecog), "poly"),
    pairs(emmeans(fit, ~ecog), type = "response"), ref_grid(fit), summary(ref_grid(fit)),
    emmeans(fit, ~ecog, type = "response"), joint_tests(fit),
    emtrends(fit, pairwise ~ ecog, var = "age"), confint(pairs(emmeans(fit, "ecog"))),
    summary(ref_grid(fit, at = list(age = c(50, 60))))
  ), c("main", "strata", "weighted"))
  expect_same_with("emmeans", rlang::exprs(emmeans(fit, pairwise ~ treat)), "robust")
})

test_that("quasi-variances of coxphGPU fits are coxph's", {
  expect_same_with("qvcalc", rlang::exprs(qvcalc(fit, "ecog")), c("main", "weighted"))
})

test_that("multiple comparisons of coxphGPU fits are coxph's", {
  expect_same_with("multcomp", rlang::exprs(
    glht(fit, mcp(ecog = "Tukey")), summary(glht(fit, mcp(ecog = "Tukey"))),
    confint(glht(fit, mcp(ecog = "Dunnett"))), cld(glht(fit, mcp(ecog = "Tukey"))),
    summary(glht(fit, mcp(ecog = "Tukey")), test = Chisqtest())
  ), c("main", "weighted"))
  expect_same_with("multcomp", rlang::exprs(
    summary(glht(fit, diag(length(coef(fit)))), test = adjusted("holm")),
    summary(glht(fit, "age = 0"))
  ), all_kinds)
  expect_same_with(c("multcomp", "emmeans"), rlang::exprs(
    summary(glht(fit, emm(pairwise ~ ecog))),
    summary(glht(mmm(a = fit, b = update(fit, . ~ . - sex)), mlf("age = 0")))
  ))
})

# Fits that have a class of survival's between coxphGPU and coxph, or before them.

library(survival)

withr::local_options(survivalGPU.device = "cpu", .local_envir = teardown_env())

kinds <- list(
  ridge = quote(coxph(Surv(time, dead) ~ ridge(age, ph.karno) + sex + ecog, patients)),
  smooth = quote(coxph(Surv(time, dead) ~ pspline(age, df = 3) + sex, patients)),
  frailty = quote(coxph(Surv(time, status) ~ age + sex + frailty(id), kidney)),
  null = quote(coxph(Surv(time, dead) ~ 1, patients)),
  multistate = quote(coxph(Surv(etime, event) ~ age + sex, mgus, id = id)),
  matched = quote(clogit(case ~ spontaneous + induced + strata(stratum), infert))
)

rows_of_mgus <- quote({
  mgus <- transform(mgus2[1:500, ],
    etime = ifelse(pstat == 1, ptime, futime),
    event = factor(ifelse(pstat == 1, 1, 2 * death), 0:2, c("censored", "pcm", "death"))
  )
})

# A use that coxph's fit cannot serve either must fail in the same words.
tried <- function(uses, kind) {
  bquote({
    .(rows_of_mgus)
    fit <- .(kinds[[kind]])
    lapply(.(uses), function(use) tryCatch(eval(use), error = conditionMessage))
  })
}

expect_same_kinds <- function(packages, uses, kinds) {
  for (kind in kinds) {
    expect_same_script(tried(uses, kind), packages)
  }
}

test_that("tables of all kinds of fits are coxph's", {
  expect_same_kinds("broom", rlang::exprs(
    tidy(fit), tidy(fit, conf.int = TRUE, exponentiate = TRUE), glance(fit)
  ), names(kinds))
  expect_same_kinds(c("insight", "parameters"), rlang::exprs(
    get_statistic(fit), get_df(fit), get_parameters(fit), p_value(fit), ci(fit),
    as.data.frame(model_parameters(fit))
  ), names(kinds))
  expect_same_kinds("Epi", rlang::exprs(ci.lin(fit)), names(kinds))
})

test_that("tests of all kinds of fits are coxph's", {
  expect_same_kinds("car", rlang::exprs(
    Anova(fit), vif(fit), linearHypothesis(fit, "age = 0")
  ), names(kinds))
  expect_same_kinds(c("sandwich", "lmtest"), rlang::exprs(
    coeftest(fit), bread(fit)
  ), names(kinds))
  expect_same_kinds("emmeans", rlang::exprs(
    as.data.frame(emmeans(fit, "sex"))
  ), c("ridge", "smooth", "frailty"))
  expect_same_kinds("multcomp", rlang::exprs(
    coef(glht(fit, "age = 0")), coef(glht(fit, mcp(ecog = "Tukey")))
  ), c("ridge", "smooth", "frailty", "matched"))
  expect_same_kinds("MASS", rlang::exprs(stepAIC(fit, trace = 0)$coefficients), "matched")
})

test_that("a fit without its concordance is tabulated", {
  frame <- local_ecosystem("broom")
  frame$fit <- coxphGPU(Surv(time, dead) ~ age + sex, frame$patients, concordance = FALSE)
  whole <- coxph(Surv(time, dead) ~ age + sex, frame$patients)
  expect_same_result(eval(quote(tidy(fit)), frame), tidy(whole))
  of_fit <- eval(quote(glance(fit)), frame)
  concordance <- c("concordance", "std.error.concordance")
  expect_true(all(is.na(of_fit[concordance])))
  expect_same_result(
    of_fit[setdiff(names(of_fit), concordance)],
    glance(whole)[setdiff(names(of_fit), concordance)]
  )
})

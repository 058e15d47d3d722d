library(survival)

withr::local_options(survivalGPU.device = "cpu", .local_envir = teardown_env())

# anova(), drop1() and step() need a likelihood and the same rows in all models
complete <- c("complete", "offset")

test_that("updated fits are coxph's", {
  skip_if_no_python()
  expect_same_uses(
    rlang::exprs(
      update(fit, . ~ . - age), update(fit, ties = "breslow", evaluate = FALSE),
      update(fit, ties = "breslow", x = TRUE), update(fit, . ~ . + I(age^2)),
      update(update(fit, . ~ 1), . ~ age)
    ),
    one_state
  )
  expect_same_uses(rlang::exprs(update(fit, ties = "breslow")), "multistate")
})

test_that("comparisons of models are coxph's", {
  skip_if_no_python()
  expect_same_uses(
    rlang::exprs(
      anova(update(fit, . ~ . - age), fit), anova(update(fit, . ~ . - age), fit, test = FALSE),
      anova(update(fit, . ~ 1), update(fit, . ~ age), fit),
      drop1(fit), drop1(fit, test = "Chisq"),
      list(capture.output(chosen <- step(fit)), chosen),
      step(update(fit, . ~ age), ~ . + I(age^2), trace = 0, direction = "both")
    ),
    complete
  )
  expect_same_uses(rlang::exprs(add1(fit, ~ . + sex, test = "Chisq")), "complete")
  expect_same_uses(rlang::exprs(add1(fit, ~ . + trt, test = "Chisq")), "offset")
  # survival 3.5-3 has a misspelt function on the way of an offset
  expect_same_uses(rlang::exprs(anova(fit), anova(fit, test = FALSE)), "complete")
})

test_that("measures of fit are coxph's", {
  skip_if_no_python()
  expect_same_uses(
    rlang::exprs(
      concordance(fit), concordance(fit, timewt = "n/G2", influence = 1), royston(fit),
      royston(fit, newdata = model_rows)
    ),
    complete
  )
  expect_same_uses(rlang::exprs(concordance(fit)), one_state)
  # with (start, stop] rows survival 3.5-3 ends the session here
  expect_same_uses(
    rlang::exprs(concordance(fit, newdata = cases), concordance(fit, timewt = "S")),
    setdiff(one_state, "counting")
  )
})

test_that("details by event time are coxph's", {
  skip_if_no_python()
  # the print shows all digits of a variance that is zero but for rounding, as where all
  # at risk have one covariate value
  expect_same_uses(
    rlang::exprs(coxph.detail(fit), coxph.detail(fit, riskmat = TRUE)), one_state,
    printed = FALSE
  )
})

test_that("population predictions are coxph's", {
  skip_if_no_python()
  expect_same_uses(
    rlang::exprs(
      survexp(~1, data = model_rows, ratetable = fit),
      survexp(~ status, data = model_rows, ratetable = fit, times = c(100, 200)),
      unclass(survexp(
        time ~ 1,
        data = model_rows[1:30, ], ratetable = fit, method = "conditional"
      )),
      survexp(time ~ 1, data = model_rows[1:9, ], ratetable = fit, method = "individual.s"),
      yates(fit, ~age, levels = c(50, 60)),
      # a simulation
      {
        set.seed(1)
        yates(fit, ~age, levels = c(50, 60), predict = "risk")
      }
    ),
    complete
  )
  expect_same_uses(rlang::exprs(yates(fit, "factor(ph.ecog)")), "complete")
})

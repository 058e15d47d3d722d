library(survival)

withr::local_options(survivalGPU.device = "cpu", .local_envir = teardown_env())

test_that("survminer draws coxphGPU fits as coxph's", {
  expect_same_plots("survminer", list(
    function(fit) ggsurvplot(survfit(fit), data = patients, risk.table = TRUE),
    function(fit) ggsurvplot(survfit(fit, newdata = cases), data = patients, conf.int = TRUE),
    function(fit) ggforest(fit, data = patients),
    function(fit) ggforest(fit),
    function(fit) ggcoxzph(cox.zph(fit)),
    function(fit) ggcoxdiagnostics(fit),
    function(fit) {
      ggcoxdiagnostics(fit, type = "deviance", ox.scale = "observation.id")
    },
    function(fit) ggcoxdiagnostics(fit, type = "dfbeta", linear.predictions = FALSE)
  ))
})

test_that("survminer's adjusted curves of coxphGPU fits are coxph's", {
  expect_same_with("survminer", rlang::exprs(
    ggadjustedcurves(fit, data = patients, method = "single")$data,
    ggadjustedcurves(fit, data = patients, variable = "ecog", method = "average")$data,
    ggadjustedcurves(fit, data = patients, variable = "ecog", method = "conditional")$data,
    ggadjustedcurves(fit, data = patients, variable = "ecog", method = "marginal")$data,
    surv_summary(survfit(fit), data = patients), surv_median(survfit(fit)),
    surv_adjustedcurves(fit, data = patients, variable = "ecog")
  ), c("main", "weighted"))
})

test_that("survfit of a coxphGPU fit is plotted as of coxph's", {
  expect_same_plots("ggfortify", list(
    function(fit) ggplot2::autoplot(survfit(fit))
  ), c("main", "strata"))
  expect_same_with(c("ggplot2", "ggfortify"), rlang::exprs(
    fortify(survfit(fit)), autoplot(survfit(fit))$data
  ), c("main", "strata"))
})

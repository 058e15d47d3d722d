library(survival)

withr::local_options(survivalGPU.device = "cpu", .local_envir = teardown_env())

all_kinds <- names(ecosystem_calls)
of_patients <- setdiff(all_kinds, "robust")

test_that("insight and parameters read coxphGPU fits as coxph's", {
  expect_same_with("insight", rlang::exprs(
    get_statistic(fit), get_df(fit), get_parameters(fit), get_varcov(fit), model_info(fit),
    n_obs(fit), find_parameters(fit), link_function(fit), get_response(fit),
    get_loglikelihood(as_coxph(fit)), find_statistic(as_coxph(fit)),
    get_predicted(fit, ci = 0.9), is_model_supported(fit)
  ), all_kinds)
  expect_same_with("insight", rlang::exprs(get_data(fit), find_predictors(fit)), of_patients)
  expect_same_with("parameters", rlang::exprs(
    model_parameters(fit), model_parameters(model = fit, exponentiate = TRUE, ci = 0.9),
    capture.output(print(model_parameters(fit))), p_value(fit), do.call(p_value, list(fit)),
    ci(fit), standard_error(fit), degrees_of_freedom(fit), dof(fit)
  ), all_kinds)
  expect_same_with("parameters", rlang::exprs(
    equivalence_test(fit), standardize_parameters(fit), simulate_model(fit, iterations = 20),
    compare_parameters(fit, update(fit, . ~ age)), print_md(model_parameters(fit))
  ), "main")
})

test_that("a fit of another name, or of none, is known as it is written", {
  expect_same_with("parameters", rlang::exprs(
    model_parameters(update(fit, . ~ age)),
    lapply(list(fit, fit), function(model, ...) p_value(model, ...), ci = 0.9),
    local({
      ci <- 0.8
      model_parameters(fit, ci = ci)
    }),
    {
      other <- fit
      attr(model_parameters(other), "object_name")
    }
  ))
})

test_that("performance rates coxphGPU fits as coxph's", {
  expect_same_with("performance", rlang::exprs(
    model_performance(fit), r2(fit), r2_nagelkerke(fit), check_collinearity(fit),
    compare_performance(fit, update(fit, . ~ age)), performance_aicc(fit),
    test_performance(fit, update(fit, . ~ age)), test_lrt(fit, update(fit, . ~ age))
  ))
})

test_that("sjPlot tabulates and draws coxphGPU fits as coxph's", {
  expect_same_with("sjPlot", rlang::exprs(
    tab_model(fit)$page.complete, tab_model(fit, update(fit, . ~ . - age))$knitr,
    get_model_data(fit, "est"), plot_model(fit)$data,
    plot_model(fit, type = "pred", terms = "ecog")$data
  ))
})

test_that("predicted effects of coxphGPU fits are coxph's", {
  expect_same_with("ggeffects", rlang::exprs(
    ggpredict(fit, "ecog"), ggpredict(fit, c("age [40, 50]", "sex")),
    ggpredict(fit, "ecog", type = "survival"),
    ggpredict(fit, "ecog", type = "cumulative_hazard"), ggemmeans(fit, "ecog")
  ), printed = FALSE)
  expect_same_with("prediction", rlang::exprs(
    as.matrix(prediction(fit, cases)[c("fitted", "se.fitted")]),
    as.matrix(prediction(fit, at = list(age = 50))[c("fitted", "se.fitted")])
  ))
})

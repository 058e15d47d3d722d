library(survival)

withr::local_options(survivalGPU.device = "cpu", .local_envir = teardown_env())

# The very same value, warnings and error as survival's methods give; each evaluation of
# a tt() model makes an environment of its own.
expect_identical_methods <- function(uses, fit, frame, label) {
  for (use in uses) {
    ours <- outcome(use, list2env(list(fit = fit), parent = frame))
    theirs <- outcome(use, list2env(list(fit = as_coxph(fit)), parent = frame))
    expect_true(
      identical(ours, theirs, ignore.environment = TRUE),
      label = paste(label, deparse1(use))
    )
  }
}

test_that("frames and designs of all kinds of models are survival's", {
  skip_if_no_python()
  frame <- model_data(globalenv())
  models <- unlist(unname(all_models))
  # the terms of a tt() model hold an environment where identical() does not look
  models <- models[!startsWith(names(models), "tt(")]
  fits <- fit_models(models, frame)
  uses <- rlang::exprs(
    model.frame(fit), model.matrix(fit), model.matrix(fit, data = model.frame(fit))
  )
  for (model in names(fits)) expect_identical_methods(uses, fits[[model]], frame, model)
})

test_that("arguments of the frame and the matrix are obeyed", {
  skip_if_no_python()
  fits <- downstream_fits("weighted")
  uses <- rlang::exprs(
    model.frame(fit, subset = 1:20), model.frame(fit, data = cases),
    model.frame(fit, na.action = na.fail), model.frame(fit, weights = nodes),
    model.matrix(fit, data = deaths[1:9, ]), model.matrix(fit, cases[c("age", "nodes")]),
    model.matrix(fit, contrast.arg = list(rx = "contr.sum"))
  )
  expect_identical_methods(uses, fits$ours, fits$frame, "weighted")
  gone <- fits$ours
  environment(gone$terms) <- globalenv()
  expect_identical_methods(uses[1], gone, fits$frame, "without its data")
})

library(survival)

withr::local_options(survivalGPU.device = "cpu", .local_envir = teardown_env())

expect_same_model <- function(call, name, frame) {
  fits <- fit_both(call, frame)
  tolerance <- if (name %in% divergent_models) divergent_tolerance else rounding_tolerance
  expect_identical(fits$ours$warnings, fits$theirs$warnings, label = paste(name, "warnings"))
  expect_same_fit(fits$ours$value, fits$theirs$value, tolerance, name)
  expect_same_print(fits$ours$value, fits$theirs$value, name)
}

for (data_set in names(all_models)) {
  test_that(paste("models of", data_set, "are coxph's"), {
    skip_if_no_python()
    frame <- model_data(environment())
    for (name in names(all_models[[data_set]])) {
      expect_same_model(all_models[[data_set]][[name]], name, frame)
    }
  })
}

test_that("the models are many, of many data sets, and each has a name", {
  expect_gte(sum(lengths(all_models)), 60)
  expect_gte(length(all_models), 12)
  shipped <- data(package = "survival")$results[, "Item"]
  expect_identical(setdiff(names(all_models), sub(" .*", "", shipped)), character())
  labels <- unlist(lapply(all_models, names), use.names = FALSE)
  expect_true(all(nzchar(labels)))
  for (of_data_set in all_models) expect_false(anyDuplicated(names(of_data_set)) > 0)
  expect_identical(setdiff(divergent_models, labels), character())
  calls <- unlist(all_models, use.names = FALSE)
  expect_true(all(vapply(calls, function(call) identical(call[[1L]], quote(coxph)), NA)))
})

# The comparison itself must see what it is for.
test_that("a fit that differs anywhere is not the same fit", {
  skip_if_no_python()
  fits <- fit_both(quote(coxph(Surv(time, status) ~ age + factor(sex), lung)))
  ours <- fits$ours$value
  theirs <- fits$theirs$value
  changed <- list(
    list(coefficients = ours$coefficients + 1e-7),
    list(coefficients = unname(ours$coefficients)),
    list(var = ours$var * (1 + 1e-7)),
    list(iter = ours$iter + 1L),
    list(residuals = rev(ours$residuals)),
    list(n = as.double(ours$n)),
    list(concordance = replace(ours$concordance, 1, NA)),
    list(timefix = NULL),
    list(extra = 1)
  )
  for (change in changed) {
    expect_true(fails(expect_same_fit(utils::modifyList(ours, change), theirs)))
  }
  expect_true(fails(expect_same_fit(theirs, theirs)))
  expect_true(fails(expect_same_print(utils::modifyList(ours, list(nevent = 1)), theirs)))
  expect_same_fit(ours, theirs)
  expect_same_print(ours, theirs)
})

test_that("a result that differs anywhere is not the same result", {
  reference <- list(a = c(x = 1, y = -2), b = "coxph", call = quote(coxph(y ~ x)))
  changed <- list(
    list(a = c(x = 1, y = -2 - 1e-6)), list(a = c(x = 1, z = -2)), list(a = c(x = 1L, y = -2L)),
    list(b = "fit"), list(call = quote(coxph(y ~ z))), list(b = NULL), list(extra = 1),
    list(a = c(x = NA, y = -2))
  )
  for (change in changed) {
    expect_true(fails(expect_same_result(utils::modifyList(reference, change), reference)))
  }
  renamed <- list(b = "coxphGPU", call = quote(coxphGPU(y ~ x)))
  expect_same_result(utils::modifyList(reference, renamed), reference)
  close <- list(a = c(x = 1, y = -2 - 1e-12))
  expect_same_result(utils::modifyList(reference, close), reference)
})

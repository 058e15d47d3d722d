library(survival)

withr::local_options(survivalGPU.device = "cpu", .local_envir = teardown_env())

# concordance(fit, ...) of the fits that `call` makes with either function.
expect_same_concordance_of <- function(call, ..., frame = parent.frame()) {
  fits <- fit_both(call, frame)
  expect_same_of_fits(fits$ours$value, fits$theirs$value, ..., label = deparse1(call))
}

# The calls are part of the results, so each fit has the same name when its turn comes.
expect_same_of_fits <- function(ours, theirs, ..., label = "the concordance") {
  results <- lapply(list(ours, theirs), function(fit) concordance(fit, ...))
  expect_same_result(results[[1]], results[[2]], label = label)
}

cut_patients <- stats::na.omit(lung[c("time", "status", "age", "sex", "ph.ecog", "inst")])

test_that("the concordance of a fit is survival's", {
  skip_if_no_python()
  calls <- list(
    quote(coxph(Surv(time, status) ~ age + ph.ecog, lung)),
    quote(coxph(Surv(time, status) ~ age + strata(sex, ph.ecog), lung, weights = age / 50)),
    quote(coxph(Surv(time, status) ~ age + cluster(inst), lung)),
    quote(coxph(Surv(time, status) ~ sex, lung, cluster = inst)),
    quote(coxph(Surv(time, status) ~ age + strata(inst), lung, na.action = na.exclude)),
    quote(coxph(Surv(start, stop, event) ~ age + transplant, heart)),
    quote(coxph(Surv(start, stop, event) ~ age + strata(surgery), heart, ties = "breslow")),
    quote(coxph(Surv(futime, status) ~ trt + risk + strata(id), retinopathy)),
    quote(coxph(Surv(time, status) ~ 1, lung, y = FALSE)),
    quote(coxph(Surv(time, status) ~ age, lung, ties = "exact"))
  )
  for (call in calls) expect_same_concordance_of(call)
  for (call in calls) expect_same_concordance_of(call, influence = 3, keepstrata = TRUE)
})

test_that("the options of concordance() are survival's", {
  skip_if_no_python()
  fit <- coxphGPU(Surv(time, status) ~ age + ph.ecog, cut_patients)
  reference <- coxph(Surv(time, status) ~ age + ph.ecog, cut_patients)
  new_patients <- cut_patients[c(1:60, 20:150), ]
  inst <- cut_patients$inst
  expect_same <- function(...) {
    expect_same_of_fits(fit, reference, ...)
  }
  for (timewt in c("n", "S", "S/G", "n/G2", "I")) expect_same(timewt = timewt)
  for (influence in 0:3) expect_same(influence = influence)
  expect_same(cluster = inst, influence = 1)
  expect_same(ranks = TRUE)
  expect_same(ymin = 20, ymax = 600)
  expect_same(newdata = new_patients)
  expect_same(newdata = new_patients, cluster = new_patients$inst, timewt = "S/G")
  expect_same(timefix = FALSE, keepstrata = FALSE)
})

test_that("several fits are compared as survival compares them", {
  skip_if_no_python()
  a <- coxphGPU(Surv(time, status) ~ age + ph.ecog, cut_patients)
  b <- coxphGPU(Surv(time, status) ~ sex + ph.ecog, cut_patients)
  comparisons <- expression(
    concordance(a, b), concordance(a, b, influence = 2), concordance(a, b, ranks = TRUE)
  )
  ours <- lapply(comparisons, eval, environment())
  a <- coxph(Surv(time, status) ~ age + ph.ecog, cut_patients)
  b <- coxph(Surv(time, status) ~ sex + ph.ecog, cut_patients)
  theirs <- lapply(comparisons, eval, environment())
  expect_same_result(ours, theirs)
  expect_error(concordance(coxphGPU(Surv(time, status) ~ age, lung), lung), "appropriate fit")
})

test_that("a fit given as a call is fitted once", {
  skip_if_no_python()
  times <- 0
  fitted <- function() {
    times <<- times + 1
    coxphGPU(Surv(time, status) ~ age + ph.ecog, cut_patients)
  }
  found <- concordance(fitted())
  expect_identical(times, 1)
  expect_identical(found$call, quote(concordance.coxph(object = fitted())))
  expect_identical(concordanceGPU(fitted())$concordance, found$concordance)
  expect_identical(times, 2)
})

test_that("concordanceGPU() is concordance() with another engine", {
  skip_if_no_python()
  local_data <- lung[1:100, ]
  calls <- expression(
    concordance(Surv(time, status) ~ age, data = lung),
    concordance(Surv(time, status) ~ age + strata(sex), data = lung, reverse = TRUE),
    concordance(Surv(time, status) ~ age + cluster(inst), lung, subset = age > 50, influence = 1),
    concordance(Surv(time, status) ~ ph.ecog, lung, weights = age, timewt = "n/G2"),
    concordance(Surv(start, stop, event) ~ age, heart, cluster = id),
    concordance(age ~ meal.cal, data = lung),
    concordance(factor(sex) ~ age, data = lung),
    concordance(coxph(Surv(time, status) ~ age, lung)),
    concordance(survreg(Surv(time, status) ~ age + sex, lung)),
    concordance(lm(time ~ age, lung)),
    concordance(glm(sex ~ age, gaussian, lung)),
    concordance(Surv(time, status) ~ age, local_data)
  )
  for (call in calls) {
    theirs <- eval(call)
    call[[1L]] <- quote(concordanceGPU)
    ours <- eval(call)
    expect_identical(ours$call[[1L]], quote(concordanceGPU))
    ours$call <- theirs$call <- NULL
    expect_same_result(ours, theirs, label = deparse1(call))
  }
  fit <- coxphGPU(Surv(time, status) ~ age, lung)
  other <- coxphGPU(Surv(time, status) ~ sex, lung)
  expect_identical(
    concordanceGPU(fit, other)[c("concordance", "var")],
    concordance(fit, other)[c("concordance", "var")]
  )
})

test_that("concordanceGPU() refuses what it cannot use", {
  skip_if_no_python()
  expect_error(concordanceGPU(3), "formula or a fit", class = "survivalGPU_error")
  expect_error(
    concordanceGPU(Surv(time, status) ~ age, lung, device = "tpu"),
    class = "survivalGPU_invalid_device"
  )
  expect_error(concordanceGPU(Surv(time, status) ~ age + sex, lung), "Only one predictor")
})

test_that("a fit can do without its concordance, and get it later", {
  skip_if_no_python()
  fit <- coxphGPU(Surv(time, status) ~ age + strata(sex), lung, concordance = FALSE)
  whole <- coxphGPU(Surv(time, status) ~ age + strata(sex), lung)
  expect_identical(names(fit), names(whole))
  expect_identical(names(fit$concordance), names(whole$concordance))
  expect_true(all(is.na(fit$concordance)))
  expect_identical(fit$call$concordance, FALSE)
  rest <- setdiff(names(fit), c("concordance", "call"))
  expect_identical(unclass(fit)[rest], unclass(whole)[rest])
  expect_output(print(summary(fit)), "Concordance= NA +\\(se = NA \\)")
  expect_output(print(fit), "concordance = FALSE")
  expect_same_of_fits(fit, whole)
  expect_true(is.na(update(fit, . ~ . + ph.ecog)$concordance[["std"]]))
  expect_false(is.na(update(fit, concordance = TRUE)$concordance[["std"]]))
  expect_error(coxphGPU(Surv(time, status) ~ age, lung, concordance = NA), "TRUE.*FALSE")
})

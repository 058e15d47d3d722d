library(survival)

withr::local_options(survivalGPU.device = "cpu", .local_envir = teardown_env())

# The fit, and the robust variance and score test made by survival's own residuals.
expect_same_robust <- function(call, frame = parent.frame()) {
  fits <- fit_both(call, frame)
  label <- paste(deparse(call), collapse = " ")
  expect_false(is.null(fits$theirs$value$naive.var), label = label)
  expect_same_fit(fits$ours$value, fits$theirs$value, label = label)
}

test_that("robust variances and tests are coxph's", {
  skip_if_no_python()
  frame <- model_data(environment())
  for (call in rlang::exprs(
    coxph(Surv(time, status) ~ age, lung, robust = TRUE),
    coxph(Surv(time, status) ~ age + sex, lung, cluster = inst, weights = age / 60),
    coxph(Surv(time, status) ~ age + strata(inst), lung, robust = TRUE, ties = "breslow"),
    coxph(Surv(time, status) ~ age + sex, lung, cluster = inst, init = c(0.1, -1)),
    coxph(Surv(time, status) ~ age, lung, cluster = sex, init = 0.1),
    coxph(Surv(time, status) ~ age + offset(sex / 4), lung, cluster = ph.ecog),
    coxph(Surv(time, status) ~ age + I(2 * age) + sex, lung, cluster = inst),
    coxph(Surv(tstart, tstop, status) ~ treat + age + strata(hos.cat), cgd, cluster = id),
    coxph(Surv(tstart, tstop, status) ~ treat, cgd, id = id, weights = age),
    coxph(Surv(tstart, tstop, status) ~ treat * steroids, cgd, cluster = center),
    coxph(Surv(start, stop, event) ~ age + year, heart, cluster = id, iter.max = 0),
    coxph(
      Surv(time, status) ~ sex + tt(age), lung,
      tt = function(x, t, ...) x * log(t + 20), robust = TRUE
    ),
    coxph(Surv(tstart, tstop, event) ~ trt + sex, myeloid_states, id = id, robust = TRUE)
  )) {
    expect_same_robust(call, frame)
  }
})

test_that("clusters of every type give one variance", {
  skip_if_no_python()
  data <- simulated(150)
  data$code <- match(data$group, letters)
  clusters <- rlang::exprs(code, group, factor(group), -code / 7, as.Date("2020-01-01") + code)
  fits <- lapply(clusters, function(cluster) {
    eval(bquote(coxphGPU(Surv(time, status) ~ x + z, data, cluster = .(cluster))))
  })
  for (fit in fits[-1]) expect_equal(fit$var, fits[[1]]$var, tolerance = rounding_tolerance)
})

test_that("the sums by cluster are the core's, of the rows that the fit has prepared", {
  skip_if_no_python()
  seen <- list()
  released <- 0
  core <- survivalGPU:::cox_score_residuals
  release <- survivalGPU:::release_rows
  local_package_function("cox_score_residuals", function(rows, matrix, weighted, groups, device) {
    prepared <- !is.null(rows$prepared)
    seen <<- c(seen, list(list(groups = groups$n, weighted = weighted, prepared = prepared)))
    core(rows, matrix, weighted, groups, device)
  })
  local_package_function("release_rows", function(prepared) {
    released <<- released + 1
    release(prepared)
  })
  of_two <- rep(list(list(groups = 2L, weighted = TRUE, prepared = TRUE)), 2)
  coxphGPU(Surv(time, status) ~ age + sex, lung, cluster = sex, weights = age)
  expect_identical(seen, of_two)
  seen <- list()
  cgd$arm <- as.integer(cgd$treat)
  coxphGPU(Surv(tstart, tstop, status) ~ age + strata(sex), cgd, cluster = arm)
  expect_identical(seen, of_two)
  expect_identical(released, 2)
  coxphGPU(Surv(time, status) ~ age, lung)
  expect_identical(released, 2)
})

test_that("rows other than the fit's are prepared anew", {
  kept <- list2env(list(prepared = "handle", rows = list(x = diag(2), y = 1:2, strata = NULL)))
  same <- list(x = diag(2), strata = NULL, y = 1:2, ties = "efron")
  expect_true(survivalGPU:::is_kept(same, kept))
  expect_false(survivalGPU:::is_kept(replace(same, "y", list(2:1)), kept))
  expect_false(survivalGPU:::is_kept(replace(same, "strata", list(1:2)), kept))
  expect_false(survivalGPU:::is_kept(same, new.env()))
})

test_that("penalised and exact fits have survival's robust variance", {
  skip_if_no_python()
  for (call in rlang::exprs(
    coxph(Surv(time, status) ~ ridge(age, sex, theta = 1), lung, cluster = inst),
    coxph(Surv(time, status) ~ pspline(age, df = 3) + sex, lung, robust = TRUE),
    coxph(Surv(time, status) ~ age, lung, ties = "exact", cluster = inst)
  )) {
    expect_same_outcome(call)
  }
})

test_that("each row its own cluster is no cluster", {
  skip_if_no_python()
  data <- simulated(120)
  data$id <- rev(seq_len(120))
  plain <- coxphGPU(Surv(time, status) ~ x + z, data, robust = TRUE)
  clustered <- coxphGPU(Surv(time, status) ~ x + z, data, cluster = id)
  for (part in c("var", "rscore")) {
    expect_equal(clustered[[part]], plain[[part]], tolerance = rounding_tolerance)
  }
})

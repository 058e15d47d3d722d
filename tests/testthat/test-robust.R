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

test_that("the sums by cluster are the core's", {
  skip_if_no_python()
  seen <- list()
  core <- survivalGPU:::cox_score_residuals
  local_package_function("cox_score_residuals", function(rows, matrix, weighted, groups, device) {
    seen <<- c(seen, list(list(groups = length(groups$labels), weighted = weighted)))
    core(rows, matrix, weighted, groups, device)
  })
  coxphGPU(Surv(time, status) ~ age + sex, lung, cluster = sex)
  expect_identical(seen, rep(list(list(groups = 2L, weighted = TRUE)), 2))
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

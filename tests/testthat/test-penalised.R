library(survival)

withr::local_options(survivalGPU.device = "cpu", .local_envir = teardown_env())

expect_same_penalised <- function(call, tolerance = rounding_tolerance, frame = parent.frame()) {
  label <- deparse1(call)
  fits <- fit_both(call, frame)
  expect_identical(fits$ours$warnings, fits$theirs$warnings, label = paste(label, "warnings"))
  expect_same_fit(fits$ours$value, fits$theirs$value, tolerance, label)
  expect_same_print(fits$ours$value, fits$theirs$value, label)
}

test_that("ridge() fits are coxph's", {
  skip_if_no_python()
  for (model in rlang::exprs(
    coxph(Surv(time, status) ~ ridge(age, ph.karno, theta = 1) + sex, lung),
    coxph(Surv(time, status) ~ ridge(age, ph.karno, sex, df = 2), lung),
    coxph(Surv(time, status) ~ ridge(age, ph.karno, sex), lung, weights = age / 60, robust = FALSE),
    coxph(Surv(time, status) ~ ridge(age, wt.loss, theta = 3) + sex, lung, cluster = inst),
    coxph(
      Surv(time, status) ~ ridge(age, wt.loss, theta = 3, scale = FALSE) + strata(sex) +
        offset(ph.ecog), lung,
      ties = "breslow"
    ),
    coxph(
      Surv(time, status) ~ ridge(age, wt.loss, theta = 3) + ridge(ph.karno, sex, df = 1) +
        strata(inst), lung
    ),
    coxph(Surv(time, status) ~ ridge(age, theta = 1) + sex + I(2 * sex), lung),
    coxph(Surv(start, stop, event) ~ ridge(age, year, theta = 1) + transplant, heart),
    coxph(
      Surv(start, stop, event) ~ ridge(age, year, df = 1) + strata(surgery) + offset(age / 20),
      heart
    ),
    coxph(
      Surv(start, stop, event) ~ ridge(age, year, theta = 2), heart,
      ties = "breslow", weights = age + 60, robust = FALSE
    ),
    coxph(Surv(time, status) ~ ridge(karno, age, diagtime) + celltype, veteran, nocenter = NULL)
  )) {
    expect_same_penalised(model)
  }
})

test_that("the iterations are survival's, from near and from far", {
  skip_if_no_python()
  for (iterations in c(0, 1, 2, 4, 20)) {
    for (init in list(c(0, 0, 0), c(0.11, -0.13, 2.3))) {
      expect_same_penalised(quote(coxph(
        Surv(time, status) ~ ridge(age, ph.karno, theta = 1) + sex, lung,
        init = init, iter.max = iterations
      )))
      expect_same_penalised(quote(coxph(
        Surv(start, stop, event) ~ ridge(age, year, theta = 1) + surgery, heart,
        init = init / 2, iter.max = iterations
      )))
    }
  }
})

test_that("other dense penalties go the same way", {
  skip_if_no_python()
  for (model in rlang::exprs(
    coxph(Surv(time, status) ~ pspline(age, df = 3) + sex, lung),
    coxph(Surv(time, status) ~ pspline(age) + ridge(ph.karno, theta = 1), lung),
    coxph(Surv(tstart, tstop, status) ~ treat + pspline(age, df = 4), cgd),
    coxph(Surv(time, status) ~ age + frailty(sex, sparse = FALSE), lung),
    coxph(
      Surv(time, status) ~ rx + frailty(litter, dist = "gauss", sparse = FALSE), rats,
      subset = litter < 20
    )
  )) {
    expect_same_penalised(model, 1e-7)
  }
})

test_that("what survival's routines compute otherwise is left to them", {
  skip_if_no_python()
  forget_message("deferred_penalised_weights")
  weighted <- quote(coxphGPU(
    Surv(start, stop, event) ~ ridge(age, year, theta = 1), heart,
    weights = rep(1:2, 86), robust = FALSE
  ))
  expect_message(
    suppressWarnings(eval(weighted)), "weighted \\(start, stop\\] rows",
    class = "survivalGPU_deferred"
  )
  weighted[[1L]] <- quote(coxph)
  expect_same_penalised(weighted)
})

test_that("a term without penalty is no term, and a heavy penalty leaves nothing", {
  skip_if_no_python()
  model <- function(theta) {
    coxphGPU(Surv(time, status) ~ ridge(age, sex, theta = theta), lung)
  }
  plain <- coxphGPU(Surv(time, status) ~ age + sex, lung)
  expect_equal(unname(coef(model(0))), unname(coef(plain)), tolerance = rounding_tolerance)
  expect_equal(model(0)$loglik, plain$loglik, tolerance = rounding_tolerance)
  expect_lt(max(abs(coef(model(1e12)))), 1e-8)
})

test_that("one column by hand", {
  skip_if_no_python()
  # two subjects, x = 1 and 0, the first with the event: log likelihood -log(1 + exp(-b)),
  # less b^2 / 2; the maximum solves b = 1 / (1 + exp(b))
  data <- data.frame(time = 1:2, status = c(1, 0), x = c(1, 0))
  fit <- coxphGPU(
    Surv(time, status) ~ ridge(x, theta = 1, scale = FALSE), data,
    control = coxph.control(eps = 1e-11)
  )
  root <- uniroot(function(b) b - 1 / (1 + exp(b)), c(0, 1), tol = 1e-14)$root
  expect_equal(unname(coef(fit)), root, tolerance = 1e-9)
  chance <- 1 / (1 + exp(-root))
  expect_equal(drop(fit$var), 1 / (chance * (1 - chance) + 1), tolerance = 1e-7)
})

test_that("a survival whose penalised fitter has changed keeps its own", {
  expect_true(drives_penalised())
  expect_false(drives_penalised(function(x) .C(Ccoxfit5a, x)))
  local_package_function("drives_penalised", function(...) FALSE)
  forget_message("deferred_penalised")
  expect_message(
    fit <- coxphGPU(Surv(time, status) ~ ridge(age, theta = 1), lung),
    class = "survivalGPU_deferred"
  )
  expect_identical(
    unclass(as_coxph(fit))[c("coefficients", "var2")],
    unclass(coxph(Surv(time, status) ~ ridge(age, theta = 1), lung))[c("coefficients", "var2")]
  )
})

test_that("nothing of Python's is left in a fit, which can be saved", {
  skip_if_no_python()
  fit <- coxphGPU(Surv(time, status) ~ ridge(age, sex, df = 1), lung)
  file <- withr::local_tempfile()
  saveRDS(fit, file)
  expect_lt(file.size(file), 1e6)
  expect_equal(predict(readRDS(file)), predict(fit))
})

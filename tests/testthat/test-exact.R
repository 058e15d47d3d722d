library(survival)

withr::local_options(survivalGPU.device = "cpu", .local_envir = teardown_env())

exact_fitters <- function(name) {
  list(
    theirs = get(name, envir = asNamespace("survival")),
    ours = get(name, envir = environment(coxph_engine("cpu")))
  )
}

lung_rows <- na.omit(lung[c("time", "status", "age", "sex", "inst")])
lung_y <- Surv(lung_rows$time, lung_rows$status)
lung_x <- as.matrix(lung_rows[c("age", "sex")])
heart_y <- Surv(heart$start, heart$stop, heart$event)
heart_x <- as.matrix(heart[c("age", "year")])

test_that("exact fits have survival's shape", {
  skip_if_no_python()
  same <- function(name, x, y, strata, offset, init, ..., rownames = seq_len(nrow(x))) {
    fit <- exact_fitters(name)
    fits <- lapply(fit, function(fitter) {
      fitter(
        x, y, strata, offset, init, coxph.control(), NULL, "exact",
        as.character(rownames), ...
      )
    })
    expect_identical(names(fits$ours), names(fits$theirs))
    expect_identical(lapply(fits$ours, typeof), lapply(fits$theirs, typeof))
    expect_identical(lapply(fits$ours, attributes), lapply(fits$theirs, attributes))
    expect_equal(fits$ours, fits$theirs, tolerance = rounding_tolerance)
  }
  same("coxexact.fit", lung_x, lung_y, NULL, NULL, NULL)
  same("coxexact.fit", lung_x, lung_y, lung_rows$inst, lung_rows$age / 50, c(0, 1), nocenter = 1:2)
  same("coxexact.fit", cbind(lung_x, twice = 2 * lung_x[, 1]), lung_y, NULL, NULL, NULL)
  same("coxexact.fit", unname(lung_x), lung_y, NULL, NULL, NULL)
  same("coxexact.fit", lung_x[, 0], lung_y, NULL, NULL, NULL)
  same("agexact.fit", heart_x, heart_y, NULL, NULL, NULL)
  same("agexact.fit", heart_x, heart_y, heart$surgery, heart$age / 50, c(0, 1), nocenter = 0:1)
  same("agexact.fit", cbind(heart_x, twice = 2 * heart_x[, 1]), heart_y, NULL, NULL, NULL)
  same("agexact.fit", unname(heart_x), heart_y, NULL, NULL, NULL, resid = FALSE)
  same("agexact.fit", heart_x[, 0], heart_y, NULL, NULL, NULL)
})

expect_same_exact <- function(call, tolerance = rounding_tolerance, frame = parent.frame()) {
  label <- deparse1(call)
  fits <- fit_both(call, frame)
  expect_identical(fits$ours$warnings, fits$theirs$warnings, label = paste(label, "warnings"))
  expect_same_fit(fits$ours$value, fits$theirs$value, tolerance, label)
}

# The starts are such that no two rows tie in their linear predictor by chance of rounding.
test_that("the iterations are survival's, from near and from far", {
  skip_if_no_python()
  for (iterations in c(0, 1, 2, 5, 20)) {
    for (init in list(c(0, 0), c(0.31, 2.07), c(0.11, -1.27))) {
      for (model in rlang::exprs(
        coxph(
          Surv(time, status) ~ age + sex, lung,
          ties = "exact", init = init, iter.max = iterations
        ),
        coxph(
          Surv(start, stop, event) ~ age + year, heart,
          ties = "exact", init = init, iter.max = iterations
        ),
        coxph(
          Surv(time, status) ~ age + I(2 * age) + sex, lung,
          ties = "exact", iter.max = iterations
        )
      )) {
        expect_same_exact(model)
      }
    }
  }
})

test_that("exact models of many data sets are coxph's", {
  skip_if_no_python()
  frame <- model_data(environment())
  for (model in rlang::exprs(
    coxph(Surv(ceiling(time / 30), status) ~ age + factor(ph.ecog) * sex, lung),
    coxph(Surv(ceiling(time / 100), status) ~ age + wt.loss + strata(sex), lung),
    coxph(Surv(time, status) ~ age + sex + offset(ph.ecog / 2) + strata(inst), lung),
    coxph(Surv(time, status) ~ karno + celltype + age, veteran, subset = trt == 1),
    coxph(Surv(futime, status) ~ trt + trt:type + strata(id), retinopathy),
    coxph(Surv(stop, event) ~ (rx + size + number) * strata(enum), bladder),
    coxph(Surv(tstart, tstop, status) ~ treat + age + strata(sex), cgd),
    coxph(Surv(time, status) ~ rx + strata(litter), rats),
    coxph(Surv(rep(1, nrow(choices)), case) ~ tocc + tocc:education + strata(id), choices),
    coxph(Surv(rep(1, nrow(infert)), case) ~ spontaneous + induced + age, infert),
    coxph(Surv(time, status) ~ x, leukemia)
  )) {
    model$ties <- "exact"
    expect_same_exact(model, frame = frame)
  }
})

test_that("two of three by hand", {
  skip_if_no_python()
  data <- data.frame(time = 1, status = c(1, 1, 0), x = log(c(2, 3, 5)))
  fit <- coxphGPU(
    Surv(time, status) ~ x, data,
    ties = "exact", init = 1, iter.max = 0, nocenter = NULL
  )
  chance <- c(6, 10, 15) / 31
  mean <- sum(chance * log(c(6, 10, 15)))
  expect_equal(fit$loglik[1], log(6 / 31))
  expect_equal(drop(1 / fit$var), sum(chance * log(c(6, 10, 15))^2) - mean^2)
  expect_equal(fit$score, (log(6) - mean)^2 * drop(fit$var))
})

test_that("without ties the three likelihoods are one", {
  skip_if_no_python()
  data <- simulated(200)
  data$time <- data$time + seq_len(200) / 1000
  for (formula in list(Surv(time, status) ~ x + z, Surv(start, time, status) ~ x + z)) {
    fits <- lapply(c("exact", "efron", "breslow"), function(ties) {
      coxphGPU(formula, data, ties = ties)
    })
    for (part in c("coefficients", "loglik", "var")) {
      expect_equal(fits[[1]][[part]], fits[[2]][[part]], tolerance = 1e-7)
      expect_equal(fits[[1]][[part]], fits[[3]][[part]], tolerance = 1e-7)
    }
  }
})

test_that("the order of the rows does not matter", {
  skip_if_no_python()
  data <- simulated(200)
  shuffled <- withr::with_seed(3, sample(200))
  for (formula in list(
    Surv(time, status) ~ x + z + strata(group), Surv(start, time, status) ~ x + offset(z)
  )) {
    fit <- coxphGPU(formula, data, ties = "exact")
    other <- coxphGPU(formula, data[shuffled, ], ties = "exact")
    for (part in c("coefficients", "var", "loglik", "score", "iter")) {
      expect_equal(fit[[part]], other[[part]], tolerance = rounding_tolerance)
    }
    expect_equal(
      unname(fit$residuals[shuffled]), unname(other$residuals),
      tolerance = rounding_tolerance
    )
  }
})

test_that("large tied risk sets do not overflow", {
  skip_if_no_python()
  data <- withr::with_seed(5, data.frame(x = rnorm(3000), case = rep(0:1, 1500)))
  data$x <- data$x + data$case
  fit <- coxphGPU(Surv(rep(1, 3000), case) ~ x, data, ties = "exact")
  expect_equal(fit$loglik[1], -lchoose(3000, 1500))
  logistic <- glm(case ~ x, binomial, data)
  expect_equal(coef(fit)[["x"]], coef(logistic)[["x"]], tolerance = 1e-3)
})

test_that("what survival refuses is refused in its words and with its call", {
  skip_if_no_python()
  refuse <- function(call) {
    fail <- function(fit) {
      call[[1L]] <- fit
      expect_error(suppressMessages(eval(call)))
    }
    ours <- fail(quote(coxphGPU))
    theirs <- fail(quote(coxph))
    expect_identical(conditionMessage(ours), conditionMessage(theirs))
    expect_identical(conditionCall(ours), conditionCall(theirs))
  }
  refuse(quote(f(Surv(time, status) ~ age, lung, weights = inst + 1, ties = "exact")))
  refuse(quote(f(Surv(time, status) ~ age, lung, weights = rep(2, 228), ties = "exact")))
  refuse(quote(f(Surv(start, stop, event) ~ age, heart, weights = rep(2, 172), ties = "exact")))
  refuse(quote(f(Surv(time, status) ~ age + I(0 * sex + 5), lung, ties = "exact")))
  for (name in c("coxexact.fit", "agexact.fit")) {
    fit <- exact_fitters(name)
    expect_identical(
      conditionMessage(expect_error(
        fit$ours(lung_x, lung_y, NULL, NULL, 1, coxph.control(), NULL, "exact", NULL)
      )),
      conditionMessage(expect_error(
        fit$theirs(lung_x, lung_y, NULL, NULL, 1, coxph.control(), NULL, "exact", NULL)
      ))
    )
    expect_error(
      fit$ours(1:3, lung_y, NULL, NULL, NULL, coxph.control(), NULL, "exact", NULL),
      "Invalid formula"
    )
  }
})

test_that("an infinite coefficient is warned of in survival's words", {
  skip_if_no_python()
  expect_same_exact(
    quote(coxph(
      Surv(futime, fustat) ~ age + rx + factor(resid.ds) * factor(ecog.ps), ovarian,
      ties = "exact"
    )),
    divergent_tolerance
  )
})

library(survival)

withr::local_options(survivalGPU.device = "cpu", .local_envir = teardown_env())

not_ours <- c("gamma frailty", "frailty()", "pspline()")

test_that("expected events of all kinds of models are survival's", {
  skip_if_no_python()
  local_engine_for_all()
  frame <- model_data(globalenv())
  models <- unlist(unname(c(right_censored_models, counting_models)))
  models <- models[setdiff(names(models), not_ours)]
  fits <- fit_models(models, frame)
  for (model in names(fits)) {
    call <- models[[model]]
    data <- eval(if (is.null(call$data)) call[[3L]] else call$data, frame)
    frame$cases <- data[c(3, 5, 20, min(33, nrow(data)), 12, 5, nrow(data)), ]
    uses <- rlang::exprs(
      predict(fit, type = "expected", se.fit = TRUE),
      predict(fit, type = "survival", newdata = cases, se.fit = TRUE),
      predict(fit, type = "expected", newdata = cases[1, ]),
      predict(fit, se.fit = TRUE), predict(fit, type = "terms", se.fit = TRUE),
      predict(fit, type = "risk", reference = "zero", se.fit = TRUE)
    )
    tolerance <- if (model %in% divergent_models) divergent_tolerance else rounding_tolerance
    expect_same_methods(uses, fits[[model]], frame, model, tolerance, printed = FALSE)
    # survival reads the data here, and may warn of them, to no purpose
    expect_identical(
      predict(fits[[model]], type = "expected"),
      suppressWarnings(outcome(
        quote(predict(fit, type = "expected")),
        list2env(list(fit = as_coxph(fits[[model]])), parent = frame)
      )$value %||% predict(fits[[model]], type = "expected")),
      label = model
    )
  }
})

test_that("every argument of predict() is obeyed", {
  skip_if_no_python()
  local_engine_for_all()
  uses <- rlang::exprs(
    predict(fit), predict(fit, se.fit = TRUE), predict(fit, type = "risk", se.fit = TRUE),
    predict(fit, type = "terms", se.fit = TRUE), predict(fit, type = "terms", terms = 1),
    predict(fit, type = "survival"), predict(fit, type = "survival", se.fit = TRUE),
    predict(fit, reference = "sample", se.fit = TRUE), predict(fit, reference = "zero"),
    predict(fit, type = "risk", reference = "zero", se.fit = TRUE),
    predict(fit, type = "terms", reference = "zero", se.fit = TRUE),
    predict(fit, cases, se.fit = TRUE), predict(fit, cases, "risk", reference = "sample"),
    predict(fit, cases, type = "terms", se.fit = TRUE),
    predict(fit, cases, type = "expected"), predict(fit, cases, type = "expected", se.fit = TRUE),
    predict(fit, cases, "survival", TRUE, na.omit), predict(fit, cases, type = "exp"),
    predict(fit, cases, type = "expected", na.action = na.exclude, se.fit = TRUE),
    predict(fit, cases, type = "expected", collapse = c(1, 1, 2, 2, 3)[seq_len(nrow(cases))]),
    predict(fit, collapse = rep(1:2, length.out = fit$n)),
    predict(fit, se.fit = TRUE, collapse = rep(1:2, length.out = fit$n)),
    predict(fit, type = "terms", collapse = rep(1:2, length.out = fit$n)),
    predict(fit, type = "expected", se.fit = TRUE, collapse = rep(1:2, length.out = fit$n)),
    # errors
    predict(fit, type = "nothing"), predict(fit, type = 3),
    predict(fit, type = "terms", terms = 99),
    predict(fit, cases["age"], type = "expected"), predict(fit, type = "expected", terms = "none"),
    predict(fit, type = "expected", collapse = 1:3), predict(fit, collapse = 1:3),
    predict(fit, cases, type = "expected", na.action = na.fail),
    predict(fit, cases, type = "expected", collapse = 1), predict(fit, reference = "nothing")
  )
  for (kind in one_state) {
    fits <- downstream_fits(kind)
    expect_same_methods(uses, fits$ours, fits$frame, kind)
  }
})

test_that("new rows with times, strata and missing values of their own are survival's", {
  skip_if_no_python()
  local_engine_for_all()
  fits <- downstream_fits("counting")
  new <- fits$frame$cases[rep(1:4, 3), ]
  new$tstart <- c(0, 0, 500, 3, NA, 10, 400, 20, 30, 373, 0, 0)
  new$tstop <- new$tstart + c(1e4, 5, 1, 0.5, 3, NA, 1e-9, 100, 370, 1, 439, 200)
  new$age[8] <- NA
  new$hos.cat[9] <- NA
  frame <- list2env(list(new = new), parent = fits$frame)
  uses <- rlang::exprs(
    predict(fit, new, type = "expected", se.fit = TRUE), predict(fit, new, type = "survival"),
    predict(fit, new, type = "expected", se.fit = TRUE, na.action = na.exclude),
    predict(fit, new, type = "expected", collapse = rep(1:3, 4)),
    predict(fit, transform(new, hos.cat = factor("elsewhere")), type = "expected"),
    predict(fit, transform(new, hos.cat = NULL), type = "expected"),
    predict(fit, transform(new, status = NULL), type = "expected")
  )
  expect_same_methods(uses, fits$ours, frame, "counting")
  frame$single <- coxphGPU(Surv(time, status) ~ age, lung, device = "cpu")
  expect_same_methods(
    rlang::exprs(
      predict(fit, data.frame(time = c(0, 5, NA, 1e9), status = 1, age = 50), type = "expected"),
      predict(fit, data.frame(time = c(0, NA, 1e9), status = 0, age = NA_real_), "survival", TRUE),
      predict(fit, transform(cgd, time = tstop, age = age), type = "survival", se.fit = TRUE),
      predict(fit, lung[0, ], type = "expected")
    ),
    frame$single, frame, "one covariate"
  )
})

test_that("kept or changed data are used as survival uses them", {
  skip_if_no_python()
  local_engine_for_all()
  data <- na.omit(lung[c("time", "status", "age", "sex")])
  frame <- list2env(list(data = data), parent = globalenv())
  models <- list(
    x = quote(coxph(Surv(time, status) ~ age + strata(sex), data, x = TRUE)),
    model = quote(coxph(Surv(time, status) ~ age + strata(sex), data, model = TRUE, y = FALSE)),
    weights = quote(coxph(Surv(time, status) ~ age, data, weights = sex, x = TRUE)),
    nothing = quote(coxph(Surv(time, status) ~ age + sex, data, y = FALSE))
  )
  uses <- rlang::exprs(
    predict(fit, type = "expected", se.fit = TRUE), predict(fit, data[1:3, ], type = "survival"),
    predict(fit, data[1:3, ], type = "survival", se.fit = TRUE), survfit(fit),
    survfit(fit, newdata = data[1:3, ])
  )
  fits <- fit_models(models, frame)
  for (model in names(fits)) expect_same_methods(uses, fits[[model]], frame, model)
  frame$data <- frame$data[-1, ]
  for (model in names(fits)) expect_same_methods(uses[1:4], fits[[model]], frame, model)
})

test_that("predictions agree with one another and with the events", {
  skip_if_no_python()
  local_engine_for_all()
  for (kind in setdiff(one_state, "weighted")) {
    fit <- downstream_fits(kind)$ours
    expected <- predict(fit, type = "expected")
    expect_equal(sum(expected), fit$nevent, tolerance = 1e-10, label = kind)
    expect_equal(predict(fit, type = "survival"), exp(-expected), label = kind)
    expect_equal(
      unname(expected), unname(fit$y[, ncol(fit$y)] - fit$residuals),
      label = kind
    )
  }
  # with Efron's ties the rows of the fit share the hazard of their own event times
  fit <- coxphGPU(Surv(time, status) ~ age + ph.ecog, lung, ties = "breslow")
  expect_equal(
    unname(predict(fit, lung, type = "expected", na.action = na.omit)),
    unname(predict(fit, type = "expected")),
    tolerance = 1e-10
  )
})

test_that("expected events are what they are by hand", {
  skip_if_no_python()
  local_engine_for_all()
  data <- data.frame(time = c(1, 2, 2, 3, 4), status = c(1, 1, 1, 0, 1), x = c(0, 1, 0, 1, 1))
  fit <- coxphGPU(
    Surv(time, status) ~ x, data,
    init = log(2), iter.max = 0, ties = "breslow", device = "cpu"
  )
  new <- data.frame(time = c(0.5, 1, 2.5, 9), status = 0, x = c(1, 0, 1, 0))
  hazard <- c(0, 1 / 8, 1 / 8 + 2 / 7, 1 / 8 + 2 / 7 + 1 / 2)
  expect_equal(
    predict(fit, new, type = "expected"), c(2, 1, 2, 1) * hazard,
    tolerance = 1e-12
  )
  # at 1, x measured from 0: r^2 (1/8^2 + (6/8^2)^2 v)
  error <- predict(fit, new, type = "expected", se.fit = TRUE)$se.fit
  expect_equal(error[1], 0)
  expect_equal(error[2]^2, 1 / 64 + (6 / 64)^2 * fit$var[1], tolerance = 1e-12)
})

test_that("many strata are survival's", {
  skip_if_no_python()
  local_engine_for_all()
  set.seed(3)
  data <- data.frame(
    pair = rep(1:60, each = 3), x = rnorm(180), z = rnorm(180), start = 0,
    time = round(rexp(180) * 5) + 1, status = rbinom(180, 1, 0.7)
  )
  data$start[1:90] <- data$time[1:90] * runif(90)
  data$status[3:4] <- 0
  frame <- list2env(list(data = data), parent = globalenv())
  uses <- rlang::exprs(
    predict(fit, type = "expected", se.fit = TRUE),
    predict(fit, data[20:90, ], type = "expected", se.fit = TRUE),
    predict(fit, data[20:90, ], type = "survival")
  )
  models <- list(
    right = quote(coxph(Surv(time, status) ~ x + z + strata(pair), data)),
    counting = quote(coxph(Surv(start, time, status) ~ x + z + strata(pair), data))
  )
  fits <- fit_models(models, frame)
  for (model in names(fits)) expect_same_methods(uses, fits[[model]], frame, model)
})

test_that("multi-state and penalised fits keep survival's predictions", {
  skip_if_no_python()
  local_engine_for_all()
  fits <- downstream_fits("multistate")
  expect_same_methods(
    rlang::exprs(predict(fit), predict(fit, type = "expected")), fits$ours, fits$frame, "multistate"
  )
  models <- right_censored_models$lung[c("pspline()", "ridge()", "frailty()")]
  penalised <- fit_models(models, globalenv())
  for (model in names(penalised)) {
    expect_same_methods(
      rlang::exprs(
        predict(fit, type = "expected", se.fit = TRUE), predict(fit, type = "terms", se.fit = TRUE)
      ),
      penalised[[model]], globalenv(), model
    )
  }
})

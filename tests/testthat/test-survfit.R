library(survival)

withr::local_options(survivalGPU.device = "cpu", .local_envir = teardown_env())

# Whose methods are survival's own here, as they are for a coxph fit
not_ours <- c("gamma frailty", "frailty()", "pspline()")
# Some rows of the data of a model, with a pair that is the same
cases_of <- function(call, frame) {
  data <- eval(if (is.null(call$data)) call[[3L]] else call$data, frame)
  data[c(3, 5, 20, min(33, nrow(data)), 12, 5, nrow(data)), ]
}

tolerance_of <- function(model) {
  if (model %in% divergent_models) divergent_tolerance else rounding_tolerance
}

test_that("curves of all kinds of models are survival's", {
  skip_if_no_python()
  local_engine_for_all()
  frame <- model_data(globalenv())
  models <- unlist(unname(c(right_censored_models, counting_models)))
  # a curve for each of hundreds of strata is asked for elsewhere
  models <- models[setdiff(names(models), not_ours)]
  fits <- fit_models(models, frame)
  for (model in names(fits)) {
    frame$cases <- cases_of(models[[model]], frame)
    uses <- rlang::exprs(
      survfit(fit), survfit(fit, stype = 1), survfit(fit, newdata = cases, conf.type = "log-log"),
      survfit(fit, newdata = cases[1, ], ctype = 1, start.time = 20, se.fit = FALSE)
    )
    expect_same_methods(
      uses, fits[[model]], frame, model, tolerance_of(model),
      printed = FALSE
    )
  }
})

test_that("every argument of survfit() is obeyed", {
  skip_if_no_python()
  local_engine_for_all()
  uses <- rlang::exprs(
    survfit(fit, cases), survfit(fit, newdata = cases[2, ]), survfit(fit, stype = 1, ctype = 1),
    survfit(fit, stype = 2, ctype = 1, conf.type = "plain", conf.int = 0.8),
    survfit(fit, conf.type = "logit"), survfit(fit, conf.type = "arcsin"),
    survfit(fit, conf.type = "none"), survfit(fit, censor = FALSE),
    survfit(fit, newdata = cases, censor = FALSE, stype = 1), survfit(fit, start.time = 100),
    survfit(fit, type = "kaplan-meier"), survfit(fit, type = "efron"),
    survfit(fit, type = "aalen", ctype = 2), survfit(fit, influence = TRUE),
    survfit(fit, newdata = cases, na.action = na.omit),
    # errors
    survfit(fit, stype = 3), survfit(fit, ctype = 0), survfit(fit, conf.type = "wrong"),
    survfit(fit, start.time = 1e9), survfit(fit, start.time = 1:2), survfit(fit, newdata = 3),
    survfit(fit, newdata = data.frame(none = 1)), survfit(fit, individual = TRUE),
    survfit(fit, id = 1), survfit(fit, newdata = cases, conf.int = "a"),
    survfit(fit, newdata = c(age = 50, nodes = 3, rx = 1))
  )
  for (kind in one_state) {
    fits <- downstream_fits(kind)
    expect_same_methods(uses, fits$ours, fits$frame, kind)
  }
})

test_that("what is made of curves is what is made of survival's", {
  skip_if_no_python()
  local_engine_for_all()
  uses <- rlang::exprs(
    summary(survfit(fit)), summary(survfit(fit, cases), times = c(50, 100, 200), extend = TRUE),
    summary(survfit(fit))$table, capture.output(print(survfit(fit, cases), rmean = 300)),
    quantile(survfit(fit), c(0.1, 0.3)), median(survfit(fit, cases)),
    survfit(fit, cases)[1], survfit0(survfit(fit, cases)), dim(survfit(fit, cases)),
    aggregate(survfit(fit, cases)), basehaz(fit), basehaz(fit, centered = FALSE),
    basehaz(fit, newdata = cases[1, ]),
    {
      grDevices::pdf(NULL)
      on.exit(grDevices::dev.off())
      list(plot(survfit(fit)), lines(survfit(fit, cases), fun = "event"))
    }
  )
  for (kind in one_state) {
    fits <- downstream_fits(kind)
    expect_same_methods(uses, fits$ours, fits$frame, kind)
  }
})

test_that("curves along changing covariates are survival's", {
  skip_if_no_python()
  local_engine_for_all()
  fits <- downstream_fits("counting")
  frame <- list2env(
    list(
      path = transform(fits$frame$cases,
        id = c(1, 1, 2, 2), tstart = c(0, 100, 0, 250), tstop = c(100, 300, 200, 400),
        hos.cat = cgd$hos.cat[c(1, 1, 5, 5)]
      )
    ),
    parent = fits$frame
  )
  uses <- rlang::exprs(
    survfit(fit, newdata = path, id = id), survfit(fit, newdata = path[3:4, ], id = id),
    survfit(fit, newdata = path, id = id, stype = 1), survfit(fit, path, id = id, se.fit = FALSE),
    survfit(fit, newdata = path[1:2, ], individual = TRUE), survfit(fit, newdata = path, id = 3),
    summary(survfit(fit, newdata = path, id = id), times = 150)
  )
  expect_same_methods(uses, fits$ours, frame, "counting")
})

test_that("a call in a function, with dots and arguments passed down, is survival's", {
  skip_if_no_python()
  local_engine_for_all()
  fits <- downstream_fits("right")
  frame <- list2env(
    list(
      with_dots = function(fit, ...) survfit(fit, ...),
      passed_down = function(fit, newdata) survfit(fit, newdata = newdata)
    ),
    parent = fits$frame
  )
  uses <- rlang::exprs(
    with_dots(fit, cases, se.fit = FALSE), with_dots(fit), passed_down(fit),
    passed_down(fit, cases), survfit(fit, se = FALSE), lapply(list(fit), survfit)[[1]]
  )
  expect_same_methods(uses, fits$ours, frame, "right")
})

test_that("a curve is what it is by hand", {
  skip_if_no_python()
  local_engine_for_all()
  data <- data.frame(time = c(1, 2, 2, 3, 4), status = c(1, 1, 1, 0, 1), x = c(0, 1, 0, 1, 1))
  fit <- coxphGPU(Surv(time, status) ~ x, data, init = log(2), iter.max = 0)
  # risks 1 and 2; Efron: at 2 the risk set has 7, the two events 3 of it
  efron <- cumsum(c(1 / 8, (1 / 7 + 1 / 5.5), 0, 1 / 2))
  of_zero <- survfit(fit, newdata = data.frame(x = 0), se.fit = FALSE)
  expect_equal(of_zero$cumhaz, efron, tolerance = 1e-12)
  expect_equal(of_zero$surv, exp(-efron), tolerance = 1e-12)
  of_one <- survfit(fit, newdata = data.frame(x = 1), ctype = 1, se.fit = FALSE)
  expect_equal(of_one$cumhaz, 2 * cumsum(c(1 / 8, 2 / 7, 0, 1 / 2)), tolerance = 1e-12)
  # Kalbfleisch and Prentice at 1: 1 / (1 - a) = 8; at 2: 2 / (1 - a^2) + 1 / (1 - a) = 7
  product <- survfit(fit, newdata = data.frame(x = 0), stype = 1, se.fit = FALSE)$surv
  at_two <- product[2] / product[1]
  expect_equal(product[1], 7 / 8, tolerance = 1e-12)
  expect_equal(2 / (1 - at_two^2) + 1 / (1 - at_two), 7, tolerance = 1e-8)
  expect_equal(product[4], 0, tolerance = 1e-8)
  # Breslow's variance at the first time, x measured from 0: 1/8^2 + (6/8^2)^2 v
  first <- survfit(fit, newdata = data.frame(x = 0), ctype = 1)
  expect_equal(first$std.err[1]^2, 1 / 64 + (6 / 64)^2 * fit$var[1], tolerance = 1e-12)
})

test_that("curves agree with one another", {
  skip_if_no_python()
  local_engine_for_all()
  fit <- downstream_fits("counting")$ours
  curves <- survfit(fit, newdata = cgd[1:40, ])
  one <- survfit(fit, newdata = cgd[3, ])
  expect_identical(curves[3]$cumhaz, one$cumhaz)
  expect_equal(curves$surv, exp(-curves$cumhaz), tolerance = 1e-14)
  # the default is the curve at the means
  default <- survfit(fit)
  data <- model.frame(fit)
  hazard <- basehaz(fit)
  expect_identical(hazard$hazard, default$cumhaz)
  uncentred <- basehaz(fit, centered = FALSE)
  ratio <- unique(round(uncentred$hazard / hazard$hazard, 10))
  expect_equal(ratio[is.finite(ratio)], exp(-sum(coef(fit) * fit$means)), tolerance = 1e-9)
  # a row's own curve, at its own time, is its expected number of events
  right <- downstream_fits("right")$ours
  rows <- which(stats::complete.cases(lung[c("age", "ph.ecog", "wt.loss")]))[1:5]
  own <- survfit(right, newdata = lung[rows, ], se.fit = FALSE)
  at <- findInterval(lung$time[rows], own$time)
  expect_equal(
    own$cumhaz[cbind(at, 1:5)],
    unname(predict(right, lung[rows, ], type = "expected")),
    tolerance = 1e-12
  )
  # weights of two are rows twice
  twice <- transform(rbind(lung, lung), w = 1)
  heavy <- coxphGPU(Surv(time, status) ~ age, transform(lung, w = 2), weights = w, ties = "breslow")
  long <- coxphGPU(Surv(time, status) ~ age, twice, ties = "breslow")
  parts <- c("time", "n.risk", "n.event", "n.censor", "surv", "cumhaz", "std.err")
  expect_equal(
    unclass(survfit(heavy))[parts], unclass(survfit(long))[parts],
    tolerance = 1e-9
  )
})

test_that("one stratum per pair and a stratum of one time are survival's", {
  skip_if_no_python()
  local_engine_for_all()
  set.seed(3)
  data <- data.frame(
    pair = rep(1:60, each = 2), x = rnorm(120), start = 0,
    time = round(rexp(120) * 5) + 1, status = rbinom(120, 1, 0.7)
  )
  data$time[1:2] <- 4
  data$status[3:4] <- 0
  frame <- list2env(list(data = data, cases = data[c(1, 9, 10), ]), parent = globalenv())
  uses <- rlang::exprs(
    survfit(fit), survfit(fit, newdata = cases), survfit(fit, newdata = cases[2, ]),
    survfit(fit, newdata = cases["x"], censor = FALSE), basehaz(fit), survfit(fit, stype = 1)
  )
  models <- list(
    right = quote(coxph(Surv(time, status) ~ x + strata(pair), data)),
    counting = quote(coxph(Surv(start, time, status) ~ x + strata(pair), data))
  )
  fits <- fit_models(models, frame)
  for (model in names(fits)) expect_same_methods(uses, fits[[model]], frame, model)
})

test_that("small data and a session without the device take survival's own code", {
  skip_if_no_python()
  fit <- downstream_fits("right")$ours
  local_package_function("survival_curves", function(...) stop("the engine was asked"))
  expect_same_method(quote(survfit(fit)), fit, globalenv(), "few rows")
  local_engine_for_all()
  expect_error(survfit(fit), "the engine was asked")
  fit$call$device <- "cuda:77"
  forget_message("no_engine")
  expect_message(
    expect_same_method(quote(survfit(fit)$cumhaz), fit, globalenv(), "no device"),
    "survival's own code"
  )
})

test_that("multi-state and penalised fits keep survival's curves", {
  skip_if_no_python()
  local_engine_for_all()
  fits <- downstream_fits("multistate")
  expect_same_method(quote(survfit(fit, newdata = cases)), fits$ours, fits$frame, "multistate")
  models <- right_censored_models$lung[c("pspline()", "ridge()", "frailty()")]
  penalised <- fit_models(models, globalenv())
  for (model in names(penalised)) {
    expect_same_method(quote(survfit(fit)), penalised[[model]], globalenv(), model)
  }
  choices <- model_data()$choices
  matched <- clogitGPU(case ~ tocc + strata(id), choices, method = "breslow")
  frame <- list2env(list(choices = choices), parent = globalenv())
  expect_same_method(quote(survfit(fit)), matched, frame, "clogit", printed = FALSE)
})

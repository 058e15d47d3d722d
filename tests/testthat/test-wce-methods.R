# What is asked of a wceGPU() fit.

withr::local_options(survivalGPU.device = "cpu", .local_envir = teardown_env())

example_fit <- local({
  made <- NULL
  function() {
    if (is.null(made)) {
      made <<- fit_wce(
        as_spells(wce_reference()$data),
        nknots = 1:3, cutoff = 30, constrained = "Right", covariates = c("age", "sex")
      )
    }
    made
  }
})

test_that("logLik(), AIC(), BIC() and nobs() are of the best model and count events", {
  skip_if_no_python()
  fit <- example_fit()
  best <- which.min(fit$info.criterion)
  expect_identical(best, 1L)
  ll <- logLik(fit)
  expect_s3_class(ll, "logLik")
  expect_identical(as.double(ll), fit$loglik[best])
  expect_identical(attr(ll, "df"), 5L)
  expect_equal(nobs(fit), 178)
  expect_equal(BIC(fit), fit$info.criterion[best])
  expect_equal(AIC(fit), -2 * fit$loglik[best] + 2 * 5)
  by_aic <- fit_wce(
    as_spells(wce_reference()$data),
    nknots = 1:3, cutoff = 30, constrained = "Right", covariates = c("age", "sex"), aic = TRUE
  )
  expect_equal(AIC(by_aic), min(by_aic$info.criterion))
})

test_that("coef() and vcov() are WCE's, of all models", {
  skip_if_no_python()
  fit <- example_fit()
  coefficients <- coef(fit)
  expect_named(coefficients, c("WCEest", "covariates"))
  expect_identical(dim(coefficients$WCEest), c(3L, 5L))
  expect_identical(coefficients$WCEest[2, 1:4], fit$est[[2]])
  expect_identical(unname(coefficients$WCEest[1, 4:5]), c(NA_real_, NA_real_))
  expect_identical(coefficients$covariates, fit$beta.hat.covariates)
  expect_identical(vcov(fit), fit$vcovmat)
})

test_that("print() and summary() tell of the models and the covariates", {
  skip_if_no_python()
  fit <- example_fit()
  fit$call <- quote(wceGPU(data))
  expect_snapshot(print(fit))
  expect_snapshot(summary(fit))
  expect_snapshot(summary(fit, allres = TRUE)$models[[3]]$knots)
  expect_error(summary(fit, allres = NA), class = "survivalGPU_error")
})

test_that("hazard ratios are those of the weights, with the delta method's interval", {
  skip_if_no_python()
  fit <- example_fit()
  weights <- fit$WCEmat[1, ]
  exposed <- rbind(current = replace(numeric(30), 1, 2), always = 1)
  ratios <- HR(fit, exposed)
  expect_equal(ratios[, "HR"], exp(c(current = 2 * weights[[1]], always = sum(weights))))
  # the interval by hand, for one of them
  d <- colSums(fit$basis[[1]])
  se <- sqrt(drop(d %*% fit$vcovmat[[1]][-(1:2), -(1:2)] %*% d))
  expect_equal(unname(ratios["always", "upper"]), exp(sum(weights) + qnorm(0.975) * se))
  expect_equal(ratios[, "lower"] * ratios[, "upper"], ratios[, "HR"]^2)
  wider <- HR(fit, exposed, conf.int = 0.99)
  expect_true(all(wider[, "lower"] < ratios[, "lower"]))

  # a model with the patterns as one covariate has the same ratio the other way round
  expect_equal(HR(fit, numeric(30), rep(1, 30))[, "HR"], 1 / ratios["always", "HR"],
    ignore_attr = TRUE
  )
  all_models <- HR(fit, exposed, allres = TRUE)
  expect_identical(dim(all_models), c(6L, 3L))
  expect_identical(rownames(all_models)[4], "2 knot(s) always")
  expect_equal(all_models[6, "HR"], exp(sum(fit$WCEmat[3, ])))
})

test_that("histories that do not fit are refused", {
  skip_if_no_python()
  fit <- example_fit()
  refused <- "survivalGPU_invalid_argument"
  expect_error(HR(fit, rep(1, 29)), "exposed.*30 days", class = refused)
  expect_error(HR(fit, rep(1, 30), "none"), "unexposed", class = refused)
  expect_error(HR(fit, c(rep(1, 29), NA)), "missing", class = refused)
  expect_error(HR(fit, matrix(1, 2, 30), matrix(0, 3, 30)), "3 histories for 2", class = refused)
  expect_error(HR(fit, rep(1, 30), conf.int = 95), "between 0 and 1", class = refused)
})

test_that("plot() draws the weights and the band of the delta method", {
  skip_if_no_python()
  fit <- example_fit()
  drawn <- withr::local_tempfile(fileext = ".pdf")
  withr::with_pdf(drawn, {
    expect_identical(withVisible(plot(fit)), list(value = fit, visible = FALSE))
    expect_no_error(plot(fit, allres = TRUE, main = "all models"))
    expect_no_error(plot(fit, conf.int = NULL, ylim = c(-1, 1)))
  })
  expect_gt(file.size(drawn), 4000)
  band <- weight_band(fit, 1L, 0.95, "pointwise", "wald", FALSE)
  expect_identical(dim(band), c(30L, 2L))
  at_seven <- HR(fit, replace(numeric(30), 7, 1))
  expect_equal(unname(exp(band[7, ])), unname(at_seven[1, c("lower", "upper")]))
})

test_that("a fit holds no Python object and its call can be evaluated again", {
  skip_if_no_python()
  fit <- example_fit()
  file <- withr::local_tempfile()
  saveRDS(fit, file)
  expect_identical(readRDS(file), fit)
  cohort <- as_spells(wce_reference()$data)
  first <- wceGPU(
    cohort,
    nknots = 1, cutoff = 30, id = "Id", event = "Event", start = "Start", stop = "Stop",
    expos = "dose", device = "cpu"
  )
  expect_identical(update(first, nknots = 2)$est, fit_wce(cohort, nknots = 2, cutoff = 30)$est)
})

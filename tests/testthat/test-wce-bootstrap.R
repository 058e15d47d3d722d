# Resamples of subjects, each with its own choice of the model.

withr::local_options(
  survivalGPU.device = "cpu", survivalGPU.progress = FALSE, .local_envir = teardown_env()
)

# The first of these has 60 resamples.
resampled_fit <- function(nbootstraps = 60, seed = 4, ..., nknots = 1:3) {
  fit_wce(
    as_spells(wce_reference()$data),
    nknots = nknots, cutoff = 30, constrained = "Right", covariates = c("age", "sex"), aic = TRUE,
    nbootstraps = nbootstraps, seed = seed, ...
  )
}
example_bootstrap <- local({
  made <- NULL
  function() {
    if (is.null(made)) made <<- resampled_fit()
    made
  }
})

test_that("resamples depend on the seed and their number only", {
  skip_if_no_python()
  fit <- example_bootstrap()
  again <- resampled_fit(20, batchsize = 7)
  for (part in c("loglik", "status", "nevents", "WCEmat")) {
    first <- as.matrix(fit$bootstrap[[part]])[1:20, , drop = FALSE]
    expect_identical(as.matrix(again$bootstrap[[part]]), first)
  }
  alone <- resampled_fit(20, nknots = 2)
  expect_identical(
    alone$bootstrap$coefficients[["2 knot(s)"]], again$bootstrap$coefficients[["2 knot(s)"]]
  )
  by_r <- lapply(c(1, 1, 2), function(seed) withr::with_seed(seed, resampled_fit(3, NULL)))
  expect_identical(by_r[[1]]$bootstrap, by_r[[2]]$bootstrap)
  expect_false(by_r[[1]]$bootstrap$seed == by_r[[3]]$bootstrap$seed)
})

test_that("each resample chooses its model by its own criterion", {
  skip_if_no_python()
  fit <- example_bootstrap()
  resampled <- fit$bootstrap
  models <- c("1 knot(s)", "2 knot(s)", "3 knot(s)")
  expect_named(resampled$coefficients, models)
  expect_identical(colnames(resampled$coefficients[[1]]), c("age", "sex", "D1", "D2", "D3"))
  expect_true(all(resampled$status == "converged"))
  expect_equal(resampled$info.criterion, -2 * resampled$loglik + 2 * col(resampled$loglik) + 8,
    ignore_attr = TRUE
  )
  expect_identical(resampled$best, apply(resampled$info.criterion, 1, which.min))
  expect_gt(length(unique(resampled$best)), 1)
  for (b in 1:5) {
    chosen <- resampled$best[b]
    coefficients <- resampled$coefficients[[chosen]][b, -(1:2)]
    expect_equal(resampled$WCEmat[b, ], drop(fit$basis[[chosen]] %*% coefficients),
      ignore_attr = TRUE
    )
  }
  # events are drawn with their subjects; BIC counts them
  expect_gt(length(unique(resampled$nevents)), 5)
  expect_lt(abs(mean(resampled$nevents) - fit$nevents), 5)
  by_bic <- fit_wce(
    as_spells(wce_reference()$data),
    nknots = 1, cutoff = 30, nbootstraps = 5, seed = 4
  )$bootstrap
  expect_equal(by_bic$nevents, resampled$nevents[1:5])
  expect_equal(by_bic$info.criterion[, 1], -2 * by_bic$loglik[, 1] + 5 * log(by_bic$nevents))
})

test_that("spread of the resamples is near the standard errors", {
  skip_if_no_python()
  fit <- resampled_fit(300, nknots = 1)
  spread <- apply(fit$bootstrap$coefficients[[1]], 2, stats::sd)
  se <- sqrt(diag(fit$vcovmat[[1]]))
  expect_true(all(spread / se > 0.8 & spread / se < 1.35))
})

test_that("hazard ratios have the limits of the resamples", {
  skip_if_no_python()
  fit <- example_bootstrap()
  always <- rep(1, 30)
  log_ratios <- rowSums(fit$bootstrap$WCEmat)
  limits <- HR(fit, always)
  expect_equal(limits[, "HR"], exp(sum(fit$WCEmat[which.min(fit$info.criterion), ])),
    ignore_attr = TRUE
  )
  expect_equal(log(limits[, 2:3]), interval_of(log_ratios, 0, 0.95, "percentile", NA),
    ignore_attr = TRUE
  )
  expect_equal(
    log(HR(fit, always, type = "normal", conf.int = 0.9)[, 3]),
    2 * log(limits[, "HR"]) - mean(log_ratios) + qnorm(0.95) * sd(log_ratios),
    ignore_attr = TRUE
  )
  # one model throughout
  fixed <- HR(fit, always, reselect = FALSE)
  best <- names(fit$est)[which.min(fit$info.criterion)]
  expect_equal(fixed, HR(fit, always, allres = TRUE)[best, , drop = FALSE], ignore_attr = TRUE)
  expect_false(isTRUE(all.equal(fixed, limits)))
  expect_equal(HR(fit, always, type = "wald"), HR(resampled_fit(0), always))
})

test_that("bands for all days at once are wider than those for each", {
  skip_if_no_python()
  fit <- example_bootstrap()
  best <- which.min(fit$info.criterion)
  width <- function(band, type) {
    limits <- weight_band(fit, best, 0.9, band, type, TRUE)
    expect_true(all(limits[, 1] < fit$WCEmat[best, ] & fit$WCEmat[best, ] < limits[, 2]))
    limits[, 2] - limits[, 1]
  }
  expect_true(all(width("simultaneous", "wald") > width("pointwise", "wald")))
  together <- weight_band(fit, best, 0.9, "simultaneous", "percentile", TRUE)
  inside <- apply(fit$bootstrap$WCEmat, 1, function(w) all(w >= together[, 1] & w <= together[, 2]))
  expect_lte(abs(sum(inside) - 0.9 * 60), 1)
  expect_gt(mean(width("simultaneous", "percentile")), mean(width("pointwise", "normal")))
  withr::with_pdf(withr::local_tempfile(fileext = ".pdf"), {
    expect_no_error(plot(fit, band = "simultaneous"))
  })
})

test_that("summary() tells which models the resamples chose", {
  skip_if_no_python()
  fit <- example_bootstrap()
  chosen <- summary(fit)$chosen
  expect_identical(sum(chosen), 60L)
  expect_identical(unname(chosen), tabulate(fit$bootstrap$best, 3))
  expect_match(
    paste(capture.output(summary(fit)), collapse = "\n"),
    paste0("Models chosen by the resamples: 1 knot\\(s\\) ", chosen[[1]])
  )
})

test_that("what cannot be resampled is said", {
  skip_if_no_python()
  refused <- "survivalGPU_invalid_argument"
  expect_error(resampled_fit(-1), "nbootstraps.*0 for none", class = refused)
  expect_error(resampled_fit(2, seed = 0.5), "seed", class = refused)
  expect_error(resampled_fit(2, batchsize = -1), "batchsize", class = refused)
  expect_error(resampled_fit(2, confint = 95), "confint.*between 0 and 1", class = refused)
  expect_error(HR(resampled_fit(0), rep(1, 30), type = "basic"), "no bootstrap", class = refused)
  few <- as_spells(wce_reference()$data)
  few$Event[few$Id > 10] <- 0
  warnings <- capture_warnings(
    fit <- fit_wce(few, nknots = 1, cutoff = 30, nbootstraps = 30, seed = 1)
  )
  lost <- sum(is.na(fit$bootstrap$best))
  expect_gt(lost, 0)
  expect_match(warnings, paste("No model converged in", lost, "of 30"), all = FALSE)
  expect_identical(is.na(fit$bootstrap$WCEmat[, 1]), is.na(fit$bootstrap$best))
})

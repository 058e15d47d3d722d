# wceGPU() against the WCE package's own numbers, and against itself on other forms of the data.

withr::local_options(survivalGPU.device = "cpu", .local_envir = teardown_env())

# Two fits with the same numbers, whatever the call.
expect_same_wce <- function(object, reference, tolerance = 1e-10) {
  numbers <- c("WCEmat", "loglik", "est", "vcovmat", "SED", "beta.hat.covariates", "nevents")
  expect_equal(unclass(object)[numbers], unclass(reference)[numbers], tolerance = tolerance)
}

test_that("all models of the simulated cohort are WCE's", {
  skip_if_no_python()
  reference <- wce_reference()
  for (model in reference$models$models) {
    fit <- refit_reference(reference$data, model)
    label <- paste(model$nknots, "knots, cutoff", model$cutoff, model$constrained)
    expect_identical(unname(fit$knotsmat[[1]]), as.double(unlist(model$knots)), label = label)
    expect_identical(names(fit$est[[1]]), names(model$est), label = label)
    expect_identical(rownames(fit$vcovmat[[1]]), as.character(model$vcov_names), label = label)
    expect_close(fit$WCEmat, model$WCEmat, label)
    expect_close(fit$loglik, model$loglik, label)
    expect_close(fit$est, model$est, label)
    expect_close(t(fit$vcovmat[[1]]), model$vcov, label)
    expect_close(fit$SED, model$SED, label)
    expect_close(fit$info.criterion, model$info_criterion, label)
    expect_identical(as.integer(fit$nevents), as.integer(model$nevents))
    if (length(model$covariates) > 0) {
      expect_close(fit$beta.hat.covariates, model$beta_covariates, label)
      expect_close(fit$se.covariates, model$se_covariates, label)
    }
    ones <- rep(1, model$cutoff)
    early <- replace(0 * ones, 1:10, 1)
    expect_close(HR(fit, ones, 0 * ones)[, "HR"], model$HR$ones_vs_zeros, label)
    expect_close(HR(fit, early, ones)[, "HR"], model$HR$early_vs_ones, label)
  }
})

test_that("resampled subjects are WCE's when their rows are repeated", {
  skip_if_no_python()
  reference <- wce_reference()
  rows <- split(seq_len(nrow(reference$data)), reference$data$Id)
  for (model in reference$models$bootstrap[1:2]) {
    ids <- unlist(model$ids)
    taken <- rows[as.character(ids)]
    resampled <- reference$data[unlist(taken), ]
    resampled$Id <- rep(seq_along(ids), lengths(taken))
    fit <- refit_reference(resampled, model)
    expect_close(fit$WCEmat, model$WCEmat, "WCEmat")
    expect_close(fit$info.criterion, model$info_criterion, "info.criterion")
  }
})

test_that("the models of WCE's example data are WCE's", {
  skip_if_no_python()
  reference <- drugdata_reference()
  for (model in reference$models) {
    model$covariates <- list("age", "sex")
    fit <- refit_reference(reference$data, model)
    label <- paste(model$nknots, "knots, cutoff", model$cutoff, model$constrained)
    expect_close(fit$WCEmat, model$WCEmat, label)
    expect_close(fit$loglik, model$loglik, label)
    expect_close(t(fit$vcovmat[[1]]), model$vcov, label)
    expect_close(fit$beta.hat.covariates, model$beta, label)
    expect_close(fit$info.criterion, model$ic, label)
  }
})

test_that("several numbers of knots give the components of WCE for each of them", {
  skip_if_no_python()
  data <- wce_reference()$data
  fit <- fit_wce(
    data,
    analysis = "cox", nknots = c(3, 1, 1), cutoff = 30, constrained = "L",
    covariates = c("sex", "age")
  )
  expect_s3_class(fit, c("wceGPU", "WCE"), exact = TRUE)
  components <- c(
    "knotsmat", "WCEmat", "loglik", "est", "vcovmat", "SED", "beta.hat.covariates",
    "se.covariates", "covariates", "constrained", "nevents", "aic", "info.criterion", "analysis"
  )
  expect_identical(names(fit)[seq_along(components)], components)
  models <- c("1 knot(s)", "3 knot(s)")
  for (part in c("knotsmat", "est", "vcovmat")) expect_named(fit[[part]], models)
  for (part in c("loglik", "info.criterion")) {
    expect_identical(dim(fit[[part]]), 1:2)
    expect_identical(colnames(fit[[part]]), models)
  }
  expect_identical(dimnames(fit$WCEmat), list(models, paste0("t", 1:30)))
  expect_identical(dimnames(fit$beta.hat.covariates), list(models, c("sex", "age")))
  expect_identical(dimnames(fit$se.covariates), list(models, c("sex", "age")))
  expect_null(names(fit$SED))
  expect_named(fit$SED[[1]], c("D3", "D4", "D5"))
  expect_identical(fit$constrained, "Left")
  expect_identical(fit$analysis, "Cox")
  expect_false(fit$aic)
  for (i in 1:2) {
    alone <- fit_wce(
      data,
      nknots = c(1, 3)[i], cutoff = 30, constrained = "left", covariates = c("sex", "age")
    )
    expect_identical(alone$WCEmat[1, ], fit$WCEmat[i, ])
    expect_identical(alone$vcovmat[[1]], fit$vcovmat[[i]])
  }
  without <- fit_wce(data, nknots = 1, cutoff = 30)
  expect_false(any(c("beta.hat.covariates", "se.covariates") %in% names(without)))
  expect_true("covariates" %in% names(without))
  expect_null(without$covariates)
})

test_that("rows of any length, in any order, and a table of exposures give the same answer", {
  skip_if_no_python()
  daily <- wce_reference()$data
  fit <- function(data, ...) {
    fit_wce(
      data,
      nknots = 1:2, cutoff = 45, constrained = "Right", covariates = c("age", "sex"), ...
    )
  }
  reference <- fit(daily)
  spells <- as_spells(daily)
  expect_lt(nrow(spells), nrow(daily) / 10)
  expect_same_wce(fit(spells), reference)
  expect_same_wce(fit(withr::with_seed(1, spells[sample(nrow(spells)), ])), reference)

  # a row per subject, and half of each dose twice
  persons <- as_spells(transform(daily, dose = 0))
  expect_identical(nrow(persons), length(unique(daily$Id)))
  exposed <- spells[spells$dose != 0, ]
  half <- data.frame(
    id = exposed$Id, start = exposed$Start, stop = exposed$Stop, dose = exposed$dose / 2
  )
  persons$dose <- NULL
  expect_same_wce(fit(persons, exposures = rbind(half, half)), reference)
  named <- stats::setNames(half[rev(seq_len(nrow(half))), ], c("Id", "Start", "Stop", "dose"))
  expect_same_wce(fit(persons, exposures = rbind(named, named)), reference)
})

test_that("exposure before follow-up counts, and delayed entry is taken", {
  skip_if_no_python()
  data <- as_spells(wce_reference()$data)
  exposed <- data[data$dose != 0, ]
  exposures <- data.frame(
    id = exposed$Id, start = exposed$Start, stop = exposed$Stop, dose = exposed$dose
  )
  late <- data[data$Stop > 20, ]
  late$Start <- pmax(late$Start, 20)
  exposures <- exposures[exposures$id %in% late$Id, ]
  fit <- fit_wce(late, nknots = 1, cutoff = 15, exposures = exposures, covariates = "age")
  # the same by survival, with the artificial covariates of all daily rows
  daily <- wce_reference()$data
  basis <- fit$basis[[1]]
  daily[paste0("D", 1:5)] <- do.call(rbind, lapply(split(daily$dose, daily$Id), function(dose) {
    apply(basis, 2, function(b) stats::convolve(dose, rev(b), type = "open")[seq_along(dose)])
  }))
  theirs <- survival::coxph(
    survival::Surv(Start, Stop, Event) ~ age + D1 + D2 + D3 + D4 + D5, daily[daily$Start >= 20, ]
  )
  expect_close(fit$loglik, theirs$loglik[2], "loglik")
  expect_close(fit$est, stats::coef(theirs)[-1], "est")
})

test_that("subjects may be named by numbers, texts and factors", {
  skip_if_no_python()
  data <- as_spells(wce_reference()$data)
  data <- data[order(-data$Id, data$Start), ]
  reference <- fit_wce(data, nknots = 1, cutoff = 30)
  for (as in list(as.integer, function(id) id / 7, as.character, factor)) {
    other <- transform(data, Id = as(Id))
    expect_same_wce(fit_wce(other, nknots = 1, cutoff = 30), reference)
    exposures <- data.frame(
      id = other$Id, start = other$Start, stop = other$Stop, dose = other$dose
    )
    expect_same_wce(fit_wce(other, nknots = 1, cutoff = 30, exposures = exposures), reference)
  }
})

test_that("case weights of two are two subjects, with Breslow's ties", {
  skip_if_no_python()
  data <- as_spells(wce_reference()$data)
  data$w <- 1 + data$Id %% 2
  again <- data[data$w == 2, ]
  again$Id <- again$Id + 1000
  fit <- function(...) fit_wce(..., nknots = 1, cutoff = 30, ties = "breslow", covariates = "age")
  weighted <- fit(data, weights = "w")
  repeated <- fit(rbind(data, again))
  numbers <- c("WCEmat", "loglik", "vcovmat", "beta.hat.covariates")
  expect_equal(unclass(weighted)[numbers], unclass(repeated)[numbers], tolerance = 1e-10)
})

test_that("controls are coxph's, and what survival doubts is said of each model", {
  skip_if_no_python()
  data <- as_spells(wce_reference()$data)
  expect_warning(
    fit_wce(data, nknots = 2, cutoff = 30, controls = list(iter.max = 2)),
    "Model with 2 knot\\(s\\): Ran out of iterations"
  )
  # all exposed subjects have the event at once: no finite weight
  few <- data.frame(
    Id = 1:40, Event = rep(1:0, each = 20), Start = 0, Stop = c(rep(5, 20), rep(9, 20)),
    dose = rep(1:0, each = 20)
  )
  expect_warning(fit_wce(few, nknots = 1, cutoff = 4), "Model with 1 knot")
})

test_that("a redundant covariate has no coefficient, as in coxph", {
  skip_if_no_python()
  data <- as_spells(wce_reference()$data)
  data$age2 <- 2 * data$age
  fit <- fit_wce(data, nknots = 1, cutoff = 30, covariates = c("age", "age2"))
  expect_identical(is.na(fit$beta.hat.covariates[1, ]), c(age = FALSE, age2 = TRUE))
  expect_same_wce(
    within(unclass(fit), beta.hat.covariates <- vcovmat <- NULL),
    within(
      unclass(fit_wce(data, nknots = 1, cutoff = 30, covariates = "age")),
      beta.hat.covariates <- vcovmat <- NULL
    )
  )
})

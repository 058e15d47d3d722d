library(survival)

withr::local_options(
  survivalGPU.device = "cpu", survivalGPU.progress = FALSE,
  .local_envir = teardown_env()
)

# ---- parity with a loop of coxph ----------------------------------------------------

test_that("resamples of right-censored rows with ties, strata, weights and an offset", {
  skip_if_no_python()
  data <- simulated(150)
  data$weight <- 0.5 + data$z
  data$known <- data$x^2 / 5
  for (ties in c("efron", "breslow")) {
    fit_to <- function(data) {
      coxph(
        Surv(time, status) ~ x + z + strata(group) + offset(known), data,
        weights = weight, ties = ties
      )
    }
    copies <- drawn_copies(150, 60)
    fit <- bootstrap(fit_to(data), frequencies = copies)
    expect_identical(unique(fit$bootstrap$status), "converged")
    expect_same_resamples(fit, repeated_fits(fit_to, data, seq_len(150), copies), label = ties)
  }
})

test_that("resamples of subjects with several (start, stop] rows", {
  skip_if_no_python()
  fit_to <- function(data) {
    coxph(
      Surv(tstart, tstop, status) ~ treat + age + steroids + strata(sex), data,
      weights = 1 + (height > 150), robust = FALSE, eps = 1e-11
    )
  }
  copies <- drawn_copies(128, 80)
  fit <- suppressWarnings(
    bootstrap(fit_to(cgd), frequencies = copies, id = id),
    classes = "survivalGPU_failed_resamples"
  )
  expect_identical(fit$bootstrap$n_subjects, 128L)
  expect_same_resamples(fit, repeated_fits(fit_to, cgd, cgd$id, copies))
})

test_that("interleaved subjects are those of their first appearance", {
  skip_if_no_python()
  withr::local_seed(3)
  rows <- cgd[sample(nrow(cgd)), ]
  fit_to <- function(data) coxph(Surv(tstart, tstop, status) ~ treat + age, data)
  copies <- drawn_copies(128, 60)
  fit <- bootstrap(fit_to(rows), frequencies = copies, id = id)
  expect_same_resamples(fit, repeated_fits(fit_to, rows, rows$id, copies))
})

test_that("each subject once is the fit, and twice Efron's fit of twice the rows", {
  skip_if_no_python()
  fit <- coxphGPU(Surv(time, status) ~ age + sex, lung)
  twice <- bootstrap(fit, frequencies = cbind(rep(1, 228), rep(2, 228)))$bootstrap
  expect_equal(twice$coefficients[1L, ], coef(fit), tolerance = 1e-8)
  expect_equal(
    twice$coefficients[2L, ], coef(coxph(Surv(time, status) ~ age + sex, rbind(lung, lung))),
    tolerance = 1e-8
  )
})

# Every row once is the fit, unless that stopped before its maximum or has none.
unfinished <- c(
  divergent_models, "no iterations at a start", "one iteration", "too few iterations",
  "no iterations", "no treated male with a tumour"
)
resampled_models <- c(right_censored_models, counting_models)

for (data_set in names(resampled_models)) {
  test_that(paste("each subject once is each of the models of", data_set), {
    skip_if_no_python()
    frame <- model_data(environment())
    for (name in names(resampled_models[[data_set]])) {
      fit <- suppressMessages(suppressWarnings(eval(resampled_models[[data_set]][[name]], frame)))
      refused <- tryCatch(check_resampled_fit(fit), survivalGPU_error = function(cnd) cnd)
      if (!is.null(refused) || name %in% unfinished) next
      n <- length(fit$residuals)
      # survival's warnings of the data, given again
      once <- suppressWarnings(
        bootstrap(fit, id = seq_len(n), frequencies = matrix(1, n, 1L))
      )
      expect_equal(
        once$bootstrap$coefficients[1L, ], coef(fit),
        tolerance = 1e-6, label = name
      )
    }
  })
}

test_that("the Bayesian bootstrap multiplies the case weights", {
  skip_if_no_python()
  data <- simulated(80)
  fit <- coxphGPU(Surv(time, status) ~ x + z, data, weights = 1 + z)
  drawn <- bootstrap(fit, R = 30, type = "bayesian", seed = 4)$bootstrap
  expect_identical(unique(drawn$status), "converged")
  # their spread is that of the ordinary bootstrap
  ordinary <- bootstrap(fit, R = 300, seed = 4)
  bayesian <- bootstrap(fit, R = 300, seed = 4, type = "bayesian")
  ratio <- diag(vcov(bayesian, "bootstrap")) / diag(vcov(ordinary, "bootstrap"))
  expect_true(all(ratio > 0.5 & ratio < 1.6))
  expect_equal(bayesian$bootstrap$coefficients[1:30, ], drawn$coefficients, tolerance = 1e-12)
})

test_that("redundant columns stay NA and are no failures", {
  skip_if_no_python()
  data <- transform(simulated(120), twice = 2 * x)
  fit_to <- function(data) coxph(Surv(start, time, status) ~ x + twice + z, data)
  copies <- drawn_copies(120, 45)
  fit <- bootstrap(fit_to(data), frequencies = copies, id = seq_len(120))
  expect_identical(unique(fit$bootstrap$status), "converged")
  expect_true(all(is.na(fit$bootstrap$coefficients[, "twice"])))
  expect_same_resamples(fit, repeated_fits(fit_to, data, seq_len(120), copies))
  expect_identical(is.na(confint(fit)[, 1L]), c(x = FALSE, twice = TRUE, z = FALSE))
  expect_identical(is.na(confint(fit, type = "bca")[, 1L]), c(x = FALSE, twice = TRUE, z = FALSE))
  expect_identical(dim(vcov(fit, "bootstrap")), c(3L, 3L))
})

# ---- failures -----------------------------------------------------------------------

test_that("each resample that cannot be fitted is NA, counted and named", {
  skip_if_no_python()
  data <- data.frame(
    time = c(5, 8, 3, 9, 1, 7, 2, 6, 4, 10), status = c(1, 1, 1, 0, 1, 1, 0, 1, 1, 1),
    x = c(1, 0, 0, 1, 0, 1, 1, 0, 1, 0), rare = c(1, 0, 0, 0, 0, 0, 0, 0, 0, 0)
  )
  fit <- suppressWarnings(coxphGPU(Surv(time, status) ~ x + rare, data))
  copies <- cbind(
    fitted = rep(1, 10), `no event` = as.numeric(data$status == 0),
    `no rare` = c(0, rep(1, 9)), `one group` = as.numeric(data$x == 0)
  )
  expect_warning(
    resampled <- bootstrap(fit, frequencies = copies)$bootstrap,
    "3 of 4 resamples could not be fitted",
    class = "survivalGPU_failed_resamples"
  )
  expect_identical(resampled$status, c("converged", "no events", "singular", "singular"))
  expect_identical(
    rowSums(is.na(resampled$coefficients)), c(0, 2, 2, 2)
  )
  expect_snapshot(print(resampled))
})

test_that("separation is told from convergence", {
  skip_if_no_python()
  data <- data.frame(
    time = c(1, 2, 3, 4, 5, 6, 7, 8), status = 1, x = c(1, 1, 1, 0, 1, 0, 0, 0)
  )
  fit <- coxphGPU(Surv(time, status) ~ x, data)
  copies <- cbind(rep(1, 8), c(1, 1, 1, 1, 0, 1, 1, 1))
  expect_warning(
    resampled <- bootstrap(fit, frequencies = copies), "1 infinite",
    class = "survivalGPU_failed_resamples"
  )
  expect_identical(resampled$bootstrap$status, c("converged", "infinite"))
})

# ---- draws --------------------------------------------------------------------------

test_that("the draws depend on the seed and the number of the resample only", {
  skip_if_no_python()
  fit <- coxphGPU(Surv(time, status) ~ age + sex, lung)
  whole <- bootstrap(fit, R = 50, seed = 7)$bootstrap
  for (batchsize in c(1, 7, 50)) {
    parts <- bootstrap(fit, R = 50, seed = 7, batchsize = batchsize)$bootstrap
    expect_equal(parts$coefficients, whole$coefficients, tolerance = 1e-12)
    expect_identical(parts$status, whole$status)
  }
  expect_equal(
    bootstrap(fit, R = 20, seed = 7)$bootstrap$coefficients, whole$coefficients[1:20, ],
    tolerance = 1e-12
  )
  expect_false(identical(
    bootstrap(fit, R = 20, seed = 8)$bootstrap$coefficients, whole$coefficients[1:20, ]
  ))
})

test_that("set.seed() governs where no seed is given, and a seed leaves it alone", {
  skip_if_no_python()
  fit <- coxphGPU(Surv(time, status) ~ age, lung)
  draw <- function() bootstrap(fit, R = 5)$bootstrap
  first <- withr::with_seed(1, draw())
  expect_identical(first, withr::with_seed(1, draw()))
  expect_false(first$seed == withr::with_seed(2, draw())$seed)
  expect_identical(
    bootstrap(fit, R = 5, seed = first$seed)$bootstrap$coefficients, first$coefficients
  )
  withr::local_seed(1)
  before <- .Random.seed
  bootstrap(fit, R = 5, seed = 1)
  expect_identical(.Random.seed, before)
})

test_that("Python draws and fits the same", {
  skip_if_no_python()
  fit <- coxphGPU(Surv(tstart, tstop, status) ~ treat + age + strata(sex), cgd, id = id)
  core <- reticulate::import("survivalgpu", convert = FALSE)
  for (type in c("ordinary", "bayesian")) {
    ours <- bootstrap(fit, R = 30, seed = 12, type = type, strata = hos.cat)$bootstrap
    made <- core$CoxPH(device = "cpu")$bootstrap(
      numpy_matrix(model.matrix(fit)),
      reticulate::tuple(cgd$tstart, cgd$tstop, cgd$status),
      id = numpy_vector(cgd$id), strata = numpy_vector(as.integer(cgd$sex)),
      resampling_strata = numpy_vector(as.integer(cgd$hos.cat)),
      n_replicates = 30L, seed = 12L, kind = type
    )
    theirs <- reticulate::py_to_r(made$coefficients)
    expect_equal(unname(ours$coefficients), theirs, tolerance = 1e-12, label = type)
    expect_identical(ours$status, as.character(reticulate::py_to_r(made$status$tolist())))
    expect_equal(
      unname(ours$acceleration), as.double(reticulate::py_to_r(made$acceleration)),
      tolerance = 1e-9
    )
  }
})

test_that("strata keep the number of subjects of each group", {
  skip_if_no_python()
  # a group without events of its own: its hazard ratio is known from its size only
  fit <- coxphGPU(Surv(time, status) ~ age + I(sex == 2), lung)
  within <- bootstrap(fit, R = 40, seed = 2, strata = sex)
  anywhere <- bootstrap(fit, R = 40, seed = 2)
  expect_false(identical(within$bootstrap$coefficients, anywhere$bootstrap$coefficients))
  single <- coxphGPU(Surv(time, status) ~ age, lung)
  # each subject a group of its own: nothing to draw
  same <- bootstrap(single, R = 3, seed = 1, strata = seq_len(228))$bootstrap
  expect_equal(same$coefficients[, 1L], rep(coef(single)[[1L]], 3L), tolerance = 1e-9)
})

# ---- subjects -----------------------------------------------------------------------

test_that("subjects are those of id, of the fit's id, or of its cluster", {
  skip_if_no_python()
  by_hand <- bootstrap(
    coxphGPU(Surv(tstart, tstop, status) ~ treat, cgd),
    R = 8, seed = 1, id = cgd$id
  )$bootstrap
  ways <- list(
    bootstrap(coxphGPU(Surv(tstart, tstop, status) ~ treat, cgd), 8, id, seed = 1),
    bootstrap(coxphGPU(Surv(tstart, tstop, status) ~ treat, cgd, id = id), 8, seed = 1),
    bootstrap(coxphGPU(Surv(tstart, tstop, status) ~ treat, cgd, cluster = id), 8, seed = 1),
    bootstrap(coxphGPU(Surv(tstart, tstop, status) ~ treat + cluster(id), cgd), 8, seed = 1),
    bootstrap(coxph(Surv(tstart, tstop, status) ~ treat, cgd, id = id, x = TRUE), 8, seed = 1),
    bootstrap(coxph(Surv(tstart, tstop, status) ~ treat, cgd, model = TRUE), 8, id = id, seed = 1),
    bootstrap(
      coxphGPU(Surv(tstart, tstop, status) ~ treat, cgd), 8,
      id = factor(paste("patient", id)), seed = 1
    )
  )
  for (way in ways) {
    expect_equal(way$bootstrap$coefficients, by_hand$coefficients, tolerance = 1e-9)
  }
})

test_that("rows that the fit left out are left out of id", {
  skip_if_no_python()
  fit <- coxphGPU(Surv(time, status) ~ ph.karno, lung, subset = age > 50)
  pair <- (seq_len(228) + 1) %/% 2
  kept <- as.integer(names(fit$residuals))
  whole <- bootstrap(fit, 10, id = pair, seed = 1)$bootstrap
  expect_identical(whole$n_subjects, length(unique(pair[kept])))
  expect_identical(
    whole$coefficients, bootstrap(fit, 10, id = pair[kept], seed = 1)$bootstrap$coefficients
  )
})

# ---- the front door -----------------------------------------------------------------

test_that("coxphGPU(bootstrap = ) is bootstrap() of the fit", {
  skip_if_no_python()
  fit <- coxphGPU(
    Surv(tstart, tstop, status) ~ treat + age, cgd,
    id = id, bootstrap = 20, seed = 3, batchsize = 6
  )
  alone <- coxphGPU(Surv(tstart, tstop, status) ~ treat + age, cgd, id = id)
  expect_equal(
    fit$bootstrap$coefficients, bootstrap(alone, R = 20, seed = 3)$bootstrap$coefficients,
    tolerance = 1e-12
  )
  expect_identical(setdiff(names(fit), names(alone)), "bootstrap")
  expect_identical(as.list(fit$call)[c("bootstrap", "seed")], list(bootstrap = 20, seed = 3))
  kept <- coxphGPU(Surv(time, status) ~ age, lung, bootstrap = 2, seed = 1, model = TRUE)
  expect_s3_class(kept$model, "data.frame")
  expect_true(kept$call$model)
  # the data are not looked up again
  made_inside <- function(formula) {
    rows <- lung
    do.call(coxphGPU, list(formula, data = rows, bootstrap = 2, seed = 1))
  }
  expect_identical(
    made_inside(Surv(time, status) ~ age)$bootstrap$coefficients, kept$bootstrap$coefficients
  )
})

test_that("errors show the call of coxphGPU()", {
  skip_if_no_python()
  refused <- rlang::exprs(
    coxphGPU(Surv(tstart, tstop, status) ~ treat, cgd, bootstrap = 5),
    coxphGPU(Surv(time, status) ~ age, lung, ties = "exact", bootstrap = 5),
    coxphGPU(Surv(time, status) ~ age, lung, bootstrap = 0)
  )
  for (call in refused) {
    error <- expect_error(eval(call), class = "survivalGPU_error")
    expect_identical(error$call, call)
  }
})

test_that("the call evaluates again", {
  skip_if_no_python()
  fit <- coxphGPU(Surv(time, status) ~ age, lung, bootstrap = 10, seed = 3)
  more <- update(fit, . ~ . + sex)
  expect_identical(dim(more$bootstrap$coefficients), c(10L, 2L))
  expect_null(update(fit, bootstrap = NULL)$bootstrap)
  expect_identical(eval(fit$call)$bootstrap$coefficients, fit$bootstrap$coefficients)
  expect_false(any(c("bootstrap", "seed") %in% names(as_coxph(fit)$call)))
})

test_that("a fit is kept whole by saveRDS()", {
  skip_if_no_python()
  fit <- bootstrap(coxphGPU(Surv(time, status) ~ age, lung), R = 50, seed = 1)
  file <- withr::local_tempfile(fileext = ".rds")
  saveRDS(fit, file)
  expect_identical(confint(readRDS(file)), confint(fit))
})

test_that("a bootstrap adds its lines below what survival prints", {
  skip_if_no_python()
  alone <- coxphGPU(Surv(time, status) ~ age + sex, lung)
  fit <- bootstrap(alone, R = 20, seed = 1)
  for (shown in list(print, function(fit) print(summary(fit)))) {
    before <- capture.output(shown(alone))
    after <- capture.output(shown(fit))
    expect_identical(head(after, length(before)), before)
    added <- after[-seq_along(before)]
    expect_match(added[nzchar(added)][1L], "^Bootstrap: 20 resamples of 228 subjects")
  }
  expect_identical(capture.output(shown(alone)), before)
  expect_null(summary(alone)$bootstrap)
  expect_identical(coef(fit), coef(alone))
  expect_identical(vcov(fit), vcov(alone))
  expect_identical(fit[names(alone)], alone[names(alone)])
})

# ---- bad input ----------------------------------------------------------------------

test_that("what cannot be resampled is refused with the reason", {
  skip_if_no_python()
  fit <- coxph(Surv(time, status) ~ age, lung)
  counting <- coxph(Surv(tstart, tstop, status) ~ treat, cgd)
  states <- transform(mgus2, event = factor(ifelse(pstat, 1, 2 * death)))
  refused <- rlang::exprs(
    bootstrap(1), bootstrap(lm(age ~ sex, lung)),
    bootstrap(coxph(Surv(time, status) ~ ridge(age), lung)),
    bootstrap(coxph(Surv(time, status) ~ age, lung, ties = "exact")),
    bootstrap(clogit(case ~ induced + strata(stratum), infert, method = "efron")),
    bootstrap(coxph(Surv(time, status) ~ 1, lung)),
    bootstrap(coxph(Surv(time, status) ~ tt(age), lung, tt = function(x, t, ...) x * t)),
    bootstrap(coxph(Surv(futime, event) ~ age, states, id = id)),
    bootstrap(counting), bootstrap(counting, id = id[1:7]), bootstrap(counting, id = cgd),
    bootstrap(counting, id = replace(id, 3, NA)), bootstrap(counting, id = id, strata = enum),
    bootstrap(fit, R = 0), bootstrap(fit, R = 1.5), bootstrap(fit, R = "many"),
    bootstrap(fit, R = c(1, 2)), bootstrap(fit, R = NA),
    bootstrap(fit, seed = 1.5), bootstrap(fit, seed = -1), bootstrap(fit, seed = "a"),
    bootstrap(fit, seed = 2^53), bootstrap(fit, batchsize = -1), bootstrap(fit, type = "other"),
    bootstrap(fit, frequencies = 1:228), bootstrap(fit, frequencies = matrix(1, 3, 2)),
    bootstrap(fit, frequencies = matrix(-1, 228, 2)),
    bootstrap(fit, frequencies = matrix(0.5, 228, 2)),
    bootstrap(fit, frequencies = matrix(NA_real_, 228, 2)),
    bootstrap(fit, frequencies = matrix("1", 228, 2)),
    bootstrap(fit, frequencies = matrix(1, 228, 0)),
    bootstrap(fit, statistic = 1), bootstrap(fit, statistic = function(beta) "a"),
    bootstrap(fit, iterations = 5), bootstrap(fit, iter.max = 0), bootstrap(fit, device = "tpu"),
    bootstrap(fit, file = "no/such/folder/file"),
    coxphGPU(Surv(time, status) ~ age, lung, bootstrap = 0),
    coxphGPU(Surv(time, status) ~ age, lung, bootstrap = 10, seed = 0.5),
    coxphGPU(Surv(time, status) ~ age, lung, bootstrap = 10, batchsize = "a"),
    confint(coxphGPU(Surv(time, status) ~ age, lung), type = "bca"),
    vcov(coxphGPU(Surv(time, status) ~ age, lung), type = "bootstrap")
  )
  expect_snapshot({
    for (call in refused) {
      cat("\n", deparse1(call), "\n", sep = "")
      tryCatch(eval(call), error = function(cnd) cat(conditionMessage(cnd), "\n"))
    }
  })
  for (call in refused) expect_error(eval(call), class = "rlang_error", label = deparse1(call))
})

test_that("data that have changed since the fit are refused", {
  skip_if_no_python()
  rows <- lung
  fit <- coxphGPU(Surv(time, status) ~ age, rows)
  rows <- lung[1:100, ]
  expect_error(bootstrap(fit, R = 5), "100 rows now", class = "survivalGPU_error")
})

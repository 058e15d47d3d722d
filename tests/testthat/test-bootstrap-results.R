library(survival)

withr::local_options(
  survivalGPU.device = "cpu", survivalGPU.progress = FALSE,
  .local_envir = teardown_env()
)

resampled_lung <- function() {
  fit <- coxphGPU(Surv(time, status) ~ age + sex + wt.loss, lung)
  bootstrap(
    fit,
    R = 199, seed = 1,
    statistic = function(beta) c(ratio = unname(exp(beta["sex"])), beta[["age"]] * 10)
  )
}

# ---- intervals ----------------------------------------------------------------------

test_that("intervals are those of boot.ci()", {
  skip_if_no_python()
  skip_if_not_installed("boot")
  fit <- resampled_lung()
  as_boot <- as_boot(fit)
  influence <- residuals(as_coxph(fit), type = "dfbeta")
  names <- c(normal = "norm", basic = "basic", percentile = "perc", bca = "bca")
  for (level in c(0.9, 0.95, 0.5)) {
    for (j in 1:3) {
      theirs <- boot::boot.ci(
        as_boot,
        conf = level, type = unname(names), index = j, L = influence[, j]
      )
      limits <- list(
        normal = theirs$normal[2:3], basic = theirs$basic[4:5],
        percentile = theirs$percent[4:5], bca = theirs$bca[4:5]
      )
      for (type in names(limits)) {
        ours <- confint(fit, j, level = level, type = type)
        expect_equal(as.double(ours), limits[[type]], tolerance = 1e-10, label = type)
      }
    }
  }
})

test_that("quantiles are interpolated between order statistics, by hand", {
  quantiles <- interpolated_quantiles(c(1, 3, 4, 10), c(0.2, 0.5, 0.8, 0.001, 0.999))
  # ranks 1, 2.5 and 4 of 4: the middle is half way on the normal scale too
  expect_equal(quantiles, c(1, 3.5, 4 + 6, 1, 10))
})

test_that("the interval of Wald is that of a fit without a bootstrap", {
  skip_if_no_python()
  alone <- coxphGPU(Surv(time, status) ~ age + sex + wt.loss, lung)
  fit <- resampled_lung()
  expect_identical(confint(alone), stats::confint.default(alone))
  expect_identical(confint(fit, type = "wald"), stats::confint.default(alone))
  expect_identical(
    confint(fit, "age", 0.9, type = "wald"), stats::confint.default(alone, "age", 0.9)
  )
  expect_identical(
    confint(alone, c("sex", "age"), 0.9), stats::confint.default(alone, c("sex", "age"), 0.9)
  )
})

test_that("confint() chooses by name and number", {
  skip_if_no_python()
  fit <- resampled_lung()
  all <- confint(fit)
  expect_identical(dimnames(all), list(
    c("age", "sex", "wt.loss", "ratio", "statistic2"), c("2.5 %", "97.5 %")
  ))
  expect_identical(confint(fit, "sex"), all["sex", , drop = FALSE])
  expect_identical(confint(fit, c(3, 1)), all[c(3, 1), ])
  expect_identical(confint(fit$bootstrap), all)
  expect_identical(colnames(confint(fit, level = 0.9)), c("5 %", "95 %"))
  expect_error(confint(fit, "height"), "height", class = "survivalGPU_error")
  expect_error(confint(fit, level = 2), "level", class = "survivalGPU_error")
  expect_error(confint(fit, type = "best"), "type")
  expect_warning(
    confint(bootstrap(fit, R = 5, seed = 1)), "extremes",
    class = "survivalGPU_few_resamples"
  )
})

test_that("BCa needs resamples on both sides of the estimate", {
  skip_if_no_python()
  made <- resampled_lung()$bootstrap
  made$t0[["age"]] <- 9
  expect_warning(limits <- confint(made, type = "bca"), "age", class = "survivalGPU_one_side")
  expect_identical(unname(is.na(limits[, 1L])), rownames(limits) == "age")
})

test_that("vcov() is the covariance of the resamples", {
  skip_if_no_python()
  fit <- resampled_lung()
  expect_equal(vcov(fit, type = "bootstrap"), cov(fit$bootstrap$coefficients))
  expect_identical(vcov(fit), vcov(as_coxph(fit)))
  expect_identical(vcov(fit, complete = FALSE), vcov(as_coxph(fit), complete = FALSE))
})

# ---- statistics ---------------------------------------------------------------------

test_that("a statistic is computed for each resample", {
  skip_if_no_python()
  fit <- resampled_lung()
  beta <- fit$bootstrap$coefficients
  expect_equal(fit$bootstrap$statistic[, "ratio"], exp(beta[, "sex"]), ignore_attr = TRUE)
  expect_equal(fit$bootstrap$statistic_t0[["ratio"]], exp(coef(fit)[["sex"]]))
  # percentiles and BCa's are those of the coefficient, whatever its scale
  for (type in c("percentile", "bca")) {
    limits <- confint(fit, type = type)
    expect_equal(limits["statistic2", ], 10 * limits["age", ], tolerance = 1e-6)
  }
  expect_equal(
    confint(fit, "ratio", type = "basic")[1L],
    2 * exp(coef(fit)[["sex"]]) - confint(fit, "ratio")[2L]
  )
  changing <- function(beta) rep(1, 1 + (beta[["age"]] > 0.017))
  expect_error(
    bootstrap(coxphGPU(Surv(time, status) ~ age, lung), 50, statistic = changing, seed = 1),
    "must return as many numbers"
  )
})

test_that("the acceleration is that of the subjects' influence", {
  skip_if_no_python()
  fit <- coxphGPU(Surv(tstart, tstop, status) ~ treat + age, cgd, id = id)
  made <- bootstrap(fit, R = 2, seed = 1, statistic = function(beta) c(sum = sum(beta)))$bootstrap
  influence <- residuals(as_coxph(fit), type = "dfbeta", collapse = cgd$id)
  influence <- cbind(influence, rowSums(influence))
  expect_equal(
    made$acceleration, colSums(influence^3) / (6 * colSums(influence^2)^1.5),
    tolerance = 1e-6, ignore_attr = TRUE
  )
})

# ---- other forms --------------------------------------------------------------------

test_that("data frames have every resample", {
  skip_if_no_python()
  made <- resampled_lung()$bootstrap
  long <- as.data.frame(made)
  wide <- as.data.frame(made, format = "wide")
  expect_identical(dim(long), c(5L * 199L, 4L))
  expect_identical(dim(wide), c(199L, 4L + 5L))
  expect_identical(long$estimate[long$term == "sex"], wide$sex)
  expect_identical(wide$age, made$coefficients[, "age"])
})

test_that("broom tidies the fit and its bootstrap", {
  skip_if_no_python()
  skip_if_not_installed("broom")
  fit <- resampled_lung()
  tidied <- broom::tidy(fit$bootstrap, conf.level = 0.9, type = "basic")
  limits <- confint(fit, level = 0.9, type = "basic")
  expect_equal(tidied$conf.high, unname(limits[, 2L]))
  expect_equal(tidied$bias[1L], mean(fit$bootstrap$coefficients[, 1L]) - coef(fit)[[1L]])
  expect_false("conf.low" %in% names(broom::tidy(fit$bootstrap, conf.int = FALSE)))
  whole <- broom::tidy(fit, conf.int = TRUE)
  expect_equal(whole$conf.low, unname(confint(fit, 1:3)[, 1L]))
})

test_that("boot prints and plots its object", {
  skip_if_no_python()
  skip_if_not_installed("boot")
  fit <- resampled_lung()
  loadNamespace("boot")
  printed <- capture.output(print(as_boot(fit)))
  expect_match(printed, "ORDINARY NONPARAMETRIC BOOTSTRAP", all = FALSE)
  expect_identical(as_boot(fit), as_boot(fit$bootstrap))
  expect_error(as_boot(1), class = "survivalGPU_error")
  expect_error(as_boot(coxphGPU(Surv(time, status) ~ age, lung)), "no bootstrap")
})

test_that("plots are drawn of all and of some coefficients", {
  skip_if_no_python()
  made <- resampled_lung()$bootstrap
  withr::local_pdf(NULL)
  expect_identical(plot(made), made)
  expect_no_error(plot(made, "age", col = "grey", main = "Age"))
  expect_no_error(plot(made, which = "intervals", type = "bca"))
  skip_if_not_installed("ggplot2")
  drawn <- ggplot2::autoplot(made)
  expect_identical(nrow(drawn$data), 5L * 199L)
  expect_no_error(ggplot2::ggplot_build(drawn))
  intervals <- ggplot2::autoplot(made, c("age", "sex"), which = "intervals")
  expect_equal(intervals$data$low, unname(confint(made, c("age", "sex"))[, 1L]))
  expect_no_error(ggplot2::ggplot_build(intervals))
})

# ---- survival curves ----------------------------------------------------------------

test_that("survival curves of resamples are those of repeated rows", {
  skip_if_no_python()
  data <- transform(simulated(120), known = x / 4, group = ifelse(group == "a", "a", "b"))
  copies <- drawn_copies(120, 15)
  new <- data.frame(x = c(-1, 1), z = 0:1, known = c(0.2, -0.1))
  times <- c(3, 10, 25)
  for (ties in c("efron", "breslow")) {
    fit_to <- function(data) {
      coxph(
        Surv(time, status) ~ x + z + offset(known) + strata(group), data,
        weights = 1 + z, ties = ties
      )
    }
    fit <- bootstrap(fit_to(data), frequencies = copies)
    ours <- bootstrap_survival(fit, times, new, frequencies = copies)
    curves <- vapply(
      repeated_fits(fit_to, data, seq_len(120), copies),
      FUN.VALUE = double(6L),
      function(fit) {
        curves <- survfit(fit, cbind(new[c(1, 1), ], group = c("a", "b")), se.fit = FALSE)
        summary(curves, times = times, extend = TRUE)$surv
      }
    )
    first <- ours[ours$row == 1, ]
    expect_equal(first$std.err, apply(curves, 1L, sd), tolerance = 1e-7, label = ties)
    estimate <- survfit(fit, cbind(new[c(1, 1), ], group = c("a", "b")), se.fit = FALSE)
    expect_equal(first$surv, summary(estimate, times = times, extend = TRUE)$surv)
    expect_equal(levels(ours$stratum), names(survfit(fit)$strata))
  }
})

test_that("survival curves draw what the bootstrap drew", {
  skip_if_no_python()
  fit <- coxphGPU(
    Surv(tstart, tstop, status) ~ treat + age, cgd,
    id = id, bootstrap = 40, seed = 1
  )
  ours <- bootstrap_survival(fit, c(100, 300))
  expect_equal(ours$surv, summary(survfit(fit), times = c(100, 300))$surv, tolerance = 1e-8)
  expect_true(all(ours$lower < ours$surv & ours$surv < ours$upper))
  expect_identical(ours, bootstrap_survival(fit, c(100, 300)))
  bayesian <- bootstrap(fit, R = 40, seed = 1, type = "bayesian")
  weighted <- bootstrap_survival(bayesian, c(100, 300))
  expect_equal(weighted$surv, ours$surv)
  expect_true(all(weighted$lower < ours$surv & ours$surv < weighted$upper))
  expect_error(bootstrap_survival(fit, "soon"), "times", class = "survivalGPU_error")
  expect_error(
    bootstrap_survival(bootstrap(fit, frequencies = matrix(1, 128, 2)), 100),
    "frequencies", class = "survivalGPU_error"
  )
})

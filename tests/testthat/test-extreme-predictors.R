library(survival)

withr::local_options(survivalGPU.device = "cpu", .local_envir = teardown_env())

# The log partial likelihood (Efron or Breslow) with its derivatives from the sums as
# they are defined: each risk set by itself, scaled by its largest term. No sum cancels,
# so it is exact to rounding however far the predictors are apart.
direct_likelihood <- function(data, beta, ties) {
  x <- as.matrix(data["x"])
  eta <- drop(x %*% beta) + data$offset
  total <- list(loglik = 0, score = 0, information = 0, residuals = data$status)
  for (time in unique(data$time[data$status == 1])) {
    risk <- data$start < time & data$time >= time
    event <- data$status == 1 & data$time == time
    scale <- max(eta[risk])
    r <- exp(eta - scale)
    for (l in seq_len(sum(event)) - 1) {
      share <- if (ties == "efron") l / sum(event) else 0
      weight <- r * (risk - share * event)
      mean <- sum(weight * x) / sum(weight)
      total$residuals <- total$residuals - weight / sum(weight)
      total$loglik <- total$loglik - log(sum(weight)) - scale
      total$score <- total$score - mean
      total$information <- total$information + sum(weight * (x - mean)^2) / sum(weight)
    }
    total$loglik <- total$loglik + sum(eta[event])
    total$score <- total$score + sum(x[event])
  }
  total
}

direct_fit <- function(data, beta, ties) {
  for (i in 1:20) {
    at <- direct_likelihood(data, beta, ties)
    beta <- beta + at$score / at$information
  }
  c(at, beta = beta, variance = 1 / at$information)
}

expect_exact <- function(fit, data, ties) {
  exact <- direct_fit(data, unname(coef(fit)), ties)
  expect_lt(abs(coef(fit) - exact$beta), rounding_tolerance * sqrt(exact$variance))
  expect_lt(abs(vcov(fit) / exact$variance - 1), rounding_tolerance)
  expect_lt(abs(fit$loglik[2] / exact$loglik - 1), rounding_tolerance)
  off <- max(abs(fit$residuals - exact$residuals))
  expect_lt(off, rounding_tolerance * max(abs(exact$residuals)))
}

# Stops at rounding, so that the maximum itself can be compared.
to_the_end <- coxph.control(iter.max = 60, eps = 1e-11, toler.chol = 1e-12)

test_that("offsets from -40 to 40 lose no digits", {
  skip_if_no_python()
  data <- simulated(150)
  spread <- withr::with_seed(5, runif(150, -40, 40))
  for (offset in list(spread, -1.3 * pmin(data$time, 60))) {
    data$offset <- offset
    for (ties in c("efron", "breslow")) {
      expect_same_outcome(
        quote(coxph(Surv(time, status) ~ x + offset(offset), data, ties = ties))
      )
      expect_exact(
        coxphGPU(
          Surv(time, status) ~ x + offset(offset), data,
          ties = ties, control = to_the_end
        ),
        transform(data, start = -Inf), ties
      )
      # coxph's fit agrees, its residuals do not: they are sums that cancelled
      counting <- quote(
        coxph(Surv(start, time, status) ~ x + offset(offset), data, control = to_the_end)
      )
      counting$ties <- ties
      theirs <- eval(counting)
      counting[[1]] <- quote(coxphGPU)
      ours <- eval(counting)
      differences <- fit_differences(ours, theirs)
      expect_lt(max(differences[names(differences) != "residuals"]), rounding_tolerance)
      expect_exact(ours, data, ties)
    }
  }
})

test_that("a covariate may spread the predictors from -40 to 40", {
  skip_if_no_python()
  data <- transform(simulated(150), offset = 0)
  data$x <- withr::with_seed(5, runif(150, -40, 40))
  data$time <- withr::with_seed(6, rexp(150) * exp(-data$x))
  data$start <- data$time * c(0, 0.9)
  # times of e^40 and e^-40: survival's timefix would tie the small ones
  loose <- coxph.control(iter.max = 60, eps = 1e-11, toler.chol = 1e-12, timefix = FALSE)
  right <- quote(coxph(Surv(time, status) ~ x, data, control = loose))
  expect_same_outcome(right)
  fit <- coxphGPU(Surv(time, status) ~ x, data, control = loose)
  expect_gt(diff(range(fit$linear.predictors)), 70)
  expect_exact(fit, transform(data, start = -Inf), "efron")
  expect_exact(
    coxphGPU(Surv(start, time, status) ~ x, data, control = loose), data, "efron"
  )
})

test_that("digits that coxph loses on the way are kept", {
  skip_if_no_python()
  # The rows of high risk leave, in coxph's order from the last time to the first, and
  # its running sums keep the rounding of theirs: coxph's fit here is NaN with entries
  # at +-40, and off in the sixth digit at +-10. So the direct sums are the reference.
  high <- rep(c(TRUE, FALSE), 75)
  data <- simulated(150)
  data$start <- ifelse(high, 50, 0)
  data$time <- ifelse(high, 50 + data$time / 10, data$time)
  for (most in c(10, 40)) {
    data$offset <- ifelse(high, most, -most)
    for (ties in c("efron", "breslow")) {
      fit <- coxphGPU(Surv(start, time, status) ~ x + offset(offset), data, ties = ties)
      expect_exact(fit, data, ties)
    }
  }
})

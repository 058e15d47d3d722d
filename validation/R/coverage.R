# How often 95% intervals contain the true coefficients.

interval_types <- c("percentile", "basic", "normal", "bca", "wald")

# Whether each interval of each coefficient contains the truth: a vector named "basic x1", ...
contains_truth <- function(fit, effects) {
  unlist(lapply(interval_types, function(type) {
    limits <- stats::confint(fit, type = type)
    inside <- limits[, 1] <= effects & effects <= limits[, 2]
    stats::setNames(as.numeric(inside), paste(type, names(effects)))
  }))
}

# The interval of the patient's own covariate from the information matrix alone, which ignores
# that rows belong together.
naive_contains <- function(fit, effects) {
  error <- sqrt(fit$naive.var[1, 1])
  inside <- abs(stats::coef(fit)[[1]] - effects[[1]]) <= stats::qnorm(0.975) * error
  stats::setNames(as.numeric(inside), paste("naive", names(effects)[1]))
}

failed_share <- function(fit) {
  c(failed = mean(fit$bootstrap$status != "converged"))
}

censored_coverage <- function(i, n, resamples) {
  effects <- c(x1 = 0.5, x2 = -0.3)
  cohort <- censored_cohort(n, effects)
  fit <- coxphGPU(Surv(time, status) ~ x1 + x2, data = cohort, device = "cpu")
  fit <- bootstrap(fit, R = resamples, seed = i)
  c(contains_truth(fit, effects), failed_share(fit))
}

clustered_coverage <- function(i, n, resamples) {
  effects <- c(x1 = 0.5, x2 = -0.4)
  cohort <- recurrent_cohort(n, effects)
  fit <- coxphGPU(
    Surv(start, stop, status) ~ x1 + x2 + cluster(id),
    data = cohort, device = "cpu"
  )
  fit <- bootstrap(fit, R = resamples, seed = i)
  c(contains_truth(fit, effects), naive_contains(fit, effects), failed_share(fit))
}

coverage_figures <- function(results) {
  covered <- colMeans(results)
  naive <- startsWith(names(covered), "naive")
  failed <- names(covered) == "failed"
  # the naive interval is there to show that the study tells good from bad
  data.frame(
    figure = ifelse(
      failed, "resamples that could not be fitted", paste("coverage,", names(covered))
    ),
    value = covered,
    low = ifelse(naive | failed, 0, 0.93),
    high = ifelse(failed, 0.001, ifelse(naive, 0.93, 0.97))
  )
}

# Whether permutation tests keep their level, and find what there is.

# p-values of all terms, and adjusted for their number.
permuted_p_values <- function(cohort, terms, permutations, seed) {
  covariates <- grep("^x", names(cohort), value = TRUE)
  formula <- stats::reformulate(covariates, quote(Surv(time, status)))
  fit <- coxphGPU(formula, data = cohort, device = "cpu")
  test <- permutation_test(fit, terms, R = permutations, seed = seed)
  c(p = test$p.value, adjusted = test$p.adjusted)
}

# The score test's own p-value, by its asymptotic distribution.
score_p_value <- function(cohort) {
  fit <- survival::coxph(Surv(time, status) ~ x1, data = cohort)
  stats::pchisq(fit$score, 1, lower.tail = FALSE)
}

# One term, that does not matter.
alone <- function(i, n, permutations) {
  cohort <- censored_outcome(normal_covariates(n, 1), 0)
  c(p = permuted_p_values(cohort, "x1", permutations, i)[[1]])
}

# One term that does not matter, beside two that do.
with_others <- function(i, n, permutations) {
  x <- cbind(normal_covariates(n, 1), normal_covariates(n, 2, 0.5))
  cohort <- censored_outcome(x, c(0, 0.5, -0.3))
  c(p = permuted_p_values(cohort, "x1", permutations, i)[[1]])
}

# Five correlated terms of which none matters.
family_of_terms <- function(i, n, permutations) {
  cohort <- censored_outcome(normal_covariates(n, 5, 0.6), double(5))
  p <- permuted_p_values(cohort, paste0("x", 1:5), permutations, i)
  c(
    adjusted = min(p[startsWith(names(p), "adjusted")]),
    unadjusted = min(p[startsWith(names(p), "p")])
  )
}

# One term that does matter.
one_effect <- function(i, n, permutations) {
  cohort <- censored_outcome(normal_covariates(n, 1), 0.25)
  c(
    permuted = permuted_p_values(cohort, "x1", permutations, i)[[1]],
    asymptotic = score_p_value(cohort)
  )
}

# A p-value of R permutations is a multiple of 1 / (R + 1); less a uniform fraction of that it is
# continuous, and uniform where the test is exact.
uniformity_figures <- function(results, permutations) {
  p <- results[, "p"]
  smoothed <- p - stats::runif(length(p)) / (permutations + 1)
  distance <- stats::ks.test(smoothed, "punif")
  data.frame(
    figure = c("p-value of the Kolmogorov-Smirnov test", "share of p-values up to 0.05"),
    value = c(distance$p.value, mean(p <= 0.05)),
    low = c(0.01, 0.035), high = c(1, 0.065)
  )
}

family_figures <- function(results) {
  data.frame(
    figure = paste(
      "any of five terms found at 5%,", c("adjusted by max-T", "not adjusted (for contrast)")
    ),
    value = c(mean(results[, "adjusted"] <= 0.05), mean(results[, "unadjusted"] <= 0.05)),
    low = c(0.035, 0.065), high = c(0.065, 1)
  )
}

power_figures <- function(results) {
  power <- colMeans(results <= 0.05)
  data.frame(
    figure = c("power at 5%", "the same, less the power of the asymptotic score test"),
    value = c(power[["permuted"]], power[["permuted"]] - power[["asymptotic"]]),
    low = c(0.5, -0.02), high = c(1, 0.02)
  )
}

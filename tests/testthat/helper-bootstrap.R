# Copies of subjects drawn by R's own generator: subjects by resamples.
drawn_copies <- function(n_subjects, n_resamples, seed = 1) {
  withr::local_seed(seed)
  matrix(stats::rmultinom(n_resamples, n_subjects, rep(1, n_subjects)), n_subjects)
}

# `fit_to(data)` on the data in which the rows of each subject are repeated by `copies`, for
# each column.
repeated_fits <- function(fit_to, data, subject, copies) {
  code <- match(subject, unique(subject))
  apply(copies, 2L, simplify = FALSE, function(of_subject) {
    suppressWarnings(fit_to(data[rep(seq_len(nrow(data)), of_subject[code]), ]))
  })
}

# Coefficients of resamples as those of `fits`, in units of the standard errors of `fit`.
expect_same_resamples <- function(fit, fits, tolerance = 1e-7, label = "the resamples") {
  converged <- fit$bootstrap$status == "converged"
  testthat::expect_true(any(converged), label = label)
  ours <- fit$bootstrap$coefficients[converged, , drop = FALSE]
  theirs <- do.call(rbind, lapply(fits[converged], stats::coef))
  testthat::expect_identical(dimnames(ours), list(NULL, names(stats::coef(fit))))
  scale <- rep(sqrt(diag(stats::vcov(fit))), each = nrow(ours))
  off <- abs(ours - theirs) / pmax(abs(theirs), scale)
  testthat::expect_lte(max(off, na.rm = TRUE), tolerance, label = label)
  testthat::expect_identical(is.na(unname(ours)), is.na(unname(theirs)), label = label)
  loglik <- vapply(fits, function(fit) fit$loglik[2L], 0)
  testthat::expect_equal(fit$bootstrap$loglik[converged], loglik[converged], tolerance = 1e-8)
}

# The arguments of bootstrap(), checked before anything is computed.

# `settings` with a whole number of resamples and a plain matrix of frequencies.
check_bootstrap <- function(settings, call) {
  check_batchsize(settings$batchsize, call)
  check_seed(settings$seed, call)
  check_file(settings$file, call)
  check_statistic(settings$statistic, call)
  if (is.null(settings$frequencies)) {
    check_replicates(settings$R, call)
  } else {
    settings$frequencies <- check_frequencies(settings$frequencies, call)
    settings$R <- ncol(settings$frequencies)
  }
  settings$R <- as.integer(settings$R)
  settings
}

# What coxphGPU() checks before it fits.
check_bootstrap_request <- function(n_resamples, batchsize, seed, call = rlang::caller_env()) {
  if (!is_whole(n_resamples) || n_resamples < 1) {
    abort_resampling(
      c(
        "{.arg bootstrap} must be a whole number from 1, not {.val {n_resamples}}.",
        i = "It is the number of resamples; without it there is no bootstrap."
      ),
      call
    )
  }
  check_batchsize(batchsize, call)
  check_seed(seed, call)
}

# A set drawn twice is two sets, not one of twice the size.
check_not_matched <- function(fit, call) {
  if (inherits(fit, "clogit")) {
    abort_resampling(
      c(
        "{.arg fit} cannot be resampled: it is of matched sets, and one drawn twice would become
         one larger set.",
        i = "Draw sets with {.fn boot::boot}, and give each copy a stratum of its own."
      ),
      call
    )
  }
}

# Resamples are compared with the estimate: one that was not iterated to is none.
check_iterations <- function(control, call) {
  if (control$iter.max < 2) {
    abort_resampling(
      c(
        "{.arg fit} was made with {.code iter.max = {control$iter.max}}: its coefficients are no
         estimate.",
        i = "Fit it with more iterations."
      ),
      call
    )
  }
}

check_frequencies <- function(frequencies, call) {
  refuse <- function(problem) {
    abort_resampling(
      c(
        paste("{.arg frequencies}", problem),
        i = "Give a matrix, subjects in order of first appearance by resamples, of how often each
             is drawn."
      ),
      call,
      frame = parent.frame()
    )
  }
  if (!is.matrix(frequencies) || !is.numeric(frequencies)) {
    refuse("must be a matrix of numbers, not {.obj_type_friendly {frequencies}}.")
  }
  if (ncol(frequencies) == 0L) refuse("has no column.")
  bad <- which(!is.finite(frequencies), arr.ind = TRUE)
  if (nrow(bad) > 0L) {
    refuse("has a missing or infinite value, the first in row {bad[1, 1]}, column {bad[1, 2]}.")
  }
  bad <- which(frequencies < 0 | frequencies != round(frequencies), arr.ind = TRUE)
  if (nrow(bad) > 0L) {
    refuse(
      "has {.val {frequencies[bad[1, 1], bad[1, 2]]}} in row {bad[1, 1]}, column {bad[1, 2]}:
       no number of copies."
    )
  }
  if (is.null(dimnames(frequencies))) frequencies else unname(frequencies)
}

check_subjects <- function(frequencies, n_subjects, call) {
  if (!is.null(frequencies) && nrow(frequencies) != n_subjects) {
    abort_resampling(
      c(
        "{.arg frequencies} has {nrow(frequencies)} row{?s} for {n_subjects} subject{?s}.",
        i = "Give one row for each subject, in order of first appearance."
      ),
      call
    )
  }
}

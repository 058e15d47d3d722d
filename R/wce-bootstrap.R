# Bootstrap of subjects for wceGPU(), with the choice of the model in each resample.

wce_resampling <- function(nbootstraps, batchsize, confint, seed, call = rlang::caller_env()) {
  if (!is_whole(nbootstraps) || nbootstraps < 0) {
    abort_argument("nbootstraps", "it must be a whole number of resamples, 0 for none.", call)
  }
  check_batchsize(batchsize, call)
  check_interval_level(confint, "confint", call)
  check_seed(seed, call)
  list(nbootstraps = nbootstraps, batchsize = batchsize, seed = seed)
}

check_interval_level <- function(level, argument, call = rlang::caller_env()) {
  if (!is_one_number(level) || level <= 0 || level >= 1) {
    abort_argument(argument, "it must be a number between 0 and 1.", call)
  }
}

# All models fitted to the same resamples.
wce_bootstrap <- function(fit, models, rows, resampling) {
  seed <- resampling$seed %||% draw_seed()
  number <- resampling$nbootstraps
  names <- names(fit$est)
  fits <- lapply(rlang::set_names(seq_along(names), names), function(model) {
    made <- wce_resampler(models, model, estimates_of(fit, model), seed)
    run_batches(
      function(first, number) bootstrap_fits(made$resampler, first, number), number,
      resampling$batchsize, made$batch_size,
      saved = NULL, keep = function(fits) NULL
    )
  })
  by_model <- function(part) do.call(cbind, lapply(fits, `[[`, part))
  events <- drawn_totals(seed, number, events_of_subjects(rows))
  size <- vapply(fit$vcovmat, nrow, 0L)
  criterion <- -2 * by_model("loglik") +
    outer(criterion_penalty(fit$aic, events) + numeric(number), size)
  criterion[by_model("status") != "converged"] <- NA
  best <- apply(criterion, 1L, function(row) c(which.min(row), NA)[1L])
  bootstrap <- list(
    coefficients = Map(fits, seq_along(fits), f = function(fits, model) {
      named <- fits$coefficients
      colnames(named) <- names(estimates_of(fit, model))
      named
    }),
    loglik = by_model("loglik"), info.criterion = criterion, status = by_model("status"),
    best = best, nevents = events, nbootstraps = number, seed = seed
  )
  bootstrap$WCEmat <- resampled_weights(bootstrap, fit, best)
  warn_of_lost_resamples(best)
  bootstrap
}

# Covariates, then artificial ones.
estimates_of <- function(fit, model) {
  covariates <- if (!is.null(fit$covariates)) {
    rlang::set_names(fit$beta.hat.covariates[model, ], fit$covariates)
  }
  c(covariates, fit$est[[model]])
}

events_of_subjects <- function(rows) {
  tabulate(rows$subject[rows$event == 1] + 1L, max(rows$subject) + 1L)
}

# Weight functions of the resamples by the model of each, resamples by days.
resampled_weights <- function(bootstrap, fit, model) {
  weights <- matrix(
    NA_real_, bootstrap$nbootstraps, ncol(fit$WCEmat),
    dimnames = list(NULL, colnames(fit$WCEmat))
  )
  model <- rep_len(model, nrow(weights))
  for (one in stats::na.omit(unique(model))) {
    chosen <- which(model == one)
    artificial <- names(fit$est[[one]])
    coefficients <- bootstrap$coefficients[[one]][chosen, artificial, drop = FALSE]
    weights[chosen, ] <- tcrossprod(coefficients, fit$basis[[one]])
  }
  weights
}

warn_of_lost_resamples <- function(best) {
  lost <- sum(is.na(best))
  if (lost > 0L) {
    cli::cli_warn(
      c(
        "No model converged in {lost} of {length(best)} resamples: {.code NA} in the result.",
        i = "{.code bootstrap$status} tells why. Intervals leave them out."
      ),
      class = "survivalGPU_failed_resamples", call = NULL
    )
  }
}

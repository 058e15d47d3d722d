# The loop of the bootstrap: batches of replicates, small enough to be interrupted, kept in
# a file if the user names one.

# A batch is to take about this long (s): the bar moves, and Ctrl-C is heard between two.
batch_seconds <- 1
first_batch <- 32L

# Fits `n_replicates` by `fit_batch(first, number)`, `first` from 0. `saved` are replicates that
# a file has; `keep(fits)` is called after each batch.
run_batches <- function(fit_batch, n_replicates, batchsize, limit, saved, keep) {
  fits <- saved %||% list()
  done <- length(fits$loglik)
  bar <- progress_bar("Bootstrap ", n_replicates)
  bar$update(done)
  number <- if (batchsize > 0) batchsize else min(first_batch, limit)
  while (done < n_replicates) {
    number <- min(number, n_replicates - done)
    begun <- proc.time()[["elapsed"]]
    fits <- append_replicates(fits, fit_batch(done, number))
    done <- done + number
    keep(fits)
    bar$update(done)
    if (batchsize == 0) {
      number <- next_batch(number, proc.time()[["elapsed"]] - begun, limit)
    }
  }
  first_replicates(fits, n_replicates)
}

# At most four times the last batch, in multiples of 16.
next_batch <- function(number, elapsed, limit) {
  wanted <- number * min(4, batch_seconds / max(elapsed, 0.01))
  as.integer(max(1, min(limit, 16 * max(1, wanted %/% 16))))
}

append_replicates <- function(fits, batch) {
  list(
    coefficients = rbind(fits$coefficients, batch$coefficients),
    loglik = c(fits$loglik, batch$loglik),
    iter = c(fits$iter, batch$iter),
    status = c(fits$status, batch$status)
  )
}

first_replicates <- function(fits, n_replicates) {
  kept <- seq_len(n_replicates)
  list(
    coefficients = fits$coefficients[kept, , drop = FALSE],
    loglik = fits$loglik[kept],
    iter = fits$iter[kept],
    status = fits$status[kept]
  )
}

# ---- the file -----------------------------------------------------------------------

bootstrap_format <- "survivalGPU bootstrap 1"

check_file <- function(file, call = rlang::caller_env()) {
  if (is.null(file)) {
    return(invisible())
  }
  if (!rlang::is_string(file) || !nzchar(file) || !dir.exists(dirname(file))) {
    abort_resampling(
      c(
        "{.arg file} must be the path of a file in an existing folder, not {.val {file}}.",
        i = "Finished batches are kept there, and taken up again by the next call."
      ),
      call
    )
  }
}

# What the replicates depend on but for the seed and their number.
bootstrap_fingerprint <- function(fit, rows, uncentred, control, type, frequencies) {
  rlang::hash(list(
    coefficients = as.double(fit$coefficients), names = names(fit$coefficients),
    x = unname(rows$x), y = as.double(rows$y), strata = stratum_codes(rows$strata),
    rest = unname(rows[c("weights", "offset", "ties", "subjects", "resampling_strata")]),
    uncentred = uncentred, control = control, type = type, frequencies = frequencies
  ))
}

# list(seed =, fits =) of a file of this bootstrap, or NULL where there is none.
read_batches <- function(file, fingerprint, seed, call = rlang::caller_env()) {
  if (is.null(file) || !file.exists(file)) {
    return(NULL)
  }
  refuse <- function(problem, remedy) {
    abort_resampling(
      c(paste("{.arg file}: {.file {file}}", problem), i = remedy),
      call, "survivalGPU_invalid_file", parent.frame()
    )
  }
  kept <- tryCatch(suppressWarnings(readRDS(file)), error = function(cnd) NULL)
  if (!is.list(kept) || !identical(kept$format, bootstrap_format)) {
    refuse("is damaged, or no file of {.fn bootstrap}.", "Delete it, or name another.")
  }
  if (kept$fingerprint != fingerprint) {
    refuse(
      "is a file of another fit or of another kind of resamples.",
      "Name another file, or delete this one."
    )
  }
  if (!is.null(seed) && seed != kept$seed) {
    refuse(
      "was made with the seed {kept$seed}, not {seed}.",
      "Give {.code seed = {kept$seed}}, or another file."
    )
  }
  kept[c("seed", "fits")]
}

# A function that keeps finished batches. What it writes takes the file's name only when it
# is whole, so that no interruption leaves a damaged file.
batch_writer <- function(file, fingerprint, seed) {
  if (is.null(file)) {
    return(function(fits) invisible())
  }
  function(fits) {
    unfinished <- tempfile("bootstrap-", dirname(file))
    on.exit(unlink(unfinished))
    saveRDS(
      list(format = bootstrap_format, fingerprint = fingerprint, seed = seed, fits = fits),
      unfinished,
      compress = FALSE
    )
    if (!file.rename(unfinished, file)) {
      cli::cli_abort("{.arg file}: {.file {file}} could not be written.", call = NULL)
    }
  }
}

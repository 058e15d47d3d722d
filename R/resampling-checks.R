# Arguments that all functions that resample have.

abort_resampling <- function(message, call, class = "survivalGPU_invalid_argument",
                             frame = parent.frame()) {
  cli::cli_abort(message, class = c(class, "survivalGPU_error"), call = call, .envir = frame)
}

check_replicates <- function(value, call = rlang::caller_env()) {
  if (!is_whole(value) || value < 1 || value > .Machine$integer.max) {
    abort_resampling(
      c(
        "{.arg R} must be a whole number from 1, not {.val {value}}.",
        i = "It is the number of resamples: 1000 is usual for intervals."
      ),
      call
    )
  }
}

check_batchsize <- function(value, call = rlang::caller_env()) {
  if (!is_whole(value) || value < 0) {
    abort_resampling(
      c(
        "{.arg batchsize} must be a whole number, not {.val {value}}.",
        i = "0 chooses by itself; the results do not depend on it."
      ),
      call
    )
  }
}

check_seed <- function(value, call = rlang::caller_env()) {
  if (!is.null(value) && (!is_whole(value) || value < 0 || value >= 2^53)) {
    abort_resampling(
      c(
        "{.arg seed} must be a whole number from 0, not {.val {value}}.",
        i = "Without it, {.fn set.seed} governs the draws."
      ),
      call
    )
  }
}

is_whole <- function(value) {
  is.numeric(value) && length(value) == 1L && is.finite(value) && value == round(value)
}

# A seed that R's own generator draws, so that set.seed() governs.
draw_seed <- function() sample.int(.Machine$integer.max, 1L)

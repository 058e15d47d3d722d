# Our concordancefit(): survival's arguments and result, the pairs counted by the core.
# What it does not take (missing values, a response that is neither a Surv object nor
# numbers, the table of ranks, all that survival refuses) goes to survival's own function,
# with the call as it was written, and so ends as it does there.

count_names <- c("concordant", "discordant", "tied.x", "tied.y", "tied.xy")
time_weights <- c("n", "S", "S/G", "n/G2", "I")

# With more strata than this, and none kept apart, survival counts them as one data set.
pooled_from <- 11L

concordance_fitter <- function(device, engine) {
  force(device)
  function(y, x, strata, weights, ymin = NULL, ymax = NULL,
           timewt = c("n", "S", "S/G", "n/G2", "I"), cluster, influence = 0, ranks = FALSE,
           reverse = FALSE, timefix = TRUE, keepstrata = 10,
           std.err = TRUE) { # nolint: object_name_linter.
    rows <- list(
      y = response_rows(y, ymin), x = x, strata = given(strata), weights = given(weights),
      cluster = given(cluster)
    )
    options <- list(
      timewt = if (identical(timewt, time_weights)) "n" else timewt, ymin = ymin, ymax = ymax,
      influence = influence, ranks = ranks, reverse = reverse, timefix = timefix,
      keepstrata = keepstrata, std.err = std.err
    )
    if (!takes_options(options) || !takes_rows(rows) || !takes_combination(rows, options)) {
      return(survivals_own("concordancefit", sys.call(), parent.frame(), quiet = TRUE))
    }
    if (timefix && survival::is.Surv(y)) rows$y <- get("aeqSurv", engine)(rows$y)
    if (!is.null(ymin)) {
      last <- ncol(rows$y) - 1L
      rows$y[, last] <- pmax(rows$y[, last], ymin)
    }
    if (!std.err) options$influence <- 0
    shape_concordance(concordance_pairs(rows, options, device), rows, options)
  }
}

# survival takes plain numbers as times of events.
response_rows <- function(y, ymin) {
  plain <- is.numeric(y) && is.vector(y) && is.null(ymin)
  if (plain && !anyNA(y)) survival::Surv(y) else y
}

is_flag <- function(x) is.logical(x) && length(x) == 1L && !is.na(x)

check_flag <- function(x, name, call = rlang::caller_env()) {
  if (!is_flag(x)) {
    cli::cli_abort(
      "{.arg {name}} must be {.code TRUE} or {.code FALSE}, not {.obj_type_friendly {x}}.",
      class = "survivalGPU_error", call = call
    )
  }
}

is_one_number <- function(x) is.numeric(x) && length(x) == 1L && is.finite(x)

takes_options <- function(options) {
  is_limit <- function(x) is.null(x) || is_one_number(x)
  valid <- c(
    rlang::is_string(options$timewt, time_weights),
    vapply(options[c("ranks", "reverse", "timefix", "std.err")], is_flag, NA),
    vapply(options[c("ymin", "ymax")], is_limit, NA),
    is_flag(options$keepstrata) || is_one_number(options$keepstrata),
    is_one_number(options$influence) && options$influence %in% 0:3
  )
  all(valid) && !(options$ranks && options$std.err)
}

takes_rows <- function(rows) {
  if (!takes_response(rows$y)) {
    return(FALSE)
  }
  n <- nrow(rows$y)
  valid <- c(
    lengths(rows[c("strata", "weights", "cluster")]) %in% c(0L, n),
    length(rows$x) == n,
    !anyNA(rows$strata),
    !anyNA(rows$cluster)
  )
  all(valid) && is_finite_numbers(rows$x) && takes_weights(rows$weights)
}

takes_response <- function(y) {
  survival::is.Surv(y) && attr(y, "type") %in% c("right", "counting") && nrow(y) > 1L &&
    is_finite_numbers(unclass(y)) && any(unclass(y)[, ncol(y)] == 1)
}

is_finite_numbers <- function(x) {
  if (is.double(x)) {
    # a sum is finite only where each element is
    return(is.finite(sum(x)))
  }
  (is.integer(x) || is.logical(x)) && !anyNA(x)
}

takes_weights <- function(weights) {
  length(weights) == 0L || (is_finite_numbers(weights) && min(weights) > 0)
}

# What survival refuses, or where the numbers are those of its own order of things: the last
# time allowed is compared to times that it has moved apart by stratum.
takes_combination <- function(rows, options) {
  y <- rows$y
  counting <- ncol(y) == 3L
  if (counting && options$timewt %in% c("S/G", "n/G2")) {
    return(FALSE)
  }
  if (!is.null(options$ymin) && any(y[y[, ncol(y)] == 0, ncol(y) - 1L] < options$ymin)) {
    return(FALSE)
  }
  is.null(options$ymax) || !is_pooled(rows, options)
}

is_pooled <- function(rows, options) {
  options$timewt %in% c("n", "I") && length(rows$strata) > 0L && {
    n_strata <- length(unique(rows$strata))
    n_strata >= pooled_from && !keeps_strata(options, n_strata)
  }
}

keeps_strata <- function(options, n_strata) {
  keep <- options$keepstrata
  if (is.logical(keep)) keep else n_strata <= keep
}

shape_concordance <- function(counted, rows, options) {
  n_strata <- nrow(counted$counts)
  counts <- stats::setNames(colSums(counted$counts), count_names)
  if (n_strata > 1L && keeps_strata(options, n_strata)) {
    counts <- matrix(counted$counts, n_strata, dimnames = list(NULL, count_names))
  }
  shaped <- list(
    concordance = counted$concordance,
    count = counts,
    n = nrow(rows$y),
    var = if (options$std.err) counted$var,
    cvar = if (options$std.err) counted$cvar,
    dfbeta = if (options$influence %in% c(1, 3)) half_by_cluster(counted$dfbeta, rows),
    influence = if (options$influence >= 2) counted$influence
  )
  shaped <- shaped[!vapply(shaped, is.null, NA)]
  if (options$reverse) reverse_concordance(shaped) else shaped
}

half_by_cluster <- function(dfbeta, rows) {
  names(dfbeta) <- names(rows$weights)
  if (length(rows$cluster) > 0L) {
    dfbeta <- tapply(dfbeta, rows$cluster, sum)
    dfbeta[is.na(dfbeta)] <- 0
  }
  dfbeta / 2
}

# The predictor counts the other way round: a high one goes with a short survival.
reverse_concordance <- function(shaped) {
  swapped <- c(2L, 1L, 3L, 4L, 5L)
  shaped$concordance <- 1 - shaped$concordance
  if (is.matrix(shaped$count)) {
    shaped$count[] <- shaped$count[, swapped]
  } else {
    shaped$count[] <- shaped$count[swapped]
  }
  if (!is.null(shaped$dfbeta)) shaped$dfbeta <- -shaped$dfbeta
  if (!is.null(shaped$influence)) shaped$influence[] <- shaped$influence[, swapped]
  shaped
}

# What a fit gets that does without.
no_concordance <- function(...) {
  list(
    concordance = NA_real_, count = stats::setNames(rep(NA_real_, 5L), count_names),
    var = NA_real_
  )
}

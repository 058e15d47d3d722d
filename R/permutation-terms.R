# Which terms of a model a permutation test is of.

# The terms to test, list(name = labels), from what the user gave: NULL, a vector of labels, or
# a list of vectors of labels to test jointly.
tested_terms <- function(fit, terms, call = rlang::caller_env()) {
  labels <- names(fit$assign)
  if (is.null(terms)) {
    terms <- intersect(stats::drop.scope(fit$terms), labels)
  }
  sets <- as.list(terms)
  check_labels(terms, sets, labels, call)
  given <- rlang::names2(sets)
  joined <- vapply(sets, paste, "", collapse = " + ")
  names(sets) <- ifelse(nzchar(given), given, joined)
  for (name in names(sets)) check_marginality(sets[[name]], fit, call)
  sets
}

check_labels <- function(terms, sets, labels, call) {
  strings <- length(sets) > 0L &&
    all(vapply(sets, function(set) is.character(set) && length(set) > 0L, NA))
  if (!strings) {
    abort_resampling(
      c(
        "{.arg terms} must be labels of terms, not {.obj_type_friendly {terms}}.",
        i = "The model has {.val {labels}}. A list of vectors tests terms jointly."
      ),
      call
    )
  }
  unknown <- setdiff(unlist(sets), labels)
  if (length(unknown) > 0L) {
    abort_resampling(
      c(
        "{.arg terms}: the model has no term {.val {unknown}}.",
        i = "It has {.val {labels}}."
      ),
      call
    )
  }
  twice <- unlist(sets)[duplicated(unlist(sets))]
  if (length(twice) > 0L) {
    abort_resampling(
      c("{.arg terms} has {.val {twice}} twice.", i = "Give each term once."), call
    )
  }
}

# A main effect is no hypothesis of its own while its interaction stays in the model.
check_marginality <- function(set, fit, call) {
  factors <- attr(fit$terms, "factors") > 0
  for (label in set) {
    parts <- factors[, label]
    holds <- colSums(factors[parts, , drop = FALSE]) == sum(parts)
    above <- setdiff(intersect(colnames(factors)[holds], names(fit$assign)), set)
    if (length(above) > 0L) {
      abort_resampling(
        c(
          "{.arg terms}: {.val {label}} cannot be tested while {.val {above}} stays in the model.",
          i = "Test them jointly, {.code terms = list({deparse(c(set, above))})}, or fit a model
               without the interaction."
        ),
        call
      )
    }
  }
}

# Columns of each of the tested terms among those with a coefficient.
term_columns <- function(fit, sets, estimated, call = rlang::caller_env()) {
  kept <- which(estimated)
  columns <- lapply(sets, function(set) which(kept %in% unlist(fit$assign[set])))
  empty <- names(sets)[lengths(columns) == 0L]
  if (length(empty) > 0L) {
    abort_resampling(
      c(
        "{.arg terms}: {.val {empty}} has no coefficient of its own in the fit.",
        i = "Its columns are combinations of others: test another term."
      ),
      call
    )
  }
  columns
}

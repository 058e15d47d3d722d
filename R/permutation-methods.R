# What is printed of a permutation test, and its other forms.

#' @export
print.permutation_test <- function(x, digits = max(3L, getOption("digits") - 3L), ...) {
  cat("\n\tPermutation test, ", statistic_name(x$type), " statistic\n\n", sep = "")
  writeLines(strwrap(paste(deparse(x$formula), collapse = " "), exdent = 2L))
  cat(describe_permutations(x), "\n\n", sep = "")
  several <- length(x$df) > 1L
  table <- cbind(
    chisq = format(x$statistic, digits = digits), df = format(x$df),
    `p-value` = format.pval(x$p.value, digits = digits),
    adjusted = if (several) format.pval(x$p.adjusted, digits = digits)
  )
  rownames(table) <- names(x$df)
  print(table, quote = FALSE, right = TRUE, ...)
  cat("\n")
  failed <- x$failed[x$failed > 0L]
  if (length(failed) > 0L) {
    cat(
      "No statistic, counted as larger: ",
      paste0(failed, " (", names(failed), ")", collapse = ", "), "\n",
      sep = ""
    )
  }
  if (several) cat("adjusted: by max-T, for the hypothesis that no term has an effect\n")
  writeLines(strwrap(describe_exactness(x), exdent = 2L))
  invisible(x)
}

statistic_name <- function(type) {
  switch(type,
    score = "score",
    lrt = "likelihood ratio",
    wald = "Wald"
  )
}

describe_permutations <- function(test) {
  within <- if (test$stratified) " within strata" else ""
  how <- if (is.null(test$seed)) "given" else sprintf("seed %.0f", test$seed)
  sprintf("%d permutations of %d subjects%s, %s", test$R, test$n_subjects, within, how)
}

describe_exactness <- function(test) {
  if (any(test$adjusted)) {
    paste(
      "The test is exact if a term depends neither on the other covariates nor on entry or",
      "censoring, and approximate otherwise."
    )
  } else {
    "The test is exact if entry and censoring do not depend on the term, else approximate."
  }
}

#' A permutation test as a data frame
#'
#' `as.data.frame()` has the statistics of the permuted data, `tidy()` (of the packages
#' generics and broom) a row for each term.
#'
#' @param x A test, as [permutation_test()] makes it.
#' @param row.names,optional,... Not used.
#' @return Data frames. `as.data.frame()`: `permutation`, `term`, `statistic`. `tidy()`: `term`,
#'   `statistic`, `df`, `p.value`, `p.adjusted`, `p.stepdown`.
#' @seealso [permutation_test()]
#' @examplesIf survivalGPU:::python_ready()
#' library(survival)
#' fit <- coxphGPU(Surv(time, status) ~ age + sex, data = lung, device = "cpu")
#' head(as.data.frame(permutation_test(fit, R = 100, seed = 1)))
#' @export
as.data.frame.permutation_test <- function(x, row.names = NULL, # nolint: object_name_linter.
                                           optional = FALSE, ...) {
  data.frame(
    permutation = rep(seq_len(x$R), ncol(x$null)),
    term = rep(colnames(x$null), each = x$R),
    statistic = as.double(x$null)
  )
}

#' @rdname as.data.frame.permutation_test
#' @exportS3Method generics::tidy
tidy.permutation_test <- function(x, ...) { # nolint: object_name_linter. A method's.
  data.frame(
    term = names(x$statistic), statistic = unname(x$statistic), df = unname(x$df),
    p.value = unname(x$p.value), p.adjusted = unname(x$p.adjusted),
    p.stepdown = unname(x$p.stepdown)
  )
}

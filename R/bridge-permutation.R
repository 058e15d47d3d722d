# The bridge of permutation tests: see R/bridge.R.

# A test of some terms of `rows`, list(name = columns from 1), and its statistics of the data.
# It is Python's: for the time of one call only, never a part of a result.
prepare_permutation_test <- function(rows, terms, statistic, control, device) {
  made <- call_python("prepare the permutation test", function(api) {
    api$permutation_test(
      rows = resampled_rows(rows),
      ties = rows$ties,
      device = device,
      control = reticulate::dict(
        iter_max = as.integer(control$iter.max),
        eps = as.double(control$eps),
        toler_chol = as.double(control$toler.chol)
      ),
      terms = reticulate::dict(
        names = as.list(names(terms)),
        columns = numpy_vector(as.integer(unlist(terms)) - 1L),
        sizes = numpy_vector(lengths(terms, use.names = FALSE)),
        convert = FALSE
      ),
      statistic = statistic
    )
  })
  list(test = made$test, observed = as.double(made$observed))
}

# Statistics, permutations by terms, of the permutations `first`, first + 1, ... (from 0).
drawn_statistics <- function(test, seed, first, number) {
  plain_statistics(call_python("compute the permutation test", function(api) {
    api$drawn_statistics(test, as.double(seed), as.integer(first), as.integer(number))
  }))
}

# Those of given permutations, one a column, of the subjects numbered from 1.
given_statistics <- function(test, donors) {
  plain_statistics(call_python("compute the permutation test", function(api) {
    api$given_statistics(test, numpy_matrix(donors - 1))
  }))
}

plain_statistics <- function(result) {
  statistics <- result$statistics
  # Python's missing number
  statistics[is.nan(statistics)] <- NA_real_
  statistics
}

# How many terms to test together.
terms_at_once <- function(x) {
  as.integer(call_python("prepare the permutation test", function(api) {
    api$terms_at_once(nrow(x), ncol(x))
  })$number)
}

# P-values of the terms, list(each =, adjusted =, stepdown =); permutations without a
# statistic count as larger than the data.
permutation_p_values <- function(observed, null, df) {
  found <- call_python("compute the p-values", function(api) {
    api$permutation_p_values(
      numpy_vector(as.double(observed)), numpy_matrix(null), numpy_vector(as.double(df))
    )
  })
  lapply(found[c("each", "adjusted", "stepdown")], as.double)
}

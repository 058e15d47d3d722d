# Many fits of one model: resamples of its subjects, permutations of a covariate. survival has no
# function for it, so a loop of coxph() stands against ours: the loop makes the first
# `loop` of `replicates`, and its time is multiplied.
#
# Ours draws by itself when it is timed, so what is compared is another call (`check`), on draws
# that both are given.

# A prepared call with what the worker needs to know of it: `check`, a function whose value is
# compared in place of the call's own, and `loop`, how many replicates the call makes.
prepared <- function(call, check = NULL, loop = NULL) {
  structure(call, check = check, loop = loop)
}

# ---- draws that both are given -------------------------------------------------------------------

subject_of_row <- function(case, rows) {
  if (case$counting) match(rows$id, unique(rows$id)) else seq_len(nrow(rows))
}

# How often each subject is in each resample: subjects by resamples.
given_frequencies <- function(n_subjects, n_resamples) {
  set.seed(21)
  vapply(seq_len(n_resamples), function(b) {
    tabulate(sample.int(n_subjects, n_subjects, TRUE), n_subjects)
  }, integer(n_subjects))
}

# The donors of the first covariate's values in each permutation: rows by permutations.
given_permutations <- function(n_rows, n_permutations) {
  set.seed(21)
  vapply(seq_len(n_permutations), function(b) sample.int(n_rows), integer(n_rows))
}

# ---- a loop of coxph() ---------------------------------------------------------------------------

# What a user would write: each subject's rows as often as it was drawn, fitted anew.
loop_of_resamples <- function(case, rows) {
  subject <- subject_of_row(case, rows)
  frequencies <- given_frequencies(max(subject), case$loop)
  formula <- cox_formula(case, names(rows), environment())
  prepared(loop = case$loop, function() {
    t(vapply(seq_len(case$loop), FUN.VALUE = double(case$columns), function(b) {
      drawn <- rows[rep(seq_along(subject), frequencies[subject, b]), ]
      stats::coef(survival::coxph(formula, data = drawn, ties = case$ties))
    }))
  })
}

# Score statistics of the first covariate: no iterations, the others at their estimates without it.
loop_of_permutations <- function(case, rows) {
  donors <- given_permutations(nrow(rows), case$loop)
  formula <- cox_formula(case, names(rows), environment())
  null <- survival::coxph(stats::update(formula, ~ . - x1), data = rows, ties = case$ties)
  init <- c(0, stats::coef(null))
  prepared(loop = case$loop, function() {
    vapply(seq_len(case$loop), FUN.VALUE = 0, function(b) {
      permuted <- rows
      permuted$x1 <- rows$x1[donors[, b]]
      survival::coxph(formula, data = permuted, ties = case$ties, init = init, iter.max = 0)$score
    })
  })
}

loops <- list(bootstrap = loop_of_resamples, permutation = loop_of_permutations)

# ---- ours ----------------------------------------------------------------------------------------

our_resamples <- function(case, rows) {
  model <- cox_call(case, rows, "coxphGPU")
  if (case$counting) model$call$id <- quote(id)
  fit <- eval(model$call, model$scope)
  frequencies <- given_frequencies(max(subject_of_row(case, rows)), case$loop)
  prepared(
    function() bootstrap(fit, R = case$replicates, seed = 1)$bootstrap$coefficients,
    check = function() bootstrap(fit, frequencies = frequencies)$bootstrap$coefficients
  )
}

our_permutations <- function(case, rows) {
  model <- cox_call(case, rows, "coxphGPU")
  fit <- eval(model$call, model$scope)
  donors <- given_permutations(nrow(rows), case$loop)
  prepared(
    function() permutation_test(fit, "x1", R = case$replicates, seed = 1)$null,
    check = function() permutation_test(fit, "x1", permutations = donors)$null
  )
}

our_replicates <- list(bootstrap = our_resamples, permutation = our_permutations)

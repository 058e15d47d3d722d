#' Permutation tests of the terms of a Cox model
#'
#' Tests whether terms of a Cox model have an effect, against the distribution that their
#' statistics have when subjects' values of the terms are permuted: no large-sample theory,
#' and p-values adjusted for testing several terms that use how these depend on each other.
#'
#' @details
#' # What is permuted
#' A permutation gives each subject the values that another one, its donor, has in the
#' columns of the tested terms. All else stays with the subject: follow-up, events, case
#' weight and the other covariates. All tested terms are permuted by the same permutation.
#'
#' The terms must be constant within subjects. A term that changes over time is refused: the
#' donor's history is not known beyond the donor's own follow-up. The other covariates may
#' change. By default subjects change places within the strata of the model only (where
#' rows of a subject are in several, with subjects whose rows are in the same ones);
#' `strata` gives further groups to keep to.
#'
#' # The hypothesis, and when the test is exact
#' The hypothesis is that the term has no effect on the hazard given the other terms. The test
#' is exact, for any number of subjects, if then the term's values are exchangeable among
#' subjects given all the rest: when they do not depend on the other covariates, nor on
#' when a subject enters or is censored, as after randomisation. Otherwise it is approximate:
#' the statistics are divided by their variance under each permutation, and tests of
#' statistics so made hold their level in large samples also where the censoring depends on
#' the term (Neuhaus 1993). `print()` says which case it is.
#'
#' Statistics use the model's own variance, also where a subject has several events: that these
#' depend on each other is in the permutation distribution, since subjects are permuted whole.
#'
#' Case weights must be equal among subjects that change places: give the weights as `strata`
#' to permute among subjects of equal weight. A main effect is refused while its interaction
#' stays in the model: test both jointly. The donor's product with a covariate is then
#' permuted as it is.
#'
#' # Statistics
#' All are chi-square statistics with as many degrees of freedom as the term has coefficients.
#' - `"score"`: with the null model fitted once, without the term, martingale residuals
#'   \eqn{m_i} and risks stay fixed, and
#'   \deqn{U = \sum_i x_i w_i m_i, \quad
#'     V = I_{xx} - I_{xz} I_{zz}^{-1} I_{zx}, \quad \chi^2 = U' V^{-1} U}
#'   with the information \eqn{I} of the null model, Efron's ties included. No fit is made
#'   again. For a term alone in the model it is the score (logrank) test of
#'   [survival::coxph()].
#' - `"lrt"`: twice the difference of the log partial likelihoods, the model fitted to each
#'   permutation.
#' - `"wald"`: \eqn{\hat\beta' \hat V^{-1} \hat\beta} of the term's coefficients, fitted
#'   likewise. A permutation whose fit does not converge has none, and counts against the
#'   hypothesis being rejected.
#'
#' # P-values
#' With \eqn{b} of \eqn{R} permutations giving a statistic at least as large as the data's,
#' \eqn{p = (1 + b) / (1 + R)}, which is never 0 and holds its level at any \eqn{R} (Phipson
#' and Smyth 2010). `p.adjusted` is the single-step max-T p-value of Westfall and Young
#' (1993): the largest of the terms' statistics in each permutation is what each is compared
#' with, on the scale of \eqn{-\log} of chi-square's p-value so that degrees of freedom may
#' differ. It controls the probability of any false rejection when no term has an effect (the
#' complete null hypothesis), since all terms are permuted together. `p.stepdown`, its
#' step-down form, is never larger, and controls it also when some terms have an effect, if the
#' statistics of the others are distributed as they are under the complete null.
#'
#' # Draws
#' A permutation depends on the seed and on its number only, not on the device, the batch
#' size or the number of threads. Without `seed`, R's generator draws it, so that
#' [set.seed()] governs. Batches take about a second; between two, the progress bar moves
#' (`options(survivalGPU.progress = FALSE)` hides it) and Ctrl-C is heard.
#'
#' Multi-state models, penalised terms, `tt()` terms and exact ties are refused with the
#' reason.
#'
#' @param fit A fit of [coxphGPU()] or [survival::coxph()]. Its data are looked up where the
#'   formula was written.
#' @param terms Labels of terms of the model, each tested; a list of vectors of labels to
#'   test the terms of each jointly. `NULL`: all terms that [stats::drop1()] would drop.
#' @param R Number of permutations.
#' @param statistic `"score"`, `"lrt"` or `"wald"`.
#' @param strata Groups of subjects within which to permute: a vector over the rows or the
#'   name of a variable of the data, constant within subjects.
#' @param id Whose row each is: a vector, or the name of a variable of the data. By default
#'   the `id` of the fit, else its `cluster`, else each row is a subject, which (start, stop]
#'   data do not allow.
#' @param seed A whole number from 0; `NULL` draws one by R's generator.
#' @param permutations A matrix, subjects by permutations, in place of drawing: the number,
#'   in order of first appearance, of each subject's donor.
#' @param device `"auto"`, `"cpu"`, `"cuda"` or `"cuda:N"`; `NULL`, the default, takes the
#'   device of a [coxphGPU()] fit, else the option `survivalGPU.device`.
#' @param ... Options of [survival::coxph.control()] in place of those of the fit.
#' @return An object of class `"permutation_test"`, a list of
#'   - `statistic`, `df`: of each term, chi-square statistics of the data.
#'   - `p.value`, `p.adjusted`, `p.stepdown`: by permutation, see above; `p.chisq`: of the
#'     chi-square distribution, for comparison.
#'   - `null`: a matrix, permutations by terms, the statistics of the permuted data.
#'   - `failed`: of each term, the permutations without a statistic.
#'   - `R`, `seed`, `type` (the statistic), `terms`, `n_subjects`, `adjusted` (for each term,
#'     whether other covariates are in the model), `stratified`, `formula`, `call`.
#'
#'   It holds no data and no Python object.
#' @references
#' Neuhaus G (1993). Conditional rank tests for the two-sample problem under random
#' censorship. *Annals of Statistics* 21, 1760-1779.
#'
#' Phipson B, Smyth GK (2010). Permutation p-values should never be zero. *Statistical
#' Applications in Genetics and Molecular Biology* 9, 39.
#'
#' Westfall PH, Young SS (1993). *Resampling-Based Multiple Testing*. Wiley.
#' @seealso [plot()][plot.permutation_test] for the null distribution, [bootstrap()] for
#'   intervals.
#' @examplesIf survivalGPU:::python_ready()
#' library(survival)
#' fit <- coxphGPU(Surv(time, status) ~ age + sex, data = lung, device = "cpu")
#' test <- permutation_test(fit, R = 500, seed = 1)
#' test
#' plot(test)
#' @export
permutation_test <- function(fit, terms = NULL, R = 1000, ...) { # nolint: object_name_linter.
  UseMethod("permutation_test")
}

#' @rdname permutation_test
#' @export
permutation_test.default <- function(fit, terms = NULL, R = 1000, # nolint: object_name_linter.
                                     ...) {
  check_resampled_fit(fit)
}

#' @rdname permutation_test
#' @export
permutation_test.coxph <- function( # nolint: object_name_linter.
    fit, terms = NULL, R = 1000, # nolint: object_name_linter.
    statistic = c("score", "lrt", "wald"), strata = NULL, id = NULL,
    seed = NULL, permutations = NULL, device = NULL, ...) {
  user_call <- sys.call()
  call <- match.call()
  call[[1L]] <- quote(permutation_test)
  frame <- environment()
  statistic <- rlang::arg_match(statistic)
  check_replicates(R, frame)
  check_seed(seed, frame)
  check_resampled_fit(fit, frame)
  sets <- tested_terms(fit, terms, frame)
  device <- resolve_device(if (is.null(device)) device_of(fit) else requested_device(device))
  rows <- subject_rows(fit, substitute(id), substitute(strata), parent.frame(), frame)
  columns <- term_columns(fit, sets, rows$estimated, frame)
  n_subjects <- max(rows$subjects) + 1L
  check_permutations(permutations, n_subjects, frame)
  if (is.null(permutations)) {
    seed <- seed %||% draw_seed()
  } else {
    seed <- NULL
    R <- ncol(permutations) # nolint: object_name_linter. The argument's name.
  }
  control <- fit_control(fit, list(...), frame)
  draws <- list(R = R, seed = seed, permutations = permutations)
  statistics <- relabel_conditions(
    permuted_statistics(rows, columns, statistic, control, device, draws),
    from = function(cnd) inherits(cnd, "survivalGPU_error") && is.null(conditionCall(cnd)),
    call = function(own) user_call
  )
  new_permutation_test(
    statistics, lengths(columns),
    list(
      R = as.integer(R), seed = seed, type = statistic, terms = sets, n_subjects = n_subjects,
      adjusted = lengths(columns) < ncol(rows$x),
      stratified = !is.null(rows$strata) || !is.null(rows$resampling_strata),
      formula = stats::formula(fit), call = call
    )
  )
}

check_permutations <- function(permutations, n_subjects, call) {
  if (is.null(permutations)) {
    return(invisible())
  }
  whole <- is.matrix(permutations) && is.numeric(permutations) &&
    nrow(permutations) == n_subjects && ncol(permutations) > 0L
  right <- whole && all(apply(permutations, 2L, function(donors) {
    identical(sort(as.double(donors)), as.double(seq_len(n_subjects)))
  }))
  if (!right) {
    abort_resampling(
      c(
        "{.arg permutations} must be a matrix whose columns are permutations of the
         {n_subjects} subject{?s}.",
        i = "Each holds the numbers from 1 to {n_subjects}: the donor of each subject."
      ),
      call
    )
  }
}

# Statistics of the data, and of the permutations: list(observed =, null =). As many terms are
# tested together as memory allows.
permuted_statistics <- function(rows, columns, statistic, control, device, draws) {
  together <- terms_at_once(rows$x)
  blocks <- split(columns, (seq_along(columns) - 1L) %/% together)
  bar <- progress_bar("Permutations ", draws$R * length(blocks))
  parts <- lapply(seq_along(blocks), function(i) {
    made <- prepare_permutation_test(rows, blocks[[i]], statistic, control, device)
    before <- (i - 1) * draws$R
    made$null <- permutation_batches(made$test, draws, function(done) bar$update(before + done))
    made
  })
  list(
    observed = unlist(lapply(parts, `[[`, "observed")),
    null = do.call(cbind, lapply(parts, `[[`, "null"))
  )
}

permutation_batches <- function(test, draws, progress) {
  batches <- list()
  done <- 0L
  number <- first_batch
  while (done < draws$R) {
    number <- min(number, draws$R - done)
    begun <- proc.time()[["elapsed"]]
    batches[[length(batches) + 1L]] <- if (is.null(draws$permutations)) {
      drawn_statistics(test, draws$seed, done, number)
    } else {
      given_statistics(test, draws$permutations[, done + seq_len(number), drop = FALSE])
    }
    done <- done + number
    progress(done)
    number <- next_batch(number, proc.time()[["elapsed"]] - begun, draws$R)
  }
  do.call(rbind, batches)
}

new_permutation_test <- function(statistics, df, rest) {
  named <- function(values) stats::setNames(values, names(df))
  null <- statistics$null
  colnames(null) <- names(df)
  p <- permutation_p_values(statistics$observed, null, df)
  structure(
    c(
      list(
        statistic = named(statistics$observed), df = df,
        p.value = named(p$each), p.adjusted = named(p$adjusted), p.stepdown = named(p$stepdown),
        p.chisq = named(stats::pchisq(statistics$observed, df, lower.tail = FALSE)),
        null = null, failed = colSums(is.na(null))
      ),
      rest
    ),
    class = "permutation_test"
  )
}

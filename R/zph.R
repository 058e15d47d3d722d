# The test of proportional hazards: survival's cox.zph() is no generic, so this one stands
# before it.

#' Test the proportional hazards assumption of a Cox model
#'
#' [survival::cox.zph()] with the same arguments and result. For fits of [coxphGPU()]
#' the sums over risk sets are computed on the fit's device; any other fit goes to
#' survival's function. The result has survival's class, so that `print()`, `plot()` and
#' `[` are survival's.
#'
#' @details
#' The model is widened by \eqn{x\,g(t)} for each covariate, with \eqn{g} the transform,
#' centred at its mean over the events, and the score test for its coefficients is made
#' at 0. Its score is \eqn{\sum_i w_i g(t_i) s_i} over the events with Schoenfeld
#' residuals \eqn{s_i}, and the blocks of its information are \eqn{\sum_k V_k},
#' \eqn{\sum_k g(t_k) V_k} and \eqn{\sum_k g(t_k)^2 V_k}, where \eqn{V_k} is what event
#' time \eqn{k} adds to the information.
#'
#' Penalised, multi-state and `coxme` fits are left to survival, as are fits whose data
#' have changed since; so are its errors, for null models and models with `tt()`.
#'
#' @param fit A fit of [coxphGPU()], `coxph()` or `coxme::coxme()`.
#' @param transform `"km"`, `"rank"`, `"identity"`, `"log"`, or a function of the times.
#' @param terms Whether to test by term of the model, and not by coefficient.
#' @param singledf Whether a term of several coefficients has one degree of freedom.
#' @param global Whether to add a test for all terms together.
#' @return An object of class `"cox.zph"`: see [survival::cox.zph()].
#' @references
#' Grambsch P, Therneau T (1994). Proportional hazards tests and diagnostics based on
#' weighted residuals. *Biometrika* 81, 515-526.
#' @seealso [residuals.coxphGPU()] for the Schoenfeld residuals themselves.
#' @examplesIf survivalGPU:::python_ready()
#' library(survival)
#' fit <- coxphGPU(Surv(time, status) ~ karno + celltype, data = veteran, device = "cpu")
#' zph <- cox.zph(fit)
#' zph
#' plot(zph[1])
#' @export
cox.zph <- function(fit, transform = "km", terms = TRUE, # nolint: object_name_linter.
                    singledf = FALSE, global = TRUE) {
  call <- match.call()
  data <- zph_data(fit, transform, terms)
  if (is.null(data)) {
    return(survivals_zph(sys.call(), parent.frame(), call))
  }
  name <- if (is.character(transform)) transform else deparse(substitute(transform))
  sums <- cox_zph_sums(
    data$rows, if (is.null(data$given)) transform else "given", data$given, device_of(fit)
  )
  asgn <- data$terms
  scaled <- zph_residuals(sums, asgn, data$coefficients, terms)
  zph <- list(
    table = zph_table(sums, asgn, data$coefficients, terms && singledf, global),
    x = sums$x,
    time = unname(data$times[sums$rows])
  )
  if (length(data$rows$strata)) zph$strata <- data$rows$strata[sums$rows]
  dimnames(scaled$residuals) <- list(signif(zph$time, 4), names(asgn))
  zph$y <- scaled$residuals
  zph$var <- solve(scaled$variance)
  zph$transform <- if (length(name) > 1) "user" else name
  zph$call <- call
  structure(zph, class = "cox.zph")
}

# What the core needs, and the terms and coefficients of the columns kept; NULL where the
# fit or the transform is survival's.
zph_data <- function(fit, transform, terms) {
  if (!core_zph(fit) || !is_zph_transform(transform)) {
    return(NULL)
  }
  rows <- residual_data(fit)
  if (is.null(rows)) refuse_changed_data(fit)
  asgn <- zph_terms(fit, terms)
  times <- rows$y[, ncol(rows$y) - 1L]
  given <- given_transform(transform, times)
  if (is.null(rows) || is.null(asgn) || !all(is.finite(given))) {
    return(NULL)
  }
  kept <- !is.na(fit$coefficients)
  if (!all(kept)) rows$x <- rows$x[, kept, drop = FALSE]
  rows$ties <- if (fit$method == "efron") "efron" else "breslow"
  list(
    rows = rows, terms = asgn, coefficients = fit$coefficients[kept], times = times, given = given
  )
}

core_zph <- function(fit) {
  inherits(fit, "coxphGPU") && is_core_fit(fit) && is.list(fit$assign) &&
    length(attr(fit$terms, "specials")$tt) == 0
}

is_zph_transform <- function(transform) {
  is.function(transform) ||
    (rlang::is_string(transform) && transform %in% c("km", "rank", "identity", "log"))
}

# survival's compiled code would read beyond the end of the rows there are.
refuse_changed_data <- function(fit, call = rlang::caller_env()) {
  if (all(is.finite(fit$linear.predictors))) {
    cli::cli_abort(
      c(
        "{.arg fit}: its data have changed and no longer give the rows and columns of the fit.",
        i = "Fit the model again, with {.code x = TRUE} to keep the rows in the fit."
      ),
      class = c("survivalGPU_changed_data", "survivalGPU_error"),
      call = call
    )
  }
}

# The transformed times where R makes them; the core makes the others.
given_transform <- function(transform, times) {
  if (is.function(transform)) {
    transform(times)
  } else {
    switch(transform,
      identity = times,
      log = log(times)
    )
  }
}

# survival's function on the caller's own call, which is in its result and its errors.
survivals_zph <- function(call, frame, matched) {
  scope <- new.env(parent = frame)
  scope$cox.zph <- survival::cox.zph
  call[[1L]] <- quote(cox.zph)
  zph <- eval(call, scope)
  zph$call[[1L]] <- matched[[1L]]
  zph
}

# Columns of each term among those with a coefficient, by name; NULL where survival's own
# list of them would not be one.
zph_terms <- function(fit, terms) {
  columns <- names(fit$coefficients)
  asgn <- if (terms) fit$assign else stats::setNames(as.list(seq_along(columns)), columns)
  kept <- which(!is.na(fit$coefficients))
  if (length(kept) == length(columns)) {
    return(asgn)
  }
  asgn <- lapply(asgn, function(term) which(kept %in% term))
  sizes <- lengths(asgn)
  if (length(kept) > 0 && (sizes[1L] < 2L || any(sizes != sizes[1L]))) {
    asgn[sizes > 0L]
  }
}

zph_table <- function(sums, asgn, coefficients, singledf, global) {
  p <- length(coefficients)
  first <- seq_len(p)
  by_term <- lapply(unname(asgn), function(term) {
    information <- sums$imat[c(first, term + p), c(first, term + p)]
    u <- c(rep(0, p), sums$u[term + p])
    if (singledf && length(term) > 1L) {
      variance <- solve(information)[-first, -first]
      b <- coefficients[term]
      c(sum(b * sums$u[term + p])^2 * (b %*% variance %*% b), 1)
    } else {
      c(drop(solve(information, u) %*% u), length(term))
    }
  })
  if (global) {
    u <- c(rep(0, p), sums$u[-first])
    by_term <- c(by_term, list(c(drop(solve(sums$imat, u) %*% u), p)))
  }
  test <- vapply(by_term, function(row) row[1L], 0)
  df <- vapply(by_term, function(row) row[2L], 0)
  matrix(
    c(test, df, stats::pchisq(test, df, lower.tail = FALSE)),
    ncol = 3L,
    dimnames = list(c(names(asgn), if (global) "GLOBAL"), c("chisq", "df", "p"))
  )
}

# Schoenfeld residuals by term, scaled by the mean variance of the strata in which the
# term varies, and that variance.
zph_residuals <- function(sums, asgn, coefficients, terms) {
  used <- sums$used
  for (term in asgn) {
    if (length(term) > 1L) used[, term] <- do.call(pmax, columns_of(used[, term, drop = FALSE]))
  }
  events <- crossprod(used > 0, used)
  information <- sums$imat[seq_along(coefficients), seq_along(coefficients), drop = FALSE]
  variance <- information / ifelse(events == 0, 1, events)
  residuals <- sums$schoen
  if (terms && any(lengths(asgn) > 1L)) {
    combined <- vapply(asgn, FUN.VALUE = coefficients, function(term) {
      weights <- if (length(term) == 1L) 1 else coefficients[term]
      replace(0 * coefficients, term, weights)
    })
    combined <- matrix(combined, length(coefficients))
    residuals <- residuals %*% combined
    variance <- t(combined) %*% variance %*% combined
    used <- used[, vapply(asgn, function(term) term[1L], 0L), drop = FALSE]
  }
  residuals <- scale_by_stratum(residuals, used, variance)
  for (i in seq_along(asgn)) {
    shift <- if (length(asgn[[i]]) == 1L) coefficients[asgn[[i]]] else 1
    residuals[, i] <- residuals[, i] + shift
  }
  list(residuals = residuals, variance = variance)
}

columns_of <- function(values) {
  lapply(seq_len(ncol(values)), function(j) values[, j])
}

# Strata in which the same terms vary are scaled together; NA for terms that do not. As in
# survival, a stratum in which none does takes no residuals of the list.
scale_by_stratum <- function(residuals, used, variance) {
  varies <- used > 0
  if (all(varies)) {
    return(t(solve(variance, t(residuals))))
  }
  pattern <- do.call(paste0, columns_of(varies + 0L))
  stratum <- rep(seq_len(nrow(used)), do.call(pmax, columns_of(used)))
  for (one in unique(pattern[stratum])) {
    rows <- which(pattern[stratum] == one)
    terms <- which(varies[match(one, pattern), ])
    scaled <- t(solve(variance[terms, terms], t(residuals[rows, terms, drop = FALSE])))
    residuals[rows, terms] <- scaled
    residuals[rows, -terms] <- NA
  }
  residuals
}

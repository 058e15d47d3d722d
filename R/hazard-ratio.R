#' Hazard ratio of two histories of exposure
#'
#' @details
#' With the weight function \eqn{w} of the model, the log hazard ratio of the doses \eqn{x}
#' against the doses \eqn{y} is \eqn{\sum_u w(u) (x_u - y_u)}, equation (8) of Sylvestre and
#' Abrahamowicz (2009).
#'
#' The interval `"wald"` is the estimate plus and minus normal quantiles of its standard error,
#' that of a linear combination of coefficients, on the log scale; it takes the model as given.
#' The others are those of a bootstrap, see [confint()][confint.coxphGPU], on the log scale, by
#' the model that each resample chose or, with `reselect = FALSE` or `allres = TRUE`, by the
#' model in question.
#'
#' @param object A fit made by [wceGPU()].
#' @param exposed,unexposed Doses of the last days, the current day first: as many as the
#'   cutoff, or a matrix with such a history in each row. One history is compared with all
#'   of the other argument.
#' @param allres Whether to give the hazard ratio by each model and not by the best only.
#' @param conf.int Level of the confidence interval, by default that of the fit.
#' @param type `"wald"`, `"percentile"`, `"basic"` or `"normal"`; by default `"percentile"`
#'   with a bootstrap and `"wald"` without.
#' @param reselect Whether each resample goes by the model that it chose.
#' @param ... Ignored.
#' @return A matrix with the columns `HR`, `lower` and `upper` and one row per history, or with
#'   `allres = TRUE` per model and history.
#' @references
#' Sylvestre MP, Abrahamowicz M (2009). Flexible modeling of the cumulative effects of
#' time-dependent exposures on the hazard. *Statistics in Medicine* 28, 3437-3453.
#' @seealso [wceGPU()]
#' @export
HR <- function(object, ...) { # nolint: object_name_linter.
  UseMethod("HR")
}

#' @rdname HR
#' @export
HR.wceGPU <- function(object, exposed, unexposed = 0 * exposed, # nolint: object_name_linter.
                      allres = FALSE, conf.int = object$confint, # nolint: object_name_linter.
                      type = NULL, reselect = TRUE, ...) {
  contrast <- contrast_of(
    history_matrix(exposed, "exposed", ncol(object$WCEmat)),
    history_matrix(unexposed, "unexposed", ncol(object$WCEmat))
  )
  check_interval_level(conf.int, "conf.int")
  check_flag(reselect, "reselect")
  type <- wce_interval_type(object, type)
  by_model <- lapply(chosen_models(object, allres), function(model) {
    ratios <- exp(contrast_limits(object, contrast, model, conf.int, type, reselect && !allres))
    colnames(ratios)[1L] <- "HR"
    if (allres || !is.null(rownames(contrast))) {
      rownames(ratios) <- trimws(paste(
        if (allres) names(object$knotsmat)[model], rownames(contrast)
      ))
    }
    ratios
  })
  do.call(rbind, by_model)
}

wce_interval_type <- function(fit, type, call = rlang::caller_env()) {
  if (is.null(type)) {
    return(if (is.null(fit$bootstrap)) "wald" else "percentile")
  }
  type <- rlang::arg_match0(
    type, c("wald", "percentile", "basic", "normal"),
    arg_nm = "type", error_call = call
  )
  if (type != "wald" && is.null(fit$bootstrap)) {
    abort_argument(
      "type", "the fit has no bootstrap.", call,
      remedy = "Fit it with {.arg nbootstraps}, or take {.val wald}."
    )
  }
  type
}

# Estimates and limits of the log hazard ratios of histories: a matrix, one row for each.
contrast_limits <- function(fit, contrast, model, level, type, reselect) {
  log_hr <- log_hazard_ratios(fit, contrast, model)
  limits <- if (type == "wald") {
    reach <- stats::qnorm((1 + level) / 2) * log_hr$se
    cbind(log_hr$estimate - reach, log_hr$estimate + reach)
  } else {
    resampled <- tcrossprod(weights_of_resamples(fit, model, reselect), contrast)
    t(vapply(seq_along(log_hr$estimate), FUN.VALUE = numeric(2L), function(i) {
      interval_of(resampled[, i], log_hr$estimate[[i]], level, type, NA)
    }))
  }
  cbind(estimate = log_hr$estimate, lower = limits[, 1L], upper = limits[, 2L])
}

weights_of_resamples <- function(fit, model, reselect) {
  if (reselect) fit$bootstrap$WCEmat else resampled_weights(fit$bootstrap, fit, model)
}

# Doses as a matrix, one history per row.
history_matrix <- function(doses, argument, cutoff, call = rlang::caller_env()) {
  if (is.numeric(doses) && is.null(dim(doses))) doses <- matrix(doses, nrow = 1L)
  if (!is.matrix(doses) || !is.numeric(doses) || ncol(doses) != cutoff || anyNA(doses)) {
    abort_argument(
      argument,
      paste(
        "it must hold the doses of {cutoff} days, the current day first, or be a matrix of",
        "{cutoff} columns, without missing values."
      ),
      call,
      cutoff = cutoff
    )
  }
  doses
}

contrast_of <- function(exposed, unexposed, call = rlang::caller_env()) {
  n <- max(nrow(exposed), nrow(unexposed))
  if (!all(c(nrow(exposed), nrow(unexposed)) %in% c(1L, n))) {
    abort_argument(
      "unexposed", "it has {nrow(unexposed)} histor{?y/ies} for {nrow(exposed)}.", call,
      exposed = exposed, unexposed = unexposed
    )
  }
  labels <- rownames(if (nrow(exposed) == n) exposed else unexposed)
  every <- function(histories) histories[rep_len(seq_len(nrow(histories)), n), , drop = FALSE]
  contrast <- every(exposed) - every(unexposed)
  rownames(contrast) <- labels
  contrast
}

# Of the histories in the rows of `contrast`, with their standard errors.
log_hazard_ratios <- function(fit, contrast, model) {
  weights <- contrast %*% fit$basis[[model]]
  artificial <- names(fit$est[[model]])
  variance <- fit$vcovmat[[model]][artificial, artificial]
  list(
    estimate = drop(contrast %*% fit$WCEmat[model, ]),
    se = sqrt(rowSums((weights %*% variance) * weights))
  )
}

#' Hazard ratio of two histories of exposure
#'
#' @details
#' With the weight function \eqn{w} of the model, the log hazard ratio of the doses \eqn{x}
#' against the doses \eqn{y} is \eqn{\sum_u w(u) (x_u - y_u)}, equation (8) of Sylvestre and
#' Abrahamowicz (2009). Its standard error is that of a linear combination of coefficients; the
#' interval is symmetric on the log scale. It takes the number of knots as given.
#'
#' @param object A fit made by [wceGPU()].
#' @param exposed,unexposed Doses of the last days, the current day first: as many as the
#'   cutoff, or a matrix with such a history in each row. One history is compared with all
#'   of the other argument.
#' @param allres Whether to give the hazard ratio by each model and not by the best only.
#' @param conf.int Level of the confidence interval.
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
                      allres = FALSE, conf.int = 0.95, ...) { # nolint: object_name_linter.
  contrast <- contrast_of(
    history_matrix(exposed, "exposed", ncol(object$WCEmat)),
    history_matrix(unexposed, "unexposed", ncol(object$WCEmat))
  )
  if (!is_one_number(conf.int) || conf.int <= 0 || conf.int >= 1) {
    abort_argument("conf.int", "it must be a number between 0 and 1.", rlang::current_env())
  }
  z <- stats::qnorm((1 + conf.int) / 2)
  by_model <- lapply(chosen_models(object, allres), function(model) {
    log_hr <- log_hazard_ratios(object, contrast, model)
    ratios <- exp(cbind(
      HR = log_hr$estimate, lower = log_hr$estimate - z * log_hr$se,
      upper = log_hr$estimate + z * log_hr$se
    ))
    if (allres || !is.null(rownames(contrast))) {
      rownames(ratios) <- trimws(paste(
        if (allres) names(object$knotsmat)[model], rownames(contrast)
      ))
    }
    ratios
  })
  do.call(rbind, by_model)
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

# predict() of coxphGPU fits: expected events, terms and standard errors by our engine,
# what else there is by survival's own method.

#' Predictions of a coxphGPU fit
#'
#' [survival::predict.coxph()] with another engine: the arguments and the numbers are
#' survival's. Expected events, survival and their standard errors are computed on the
#' device of the fit, for all strata and all rows at once; so are terms and the standard
#' errors of linear predictors for the rows of a fit without strata and offset.
#'
#' @details
#' The expected number of events of a row \eqn{x} of risk \eqn{r} that is followed over
#' \eqn{(s, t]} is \eqn{r (H(t) - H(s))}, with the cumulative baseline hazard \eqn{H} of its
#' stratum. Its standard error is that of [survfit.coxphGPU()]. Without `newdata` and
#' `se.fit` it is the observed status less the martingale residual; the data of the fit
#' are then not looked at.
#'
#' The device is the one in the call of the fit, else that of the option
#' `survivalGPU.device`. Data of fewer than 5000 rows, multi-state and penalised models,
#' and sessions in which Python or the device is missing take survival's own code: the
#' results are the same.
#'
#' @param object A fit made by [coxphGPU()].
#' @param newdata,type,se.fit,na.action,terms,collapse,reference,... As in
#'   [survival::predict.coxph()].
#' @return A vector or matrix of predictions, or a list with the components `fit` and
#'   `se.fit`; see [survival::predict.coxph()].
#' @examplesIf survivalGPU:::python_ready()
#' library(survival)
#' fit <- coxphGPU(Surv(time, status) ~ age + sex, data = lung, device = "cpu")
#' sum(predict(fit, type = "expected")) # the number of events
#' predict(fit, lung[1:3, ], type = "survival", se.fit = TRUE)
#' @importFrom stats na.pass predict
#' @export
predict.coxphGPU <- function(object, newdata,
                             type = c("lp", "risk", "expected", "terms", "survival"),
                             se.fit = FALSE, na.action = na.pass, # nolint: object_name_linter.
                             terms = names(object$assign), collapse,
                             reference = c("strata", "sample", "zero"), ...) {
  if (!rlang::is_string(type) || !missing(terms) || !is_plain_fit(object)) {
    return(NextMethod())
  }
  predicted <- if (missing(newdata)) {
    predict_in_sample(object, type, se.fit, reference)
  } else if (type %in% c("expected", "survival")) {
    expected_of_new(object, match.call(), na.action, se.fit, parent.frame())
  }
  if (is.null(predicted)) {
    return(NextMethod())
  }
  if (missing(newdata) && !missing(collapse)) predicted$collapse <- collapse
  finish_prediction(predicted, type)
}

predict_in_sample <- function(object, type, se, reference) {
  switch(type,
    expected = ,
    survival = expected_in_sample(object, se),
    linear_in_sample(object, type, se, reference[1L])
  )
}

is_plain_fit <- function(object) {
  specials <- attr(object$terms, "specials")
  identical(class(object), c("coxphGPU", "coxph")) &&
    length(specials$cluster) == 0L && length(specials$tt) == 0L
}

# The prediction of `type` with the rows missing from `fit` and `se` (or NULL) put back,
# and summed by `collapse`.
finish_prediction <- function(predicted, type) {
  if (type == "survival") {
    predicted$se <- if (!is.null(predicted$se)) predicted$se * exp(-predicted$fit)
    predicted$fit <- exp(-predicted$fit)
  }
  n_rows <- NROW(predicted$fit)
  collapse <- predicted$collapse
  parts <- Filter(Negate(is.null), predicted[c("fit", "se")])
  parts <- lapply(parts, stats::napredict, omit = predicted$removed)
  if (!is.null(collapse)) {
    if (length(collapse) != n_rows) stop("Collapse vector is the wrong length", call. = FALSE)
    reduce <- if (type == "terms") identity else drop
    parts$fit <- reduce(rowsum(parts$fit, collapse))
    if (!is.null(parts$se)) parts$se <- sqrt(reduce(rowsum(parts$se^2, collapse)))
  }
  if (is.null(parts$se)) parts$fit else list(fit = parts$fit, se.fit = parts$se)
}

# ---- the rows of the fit ------------------------------------------------------------

fitted_response <- function(object, frame = NULL) {
  object[["y"]] %||% stats::model.extract(frame %||% stats::model.frame(object), "response")
}

# The rows of the fit as the engine takes them. The data are looked up again unless the
# fit has kept its covariates.
fitted_rows <- function(object) {
  strata <- untangled_strata(object)$vars
  frame <- if (!keeps_rows(object, strata)) stats::model.frame(object)
  if (!is.null(frame) && nrow(frame) != length(object$residuals)) {
    stop("Data is not the same size as it was in the original fit", call. = FALSE)
  }
  list(
    y = fitted_response(object, frame),
    x = fitted_covariates(object, frame, strata),
    center = object$means,
    weights = if (!is.null(frame)) stats::model.weights(frame),
    risk = exp(object$linear.predictors),
    strata = if (length(strata) > 0L) object$strata %||% row_strata(frame, strata)
  )
}

fitted_covariates <- function(object, frame, strata) {
  if (keeps_covariates(object, strata)) {
    object[["x"]]
  } else {
    stats::model.matrix(object, data = frame)
  }
}

keeps_rows <- function(object, strata) {
  keeps_covariates(object, strata) && !is.null(object[["y"]])
}

keeps_covariates <- function(object, strata) {
  !is.null(object[["x"]]) && !any(names(object$call) == "weights") &&
    is.null(attr(object$terms, "offset")) && (length(strata) == 0L || !is.null(object$strata))
}

untangled_strata <- function(object) {
  survival::untangle.specials(object$terms, "strata")
}

row_strata <- function(frame, variables) {
  if (length(variables) == 1L) {
    frame[[variables]]
  } else {
    survival::strata(frame[, variables], shortlabel = TRUE)
  }
}

# ---- new rows -----------------------------------------------------------------------

# A call of model.frame() for new rows with the response, to be evaluated where the user
# called predict().
new_frame_call <- function(matched, object, na_action) {
  call <- matched[c(1L, match(c("newdata", "collapse"), names(matched), nomatch = 0L))]
  names(call)[2L] <- "data"
  call[[1L]] <- quote(stats::model.frame)
  call$formula <- object$terms
  call$na.action <- na_action
  call$xlev <- object$xlevels
  call
}

new_rows <- function(object, rows, frame) {
  strata <- untangled_strata(object)
  terms <- object$terms
  group <- NULL
  if (length(strata$vars) > 0L) {
    group <- row_strata(frame, strata$vars)
    if (anyNA(match(levels(group), levels(rows$strata)))) {
      stop("New data has a strata not found in the original model", call. = FALSE)
    }
    group <- factor(group, levels = levels(rows$strata))
    if (length(strata$terms) > 0L) terms <- terms[-strata$terms]
  }
  y <- stats::model.response(frame)
  if (attr(y, "type") != attr(rows$y, "type")) {
    stop("New data has a different survival type than the model", call. = FALSE)
  }
  list(
    y = y,
    x = front_end$new_matrix(terms, frame, object$contrasts),
    strata = group,
    offset = stats::model.offset(frame)
  )
}

# ---- linear predictors --------------------------------------------------------------

# For the rows of a fit without strata or offset, what survival has not at hand: the
# terms, and standard errors. NULL where the engine is not to be asked.
linear_in_sample <- function(object, type, se, reference) {
  wanted <- type == "terms" || (se && type %in% c("lp", "risk"))
  plain <- wanted && is_centred_once(object) && reference %in% c("strata", "sample", "zero")
  device <- if (plain) engine_device(object, length(object$residuals))
  if (is.null(device)) {
    return(NULL)
  }
  x <- fitted_rows(object)$x
  coefficients <- ifelse(is.na(object$coefficients), 0, object$coefficients)
  center <- if (reference == "zero") rep(0, ncol(x)) else object$means
  predicted <- linear_predictions(
    x, center, linear_terms(object, type), coefficients, if (se) object$var, device
  )
  c(shape_linear(predicted, object, type, rownames(x)), list(removed = object$na.action))
}

is_centred_once <- function(object) {
  length(untangled_strata(object)$vars) == 0L && is.null(attr(object$terms, "offset"))
}

# The columns that are added up: all, or those of each term.
linear_terms <- function(object, type) {
  if (type == "terms") {
    lapply(object$assign, function(columns) columns[!is.na(object$coefficients[columns])])
  } else {
    list(seq_along(object$coefficients))
  }
}

shape_linear <- function(predicted, object, type, row_names) {
  predicted <- Filter(Negate(is.null), predicted)
  if (type == "terms") {
    predicted <- lapply(predicted, `dimnames<-`, list(row_names, names(object$assign)))
    attr(predicted$fit, "constant") <- sum(object$coefficients * object$means, na.rm = TRUE)
    return(predicted)
  }
  predicted <- lapply(predicted, function(value) stats::setNames(as.double(value), row_names))
  if (type == "risk") {
    predicted$fit <- exp(predicted$fit)
    predicted$se <- predicted$se * sqrt(predicted$fit)
  }
  predicted
}

# ---- expected events ----------------------------------------------------------------

# For the rows of the fit: the prediction, its standard error if asked for, and which
# rows had been removed; NULL where the engine is not to be asked.
expected_in_sample <- function(object, se) {
  device <- if (se) engine_device(object, length(object$residuals))
  if (se && is.null(device)) {
    return(NULL)
  }
  rows <- if (se) fitted_rows(object) else list(y = fitted_response(object))
  predicted <- list(
    fit = rows$y[, ncol(rows$y)] - object$residuals,
    removed = object$na.action
  )
  if (se) {
    of_rows <- events_of(object, rows, rows, TRUE, FALSE, device)
    predicted$se <- error_of(of_rows$variance, rows$strata) * unname(rows$risk)
  }
  predicted
}

# The same for new rows, which the user's call names in `frame`.
expected_of_new <- function(object, call, na_action, se, frame) {
  device <- engine_device(object, length(object$residuals))
  if (is.null(device)) {
    return(NULL)
  }
  rows <- fitted_rows(object)
  data <- evaluate_front_end(new_frame_call(call, object, na_action), frame)
  new <- new_rows(object, rows, data)
  if (!follows_survival(object, rows, new, se)) {
    return(NULL)
  }
  of_rows <- events_of(
    object, rows, new, se, ncol(rows$y) == 3L, device, object$coefficients
  )
  predicted <- list(
    removed = attr(data, "na.action"),
    collapse = stats::model.extract(data, "collapse")
  )
  c(predicted, new_events(rows, new, of_rows))
}

new_events <- function(rows, new, of_rows) {
  hazard <- of_rows$hazard
  counting <- ncol(hazard) == 2L
  # survival adds the offset to the risk, not to its logarithm
  risk <- of_rows$risk
  if (!is.null(new$offset)) risk <- risk + new$offset
  over <- if (counting) hazard[, 2L] - hazard[, 1L] else hazard
  events <- list(fit = without_dim(risk * over))
  unknown <- if (anyNA(events$fit)) is.na(c(risk)) | is.na(hazard[, 1L])
  if (!is.null(of_rows$variance)) {
    # for (start, stop] rows survival takes the risks of the rows of the fit here
    risk <- if (counting) unname(rows$risk)[seq_along(risk)] else risk
    events$se <- without_dim(error_of(of_rows$variance, new$strata) * risk)
  }
  absent <- if (anyNA(new$strata)) is.na(new$strata)
  if (is.null(c(unknown, absent))) {
    return(events)
  }
  lapply(events, function(value) {
    value[unknown] <- NA
    value[absent] <- 0
    value
  })
}

# Hazards of the stratum at the times of the rows `new`, their variances if asked for, and
# with `coefficients` the rows' risks without offset.
events_of <- function(object, rows, new, se, entry_tables, device, coefficients = NULL) {
  groups <- curve_strata(rows$strata)
  if (!is.null(groups$code)) {
    rows$strata <- groups$code
    new$strata <- as.integer(new$strata)
    new$strata[is.na(new$strata)] <- 1L
  } else {
    rows$strata <- new$strata <- NULL
  }
  kind <- if (object$method == "efron") "efron" else "breslow"
  expected_events(rows, kind, new, coefficients, if (se) object$var, entry_tables, device)
}

# A vector, of what is computed on the spot without a copy of its numbers.
without_dim <- function(x) {
  dim(x) <- NULL
  x
}

# The variance over (start, stop] is survival's: a difference of two. Below 0, each
# stratum's square root warns.
error_of <- function(variance, strata) {
  if (ncol(variance) == 1L) {
    return(without_dim(sqrt(variance)))
  }
  over <- variance[, 2L] - variance[, 1L]
  negative <- which(over < 0)
  over[negative] <- NaN
  for (stratum in unique(strata[negative]) %||% negative[1L][length(negative) > 0L]) sqrt(-1)
  sqrt(over)
}

# FALSE where what survival computes is by recycling, or is not what we reproduce.
follows_survival <- function(object, rows, new, se) {
  counting <- ncol(rows$y) == 3L
  probes <- list(
    if (!is.null(new$offset)) quote(c(exp(newx %*% object$coef) + newoffset)),
    if (counting && se) quote(sqrt(v2 - v1) * risk[indx2])
  )
  body <- body(utils::getFromNamespace("predict.coxph", "survival"))
  ncol(new$x) == ncol(rows$x) && !anyNA(object$coefficients) &&
    all(vapply(probes, function(probe) is.null(probe) || has_part(body, probe), NA))
}

has_part <- function(code, part) {
  identical(code, part) ||
    (is.call(code) && any(vapply(as.list(code), has_part, NA, part = part)))
}

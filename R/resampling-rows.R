# The rows of a fit as resampling takes them: looked up once more, grouped by subject.

# The rows of `fit`: list(x =, y =, strata =, weights =, offset =, ties =, estimated =), the
# last the columns whose coefficients were estimated, which `x` has only.
resampling_rows <- function(fit, call = rlang::caller_env()) {
  check_resampled_fit(fit, call)
  rows_of <- rebound(
    survivals("coxph.getdata"), list(model.matrix.coxph = fresh(front_end$fit_matrix))
  )
  data <- rows_of(fit, y = TRUE, x = TRUE, stratax = TRUE, offset = TRUE)
  n <- length(fit$linear.predictors)
  if (!identical(dim(data$x), c(n, length(fit$coefficients))) || nrow(data$y) != n) {
    abort_resampling(
      c(
        "{.arg fit}: its data have {nrow(data$x)} row{?s} now, and had {n} when it was fitted.",
        i = "Fit again, or keep the data as they were."
      ),
      call
    )
  }
  estimated <- !is.na(fit$coefficients)
  list(
    x = if (all(estimated)) data$x else data$x[, estimated, drop = FALSE],
    y = data$y,
    strata = data$strata,
    weights = if (any(data$weights != 1)) data$weights,
    offset = if (any(data$offset != 0)) as.double(data$offset),
    ties = fit$method,
    estimated = estimated
  )
}

# What cannot be resampled, and why.
check_resampled_fit <- function(fit, call = rlang::caller_env()) {
  if (!inherits(fit, "coxph")) {
    abort_resampling(
      c(
        "{.arg fit} must be a Cox model, not {.obj_type_friendly {fit}}.",
        i = "Give a fit of {.fn coxphGPU} or {.fn survival::coxph}."
      ),
      call
    )
  }
  reason <- if (inherits(fit, "coxphms")) {
    c("it is a multi-state model.", "Fit one transition at a time, the others as censored.")
  } else if (inherits(fit, "coxph.penal") || !is.null(fit$pterms)) {
    c(
      "it has a penalised term, and resamples are fitted without penalties.",
      "Resample with {.fn boot::boot}, or use a term without a penalty."
    )
  } else if (length(attr(fit$terms, "specials")$tt) > 0L) {
    c(
      "it has a {.fn tt} term, whose rows are not those of its data.",
      "Split the rows with {.fn survival::survSplit}, make the covariate, and give {.arg id}."
    )
  } else if (!isTRUE(fit$method %in% c("efron", "breslow"))) {
    c(
      "it was fitted by the exact partial likelihood.",
      "Fit with {.code ties = \"efron\"}."
    )
  } else if (length(fit$coefficients) == 0L || all(is.na(fit$coefficients))) {
    c("it has no coefficients.", "Give a model with covariates.")
  }
  if (!is.null(reason)) {
    abort_resampling(
      c(paste("{.arg fit} cannot be resampled:", reason[1L]), i = reason[2L]), call
    )
  }
}

# Options of survival::coxph.control() as the fit had them, changed by `options`.
fit_control <- function(fit, options = list(), call = rlang::caller_env()) {
  known <- names(formals(survival::coxph.control))
  unknown <- setdiff(rlang::names2(options), known)
  if (length(unknown) > 0L) {
    abort_resampling(
      c(
        "{.arg ...}: {.val {unknown}} is not an option of {.fn survival::coxph.control}.",
        i = "It has {.arg {known}}."
      ),
      call
    )
  }
  scope <- environment(fit$terms)
  written <- as.list(fit$call)
  own <- lapply(written[intersect(names(written), known)], eval, scope)
  control <- if (is.null(written$control)) {
    do.call(survival::coxph.control, own)
  } else {
    eval(written$control, scope)
  }
  control[names(options)] <- options
  do.call(survival::coxph.control, control[intersect(known, names(control))])
}

# Columns that the fit left uncentred.
fit_uncentred <- function(fit, x) {
  nocenter <- c(-1, 0, 1)
  if ("nocenter" %in% names(fit$call)) {
    nocenter <- eval(fit$call$nocenter, environment(fit$terms))
  }
  uncentred_columns(x, nocenter)
}

# The same with `subjects`, and `resampling_strata` where `strata` are given: `id` and `strata`
# are expressions that the user wrote in `frame`.
subject_rows <- function(fit, id, strata, frame, call = rlang::caller_env()) {
  rows <- resampling_rows(fit, call)
  rows$subjects <- subject_codes(fit, rows$y, id, frame, call)
  groups <- row_variable(strata, fit, frame, "strata", call)
  if (!is.null(groups)) {
    rows$resampling_strata <- subject_values(groups, rows$subjects, "strata", call)
  }
  rows
}

# ---- subjects -----------------------------------------------------------------------

# Codes 0, 1, ... of the subjects of the rows of `fit`, in order of first appearance. `id`
# is an expression, evaluated in the data of the fit and then where the user wrote it.
subject_codes <- function(fit, y, id, frame, call = rlang::caller_env()) {
  value <- row_variable(id, fit, frame, "id", call)
  own <- intersect(c("id", "cluster"), names(fit$call))
  if (is.null(value) && length(own) > 0L) {
    value <- stats::model.frame(fit)[[paste0("(", own[1L], ")")]]
  }
  if (!is.null(value)) {
    return(first_appearance(value))
  }
  if (ncol(y) == 3L) {
    abort_resampling(
      c(
        "{.arg id} is missing: rows of (start, stop] data are not subjects.",
        i = "Give {.arg id}, the variable that tells whose row each is."
      ),
      call
    )
  }
  seq_len(nrow(y)) - 1L
}

first_appearance <- function(value) match(value, unique(value)) - 1L

# One value for each subject of a variable over the rows; it may not change within one.
subject_values <- function(value, subjects, argument, call = rlang::caller_env()) {
  code <- first_appearance(value)
  of_subject <- code[!duplicated(subjects)]
  differs <- unique(subjects[of_subject[subjects + 1L] != code])
  if (length(differs) > 0L) {
    abort_resampling(
      c(
        "{.arg {argument}} changes within {length(differs)} subject{?s}.",
        i = "Subjects are drawn with all their rows: give a variable that is constant in each."
      ),
      call
    )
  }
  of_subject
}

# The value over the rows of the fit of an expression that the user wrote, or NULL. Rows that
# the fit left out, by its `subset` or for missing values, are left out here.
row_variable <- function(expr, fit, frame, argument, call = rlang::caller_env()) {
  data <- tryCatch(eval(fit$call$data, environment(fit$terms)), error = function(cnd) NULL)
  value <- eval(expr, if (is.list(data)) data else frame, frame)
  if (is.null(value)) {
    return(NULL)
  }
  if (!is_vector_of_rows(value)) {
    abort_resampling(
      c(
        "{.arg {argument}} must be a vector or the name of a variable of the data, not
         {.obj_type_friendly {value}}.",
        i = "It tells the rows of one subject or group from those of others."
      ),
      call
    )
  }
  value <- rows_kept(value, fit, NROW(data), argument, call)
  if (anyNA(value)) {
    abort_resampling(
      c(
        "{.arg {argument}} has {sum(is.na(value))} missing value{?s}.",
        i = "Leave these rows out of the fit, or give them a value."
      ),
      call
    )
  }
  value
}

is_vector_of_rows <- function(value) {
  (is.atomic(value) || is.factor(value)) && is.null(dim(value))
}

rows_kept <- function(value, fit, n_data, argument, call) {
  n <- length(fit$linear.predictors)
  all_rows <- is.null(fit$na.action) && is.null(fit$call$subset)
  if (length(value) == n && (all_rows || n_data != n)) {
    return(value)
  }
  if (is.null(fit$call$data)) n_data <- length(value)
  if (length(value) == n_data) {
    # missing values have a code of their own, so that no row is left out for them
    frame <- tryCatch(
      stats::model.frame(fit, id = match(value, unique(value))),
      error = function(cnd) NULL
    )
    if (!is.null(frame) && nrow(frame) == n) {
      return(unique(value)[stats::model.extract(frame, "id")])
    }
  }
  abort_resampling(
    c(
      "{.arg {argument}} has {length(value)} value{?s}, the fit {n} row{?s}.",
      i = "Give one value for each row of the fit, or of its data."
    ),
    call
  )
}

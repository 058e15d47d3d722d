# The model frame: stats' own function, with faster Surv(), strata() and na.omit().

model_frame_call <- quote(stats::model.frame)
front_model_frame_head <- quote(survivalGPU:::front_model_frame())

# coxph() evaluates a call of stats::model.frame that it has put together. It is
# evaluated where it would have been, so that missing arguments and `..1` mean what they
# mean there, with another function in its head.
evaluate_front_end <- function(expr, envir) {
  if (!identical(expr[[1L]], model_frame_call)) {
    return(eval(expr, envir))
  }
  expr[[1L]] <- front_model_frame_head
  force(envir)
  relabel_conditions(
    eval(expr, envir),
    from = function(cnd) has_head(conditionCall(cnd), front_model_frame_head),
    call = function(call) {
      call[[1L]] <- quote(model.frame.default)
      call
    }
  )
}

front_model_frame <- function() {
  fresh(front_end$model_frame)
}

# stats' model.frame() for formulas, in an environment where the parts below are found
# first.
quick_model_frame <- function() {
  rebound(
    utils::getS3method("model.frame", "default", envir = asNamespace("stats")),
    list(environment = front_end_mask, na.omit.data.frame = quick_na_omit)
  )
}

# The environment of a formula, with quicker functions before survival's of that name.
front_end_mask <- function(fun = NULL) {
  scope <- environment(fun)
  mask <- new.env(parent = scope)
  for (name in names(front_end$formula)) {
    original <- get(name, envir = asNamespace("survival"))
    if (identical(get0(name, envir = scope, mode = "function"), original)) {
      mask[[name]] <- fresh(front_end$formula[[name]])
    }
  }
  if (identical(get0("::", envir = scope, mode = "function"), base::`::`)) {
    mask[["::"]] <- quick_export
  }
  mask
}

# `::`, which finds survival::Surv() and survival::strata() where they are quicker.
quick_export <- function(pkg, name) {
  pkg <- as.character(substitute(pkg))
  name <- as.character(substitute(name))
  if (pkg == "survival" && name %in% names(front_end$formula)) {
    fresh(front_end$formula[[name]])
  } else {
    getExportedValue(pkg, name)
  }
}

# In the order in which Surv() looks at its arguments, which may be in error themselves.
quick_Surv <- function() { # nolint: object_name_linter.
  with_shortcut(
    survival::Surv,
    quote(if (missing(type) && missing(origin) && !missing(time) && is.numeric(time)) {
      if (missing(event)) {
        if (!missing(time2)) {
          time2
          survival_response(time, NULL, time2)
        }
      } else if (missing(time2)) {
        event
        survival_response(time, NULL, event)
      } else if (is.numeric(time2)) {
        event
        survival_response(time, time2, event)
      }
    }),
    list(survival_response = survival_response)
  )
}

# The Surv object of plain valid vectors, else NULL.
survival_response <- function(time, time2, event) {
  response <- .Call(front_survival_matrix, time, time2, event)
  if (is.null(response)) {
    return(NULL)
  }
  times <- if (is.null(time2)) "time" else c("start", "stop")
  dimnames(response) <- list(NULL, c(times, "status"))
  attr(response, "type") <- if (is.null(time2)) "right" else "counting"
  class(response) <- "Surv"
  response
}

quick_strata <- function() {
  rebound(
    survival::strata,
    list(factor = quick_factor(), unique = quick_unique(), match = quick_match())
  )
}

# na.omit() of a model frame. Where nothing is missing, the frame is not copied.
quick_na_omit <- function(object, ...) {
  omit <- if (all(vapply(object, is_plain_column, NA))) {
    .Call(front_missing_rows, object)
  }
  if (is.null(omit)) {
    return(stats::na.omit(object, ...))
  }
  if (isFALSE(omit)) {
    return(as_if_extracted(object))
  }
  kept <- object[!omit, , drop = FALSE]
  omitted <- which(omit)
  names(omitted) <- attr(object, "row.names")[omitted]
  attr(kept, "na.action") <- structure(omitted, class = "omit")
  kept
}

# A data frame with its attributes in the order, and its row names in the short form, in
# which `[` leaves them.
as_if_extracted <- function(frame) {
  first <- c("names", "terms", "row.names", "class")
  found <- attributes(frame)
  attributes(frame) <- found[c(intersect(first, names(found)), setdiff(names(found), first))]
  frame
}

# Columns whose is.na() looks at their numbers only, and whose `[` keeps all that
# model.frame() does not restore.
plain_classes <- c(
  "Surv", "factor", "ordered", "AsIs", "Date", "POSIXct", "POSIXt", "difftime",
  "matrix", "poly", "basis", "ns", "bs"
)

is_plain_column <- function(x) {
  is.atomic(x) && !isS4(x) && length(dim(x)) %in% c(0L, 2L) && is.null(attr(x, "tsp")) &&
    (!is.object(x) || all(class(x) %in% plain_classes))
}

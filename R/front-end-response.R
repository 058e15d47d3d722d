# The response that coxph() takes out of the model frame, and its columns.

# stats' model.response() gives a Surv object the frame's row names. The frame holds the
# same numbers, so they are copied: here once, there a second time when Python sees them.
quick_model_response <- function() {
  with_shortcut(
    stats::model.response,
    quote(if (missing(type) && is.data.frame(data)) named_response(data)),
    list(named_response = named_response)
  )
}

named_response <- function(data) {
  response <- attr(attr(data, "terms"), "response")
  y <- if (isTRUE(response == 1L)) .subset2(data, 1L)
  plain <- identical(class(y), "Surv") && is.double(y) && nrow(y) > 0L &&
    is.null(dimnames(y)[[1L]])
  if (!plain) {
    return(NULL)
  }
  named <- .Call(front_bare_copy, y, NULL)
  attributes(named) <- attributes(y)
  dimnames(named) <- list(attr(data, "row.names"), dimnames(y)[[2L]])
  named
}

# y[, ncol(y)], the status, with the row names for names, which are not copied.
quick_surv_column <- function() {
  with_shortcut(
    utils::getS3method("[", "Surv", envir = asNamespace("survival")),
    quote(if (missing(i) && !missing(j) && missing(drop)) {
      j
      surv_column(x, j)
    }),
    list(surv_column = surv_column)
  )
}

surv_column <- function(y, j) {
  if (identical(j, ncol(y)) && is.double(y) && nrow(y) > 1L) {
    column <- .Call(front_bare_copy, y, j)
    names(column) <- dimnames(y)[[1L]]
    column
  }
}

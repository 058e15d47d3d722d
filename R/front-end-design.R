# The design matrix of numeric main effects, assembled once, without the intercept
# that coxph() asks for and then drops.

quick_model_matrix <- function() {
  with_shortcut(
    stats::model.matrix,
    quote({
      object
      if (...length() > 0 && is_numeric_design(object, ...)) numeric_design(object, ...)
    }),
    list(is_numeric_design = is_numeric_design, numeric_design = numeric_design)
  )
}

# The design of new rows, without the intercept.
quick_new_matrix <- function() {
  model_matrix <- quick_model_matrix()
  function(terms, frame, contrasts) {
    design <- fresh(model_matrix)(terms, frame, contr = contrasts)
    if (inherits(design, "survivalGPU_design")) {
      select_design_columns(design, keep = c(FALSE, rep(TRUE, sum(unclass(design)$widths))))
    } else {
      design[, -1L, drop = FALSE]
    }
  }
}

# Whether the design is an intercept and columns of the model frame `data` as they are.
is_numeric_design <- function(object, data, ...) {
  factors <- attr(object, "factors")
  if (!inherits(object, "terms") || !is.matrix(factors) || is.null(attr(data, "terms"))) {
    return(FALSE)
  }
  attr(object, "intercept") == 1L && all(attr(object, "order") == 1L) &&
    identical(colnames(factors), design_terms(factors)) &&
    are_numbers(data, design_variables(object))
}

are_numbers <- function(data, variables) {
  all(variables %in% names(data)) && all(vapply(.subset(data, variables), is_number, NA))
}

# All but the response: offsets too, since a factor among them would have contrasts.
design_variables <- function(terms) {
  variables <- rownames(attr(terms, "factors"))
  response <- attr(terms, "response")
  if (response > 0L) variables[-response] else variables
}

# The variable of each main effect.
design_terms <- function(factors) {
  rownames(factors)[max.col(t(factors), "first")]
}

is_number <- function(x) {
  typeof(x) %in% c("double", "integer") && !is.factor(x) &&
    (is.null(dim(x)) || (length(dim(x)) == 2L && ncol(x) > 1L))
}

# Stands for the matrix until coxph() selects the columns that it keeps.
numeric_design <- function(object, data, ...) {
  columns <- .subset(data, colnames(attr(object, "factors")))
  widths <- vapply(columns, NCOL, 0L)
  structure(
    list(columns = columns, row_names = attr(data, "row.names"), widths = widths),
    assign = c(0L, rep(seq_along(columns), widths)),
    class = "survivalGPU_design"
  )
}

# The matrix with the columns to keep, as `[` would select them.
select_design_columns <- function(x, i, keep, drop) {
  x <- unclass(x)
  names <- Map(column_names, names(x$columns), x$columns)
  design <- .Call(front_bind_columns, unname(x$columns), length(x$row_names))
  dimnames(design) <- list(x$row_names, unlist(names, use.names = FALSE))
  if (keep[1L] || !all(keep[-1L])) {
    design <- cbind("(Intercept)" = 1, design)[, keep, drop = FALSE]
  }
  design
}

column_names <- function(name, column) {
  if (is.null(dim(column))) {
    name
  } else {
    paste0(name, colnames(column) %||% seq_len(ncol(column)))
  }
}

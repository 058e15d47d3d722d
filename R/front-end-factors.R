# factor(), unique() and match() of whole numbers, the usual identifiers and codes,
# without sorting, hashing or turning them into text one by one.

# list(low =, range =, missing =) where marks for each number from the smallest to the
# largest cost less than hashing, or NULL.
small_range <- function(x) {
  if (is.object(x) || !is.null(dim(x))) {
    return(NULL)
  }
  whole <- .Call(front_whole_numbers, x)
  if (is.null(whole)) {
    return(NULL)
  }
  range <- whole[2] - whole[1] + 1
  if (range <= 4 * length(x) + 1024) list(low = whole[1], range = range, missing = whole[3] > 0)
}

quick_unique <- function() {
  with_shortcut(
    base::unique,
    quote(if (...length() == 0) {
      x
      small_unique(x)
    }),
    list(small_unique = small_unique)
  )
}

small_unique <- function(x) {
  small <- small_range(x)
  if (!is.null(small) && !small$missing) {
    .Call(front_small_unique, x, small$low, small$range, FALSE)
  }
}

quick_match <- function() {
  with_shortcut(
    base::match,
    quote(if (missing(nomatch) && missing(incomparables)) {
      x
      table
      small_match(x, table)
    }),
    list(small_match = small_match)
  )
}

small_match <- function(x, table) {
  small <- if (is.numeric(x) && !is.object(x)) small_range(table)
  if (!is.null(small) && !small$missing) {
    .Call(front_small_match, x, table, small$low, small$range)
  }
}

quick_as_factor <- function() {
  with_shortcut(
    base::as.factor,
    quote({
      x
      small_factor(x)
    }),
    list(small_factor = small_factor)
  )
}

quick_factor <- function() {
  with_shortcut(
    base::factor,
    quote(if (missing(levels) && missing(exclude) && missing(ordered) && missing(nmax)) {
      x
      small_factor(x, if (!missing(labels)) labels)
    }),
    list(small_factor = small_factor)
  )
}

# factor(x) or factor(x, labels = labels) of whole numbers of a small range, else NULL.
small_factor <- function(x, labels = NULL) {
  small <- small_range(x)
  if (is.null(small)) {
    return(NULL)
  }
  levels <- .Call(front_small_unique, x, small$low, small$range, TRUE)
  labels <- as.character(labels %||% levels)
  if (length(labels) != length(levels) || anyDuplicated(labels)) {
    return(NULL)
  }
  codes <- .Call(front_small_match, x, levels, small$low, small$range)
  names(codes) <- names(x)
  structure(codes, levels = labels, class = "factor")
}

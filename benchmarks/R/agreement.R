# Whether an engine's numbers are those of the reference.

# The largest difference of each quantity that both have, relative to its largest value.
differences <- function(folder, reference) {
  quantities <- intersect(list.files(folder), list.files(reference))
  vapply(stats::setNames(quantities, sub("[.]f64$", "", quantities)), function(file) {
    relative_difference(
      read_doubles(file.path(folder, file)), read_doubles(file.path(reference, file))
    )
  }, 0)
}

relative_difference <- function(ours, theirs) {
  if (length(ours) != length(theirs)) {
    return(Inf)
  }
  finite <- is.finite(theirs)
  if (!identical(finite, is.finite(ours)) || !same_missing(ours[!finite], theirs[!finite])) {
    return(Inf)
  }
  difference <- max(0, abs(ours[finite] - theirs[finite]))
  if (difference == 0) 0 else difference / max(abs(theirs[finite]))
}

# Infinite the same way, or neither a number.
same_missing <- function(ours, theirs) {
  identical(is.na(ours), is.na(theirs)) && all(ours == theirs, na.rm = TRUE)
}

# The quantities that differ by more than they may.
disagreements <- function(differences, tolerance) {
  allowed <- vapply(names(differences), function(name) {
    unname(if (name %in% names(tolerance)) tolerance[name] else tolerance["default"])
  }, 0)
  names(differences)[!(differences <= allowed)]
}

# Comparison of a coxphGPU fit, or of anything made of one, with coxph's.

# Both run the same iterations in double precision and differ in the order of their
# sums only.
rounding_tolerance <- 1e-8

# At an infinite coefficient the information rests on risks of a billionth of the risk set,
# and the last steps pass its rounding on. The iteration stops at its eps, not at a limit.
divergent_tolerance <- 1e-6

# `call`, a call of coxph, evaluated as it is and with coxphGPU in coxph's place. A fit
# is list(value =, warnings =), the warnings without the call they came from.
fit_both <- function(call, frame = parent.frame()) {
  swapped <- call
  swapped[[1L]] <- quote(coxphGPU)
  list(
    ours = suppressMessages(
      with_warnings(eval(swapped, frame)),
      classes = "survivalGPU_deferred"
    ),
    theirs = with_warnings(eval(call, frame))
  )
}

with_warnings <- function(expr) {
  warnings <- character()
  value <- withCallingHandlers(expr, warning = function(cnd) {
    warnings <<- c(warnings, conditionMessage(cnd))
    invokeRestart("muffleWarning")
  })
  list(value = value, warnings = warnings)
}

# The scale that one unit of the tolerance stands for, for the components of a fit that
# are computed. Every other component must be identical.
#
# - coefficients: the coefficient, or its standard error where that is more.
# - var: sqrt(v_ii v_jj) for v_ij, a correlation.
# - tests: the statistic, or 1, the mean of a chi-square on one degree of freedom.
# - means: the mean, or a standard deviation of the covariate as the information has it.
# - first, the score at the maximum, is a sum that cancels: its standard deviation, which
#   is the square root of the information.
# - a vector over rows: its largest absolute value.
# - counts, degrees of freedom, log-likelihoods: the value itself.
fit_scales <- function(fit) {
  test <- function(value) pmax(abs(value), 1)
  longest <- function(value) rep(max(abs(value)), length(value))
  correlation <- function(value) outer(sqrt(diag(value)), sqrt(diag(value)))
  inverse <- if (is.null(fit$naive.var)) fit$var else fit$naive.var
  error <- if (!is.null(inverse)) sqrt(diag(inverse))
  scales <- list(
    coefficients = function(value) pmax(abs(value), error[seq_along(value)]),
    var = correlation,
    naive.var = correlation,
    var2 = correlation,
    df = abs,
    penalty = abs,
    loglik = abs,
    score = test,
    rscore = test,
    wald.test = test,
    linear.predictors = longest,
    residuals = longest,
    means = function(value) pmax(abs(value), 1 / (error * sqrt(fit$nevent))),
    first = function(value) 1 / error,
    concordance = abs
  )
  present <- intersect(names(scales), names(fit))
  Map(function(scale, value) scale(value), scales[present], unclass(fit)[present])
}

# Largest difference of two numeric vectors, in units of `scale`; Inf where their missing
# or infinite values are at different places.
scaled_difference <- function(ours, theirs, scale) {
  finite <- is.finite(theirs)
  if (!identical(c(ours)[!finite], c(theirs)[!finite]) || !all(is.finite(ours[finite]))) {
    return(Inf)
  }
  off <- abs(ours - theirs)
  differs <- finite & off > 0
  max(0, (off / scale)[differs])
}

# The differences of two fits by component, in units of fit_scales().
fit_differences <- function(ours, theirs) {
  scales <- fit_scales(theirs)
  vapply(names(scales), FUN.VALUE = 0, function(name) {
    scaled_difference(ours[[name]], theirs[[name]], scales[[name]])
  })
}

# `object`, a coxphGPU fit, is `reference`, the coxph fit of the same call: the same
# components in the same order, identical but for the class, the name in the call and
# rounding within `tolerance` in the units of fit_scales().
expect_same_fit <- function(object, reference, tolerance = rounding_tolerance,
                            label = "the fit") {
  own_class <- if (inherits(reference, "coxph")) "coxphGPU"
  expect_identical(class(object), c(own_class, class(reference)), label = label)
  expect_identical(object$call[[1L]], quote(coxphGPU), label = label)
  ours <- unclass(as_coxph(object))
  theirs <- unclass(reference)
  expect_identical(names(ours), names(theirs), label = label)
  computed <- names(fit_scales(theirs))
  for (name in names(theirs)) {
    component <- paste0(label, ", component ", name)
    if (name %in% c("history", "coxlist2")) {
      # what the penalties of a fit left behind
      expect_same_result(ours[[name]], theirs[[name]], tolerance, component)
    } else if (name %in% computed) {
      expect_identical(typeof(ours[[name]]), typeof(theirs[[name]]), label = component)
      expect_identical(attributes(ours[[name]]), attributes(theirs[[name]]), label = component)
    } else {
      # the print functions of penalised terms and the terms of a model with tt() have an
      # environment made by each fit
      expect_identical(
        ours[[name]], theirs[[name]],
        label = component, ignore_function_env = name == "printfun",
        ignore_formula_env = length(attr(theirs$terms, "specials")$tt) > 0
      )
    }
  }
  differences <- fit_differences(ours, theirs)
  for (name in names(differences)) {
    expect_lte(
      differences[[name]], tolerance,
      label = paste0(label, ", difference of component ", name)
    )
  }
  invisible(object)
}

# print() and print(summary()) of both fits give the same lines, once the call has the
# same name: coxphGPU's is longer and may break its line elsewhere.
expect_same_print <- function(object, reference, label = "the fit") {
  object$call[[1L]] <- quote(coxph)
  expect_identical(
    capture.output(print(object)), capture.output(print(reference)),
    label = paste0(label, ", print()")
  )
  expect_identical(
    capture.output(print(summary(object))), capture.output(print(summary(reference))),
    label = paste0(label, ", print(summary())")
  )
}

# `object` is `reference` once coxphGPU is read as coxph, at any depth: numbers within
# `tolerance` of the largest absolute value of their vector, or matrix column, or in a
# fit of fit_scales(); everything else identical.
expect_same_result <- function(object, reference, tolerance = rounding_tolerance,
                               label = "the result") {
  differences <- result_differences(read_as_coxph(object), read_as_coxph(reference), label)
  worst <- which.max(differences)
  expect_lte(
    max(0, differences), tolerance,
    label = paste("the difference at", c(names(differences)[worst], label)[1L])
  )
  invisible(object)
}

# Named by place; Inf where the two differ in anything but the value of a double, or the
# environment of a function or formula, which each evaluation makes anew.
result_differences <- function(ours, theirs, place, scale = NULL) {
  of_attributes <- attribute_differences(ours, theirs, place)
  if (!identical(typeof(ours), typeof(theirs)) || length(ours) != length(theirs)) {
    return(structure(Inf, names = place))
  }
  of_values <- if (is.list(ours)) {
    element_differences(ours, theirs, place)
  } else {
    value <- if (is.double(ours)) {
      if (is.null(scale)) scale <- column_scale(unclass(theirs))
      scaled_difference(c(unclass(ours)), c(unclass(theirs)), scale)
    } else {
      if (is_same_value(ours, theirs)) 0 else Inf
    }
    structure(value, names = place)
  }
  c(of_attributes, of_values)
}

is_same_value <- function(ours, theirs) {
  if (is.environment(ours)) {
    return(TRUE)
  }
  if (!is.function(ours) && !is.symbol(ours)) {
    attributes(ours) <- attributes(theirs) <- NULL
  }
  identical(ours, theirs, ignore.environment = TRUE, ignore.srcref = TRUE)
}

attribute_differences <- function(ours, theirs, place) {
  if (is.function(ours)) {
    return(NULL)
  }
  ours <- attributes(ours)
  theirs <- attributes(theirs)
  if (!identical(names(ours), names(theirs))) {
    return(structure(Inf, names = paste(place, "attributes")))
  }
  places <- sprintf("%s@%s", place, names(theirs))
  unlist(unname(Map(result_differences, unname(ours), unname(theirs), places)))
}

element_differences <- function(ours, theirs, place) {
  scales <- if (inherits(theirs, "coxph")) fit_scales(theirs)
  keys <- rlang::names2(theirs)
  parts <- lapply(seq_along(theirs), function(i) {
    key <- if (nzchar(keys[i])) keys[i] else as.character(i)
    result_differences(
      unclass(ours)[[i]], unclass(theirs)[[i]], paste0(place, "$", key), scales[[key]]
    )
  })
  unlist(parts)
}

column_scale <- function(value) {
  finite_max <- function(column) max(0, abs(column[is.finite(column)]))
  if (length(dim(value)) == 2L) {
    rep(apply(value, 2L, finite_max), each = nrow(value))
  } else {
    rep(finite_max(value), length(value))
  }
}

# Calls and text with coxph where they have coxphGPU, at any depth; and classes, unless
# they are to be kept.
read_as_coxph <- function(x, keep_class = FALSE) {
  if (isS4(x)) {
    for (slot in setdiff(methods::slotNames(x), ".Data")) {
      methods::slot(x, slot, check = FALSE) <- read_as_coxph(methods::slot(x, slot), keep_class)
    }
    x
  } else if (is.call(x)) {
    renamed <- do.call(substitute, list(x, list(coxphGPU = quote(coxph))))
    attributes(renamed) <- attributes(x)
    renamed
  } else if (is.list(x)) {
    attributes <- attributes(x)
    own <- names(attributes) %in% c("class", "names", "row.names")
    attributes[!own] <- lapply(attributes[!own], read_as_coxph, keep_class = keep_class)
    if (!keep_class && !is.null(attributes$class)) {
      attributes$class <- setdiff(attributes$class, "coxphGPU")
    }
    x <- lapply(unclass(x), read_as_coxph, keep_class = keep_class)
    attributes(x) <- attributes
    x
  } else if (is.character(x)) {
    x[] <- gsub("coxphGPU", "coxph", x, fixed = TRUE)
    x
  } else {
    x
  }
}

# Printed lines as one text. Blanks and line breaks may differ: the longer name moves them.
# An environment's address is its own.
squeezed <- function(lines) {
  text <- gsub("(coxph|clogit)GPU", "\\1", paste(lines, collapse = " "))
  gsub("\\s+", " ", gsub("<environment: [^>]*>", "", text))
}

# For tests of the comparison itself.
fails <- function(expectation) {
  tryCatch(
    {
      expectation
      FALSE
    },
    expectation_failure = function(cnd) TRUE
  )
}

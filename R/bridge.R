# The only file that calls Python, and `survivalgpu.api` the only module called.
# NumPy views go in, plain R vectors come out; no Python handle is kept.

# One Cox fit. `strata` in any form that tells strata apart; the other arguments
# as survival's fitters have them. With `keep`, `prepared` is what Python has made of the
# rows: a handle for the time of one call of coxph(), never a part of a result.
fit_cox <- function(x, y, strata, offset, weights, init, ties, device, control,
                    uncentred, resid, keep = FALSE) {
  device <- resolve_device(device)
  rows <- numbers_by_row(nrow(x), resid)
  fit <- call_python("fit the Cox model", function(api) {
    api$fit_cox(
      x = numpy_matrix(x),
      y = numpy_matrix(y),
      strata = numpy_vector(stratum_codes(strata)),
      offset = numpy_vector(if (!all_zero(offset)) as.double(offset)),
      weights = numpy_vector(if (!is.null(weights)) as.double(weights)),
      init = numpy_vector(if (length(init) > 0) as.double(init)),
      ties = ties,
      device = device,
      iter_max = as.integer(control$iter.max),
      eps = as.double(control$eps),
      toler_chol = as.double(control$toler.chol),
      uncentred = numpy_vector(uncentred),
      resid = isTRUE(resid),
      keep = isTRUE(keep),
      into = lapply(rows, function(numbers) .Call(front_address, numbers))
    )
  })
  c(plain_fit(fit, ncol(x), rows), list(prepared = fit$prepared))
}

# Gives back the memory of rows that a fit has kept.
release_rows <- function(prepared) {
  call_python("give back memory", function(api) api$release_rows(prepared))
}

# One Cox fit by the exact partial likelihood of tied times.
fit_exact <- function(x, y, strata, offset, init, device, control, uncentred, resid) {
  device <- resolve_device(device)
  rows <- numbers_by_row(nrow(x), resid)
  fit <- call_python("fit the Cox model", function(api) {
    api$fit_exact(
      x = numpy_matrix(x),
      y = numpy_matrix(y),
      strata = numpy_vector(stratum_codes(strata)),
      offset = numpy_vector(if (!all_zero(offset)) as.double(offset)),
      init = numpy_vector(if (length(init) > 0) as.double(init)),
      device = device,
      iter_max = as.integer(control$iter.max),
      eps = as.double(control$eps),
      toler_chol = as.double(control$toler.chol),
      uncentred = numpy_vector(uncentred),
      resid = isTRUE(resid),
      into = lapply(rows, function(numbers) .Call(front_address, numbers))
    )
  })
  plain_fit(fit, ncol(x), rows)
}

# The partial likelihood of some rows, to be given to the two functions below. It is
# Python's: for the time of one fit only, never a part of a result.
cox_likelihood <- function(x, y, strata, offset, weights, ties, device) {
  device <- resolve_device(device)
  made <- call_python("prepare the Cox model", function(api) {
    api$cox_likelihood(
      x = numpy_matrix(x),
      y = numpy_matrix(y),
      strata = numpy_vector(stratum_codes(strata)),
      offset = numpy_vector(if (!all_zero(offset)) as.double(offset)),
      weights = numpy_vector(if (any(weights != 1)) as.double(weights)),
      ties = ties,
      device = device
    )
  })
  made$likelihood
}

evaluate_cox_likelihood <- function(likelihood, beta) {
  at <- call_python("evaluate the Cox model", function(api) {
    api$evaluate_cox_likelihood(likelihood, numpy_vector(as.double(beta)))
  })
  p <- length(beta)
  list(
    loglik = as.double(at$loglik),
    score = as.double(at$score),
    information = matrix(as.double(at$information), p, p)
  )
}

cox_likelihood_residuals <- function(likelihood, beta) {
  result <- call_python("compute residuals", function(api) {
    api$cox_likelihood_residuals(likelihood, numpy_vector(as.double(beta)))
  })
  as.double(result$residuals)
}

# Newton's step and the factors of an information matrix: see survivalgpu.cholesky.
factor_information <- function(information, score, tolerance) {
  factors <- call_python("solve for a step", function(api) {
    api$factor_information(
      numpy_matrix(information), numpy_vector(as.double(score)), as.double(tolerance)
    )
  })
  p <- length(score)
  list(
    step = as.double(factors$step),
    factor = matrix(as.double(factors$factor), p, p),
    inverse_factor = matrix(as.double(factors$inverse_factor), p, p),
    inverse_pivots = as.double(factors$inverse_pivots),
    rank = as.integer(factors$rank)
  )
}

# Memory for what a fit gives for each of n rows. Python writes to it: vectors that it
# returned would be copied, and fresh memory costs more than what is computed.
numbers_by_row <- function(n, resid) {
  names <- c("linear_predictors", if (isTRUE(resid)) "residuals")
  lapply(stats::setNames(nm = names), function(name) .Call(front_numbers, n))
}

# A fit of `p` columns as Python returns it, in R's own types, with its numbers by row.
plain_fit <- function(fit, p, rows) {
  list(
    coefficients = as.double(fit$coefficients),
    var = matrix(as.double(fit$var), p, p),
    loglik = as.double(fit$loglik),
    score = as.double(fit$score),
    iter = as.integer(fit$iter),
    flag = as.integer(fit$flag),
    score_vector = as.double(fit$u),
    means = as.double(fit$means),
    linear_predictors = rows$linear_predictors,
    residuals = rows$residuals
  )
}

# Score residuals of fitted rows, times `matrix` where there is one, and summed over
# `groups`, list(codes =, n =), codes from 0 to n - 1.
cox_score_residuals <- function(rows, matrix, weighted, groups, device) {
  device <- resolve_device(device)
  result <- call_python("compute residuals", function(api) {
    api$cox_score_residuals(
      rows = python_rows(rows),
      device = device,
      weighted = isTRUE(as.logical(weighted)),
      groups = numpy_vector(groups$codes),
      n_groups = as.integer(groups$n %||% 0L),
      matrix = if (!is.null(matrix)) numpy_matrix(as.matrix(matrix))
    )
  })
  result$residuals
}

# Schoenfeld residuals and the rows, from 1, they belong to.
cox_schoenfeld_residuals <- function(rows, device) {
  device <- resolve_device(device)
  result <- call_python("compute residuals", function(api) {
    api$cox_schoenfeld_residuals(rows = python_rows(rows), device = device)
  })
  list(
    rows = as.integer(result$rows) + 1L,
    residuals = result$residuals
  )
}

# Sums for the test of proportional hazards. `transformed` is a vector over the rows where
# `transform` is "given".
cox_zph_sums <- function(rows, transform, transformed, device) {
  device <- resolve_device(device)
  result <- call_python("test for proportional hazards", function(api) {
    api$cox_zph(
      rows = python_rows(rows),
      transform = transform,
      transformed = numpy_vector(if (!is.null(transformed)) as.double(transformed)),
      device = device
    )
  })
  list(
    u = as.double(result$u),
    imat = result$imat,
    schoen = result$schoen,
    rows = as.integer(result$rows) + 1L,
    x = as.double(result$x),
    used = result$used
  )
}

# Rows with their linear predictors, as a dict: the data, or what a fit has prepared of them.
python_rows <- function(rows) {
  if (!is.null(rows$prepared)) {
    return(reticulate::dict(
      prepared = rows$prepared,
      linear_predictors = numpy_vector(as.double(rows$linear_predictors)),
      ties = rows$ties,
      convert = FALSE
    ))
  }
  reticulate::dict(
    x = numpy_matrix(rows$x),
    y = numpy_matrix(rows$y),
    strata = numpy_vector(stratum_codes(rows$strata)),
    weights = numpy_vector(if (!is.null(rows$weights)) as.double(rows$weights)),
    linear_predictors = numpy_vector(as.double(rows$linear_predictors)),
    ties = rows$ties,
    convert = FALSE
  )
}

# Survival curves of a fit, at all times of its rows, for the covariates `new_x` and
# risks `new_risk`; `var` is NULL where no standard errors are wanted.
survival_curves <- function(rows, kind, new_x, new_risk, var, device) {
  curves <- call_python("compute survival curves", function(api) {
    api$survival_curves(
      rows = baseline_rows(rows, with_x = !is.null(var)),
      kind = kind,
      new_x = numpy_matrix(new_x),
      new_risk = numpy_vector(as.double(new_risk)),
      variance = if (!is.null(var)) numpy_matrix(var),
      device = device
    )
  })
  by_curve <- c("surv", "cumhaz", "std_err")
  counts <- c("n", "n_times")
  c(
    lapply(curves[counts], as.integer),
    lapply(curves[setdiff(names(curves), c(by_curve, counts, "ok"))], as.double),
    curves[by_curve]
  )
}

# The steps of the baseline hazard of rows of one stratum.
hazard_steps <- function(rows, kind, device) {
  steps <- call_python("compute the baseline hazard", function(api) {
    api$hazard_steps(rows = baseline_rows(rows, with_x = TRUE), kind = kind, device = device)
  })
  steps$ok <- NULL
  vectors <- setdiff(names(steps), "xbar")
  steps[vectors] <- lapply(steps[vectors], function(step) if (!is.null(step)) as.double(step))
  steps
}

# Cumulative baseline hazards, for a risk of 1, at the times of new rows, and their
# variances if `var` is given: one column per time in `new$y`. With `coefficients`, the
# risks of the new rows, in one column.
expected_events <- function(rows, kind, new, coefficients, var, entry_tables, device) {
  expected <- call_python("compute expected events", function(api) {
    api$expected_events(
      rows = baseline_rows(rows, with_x = !is.null(var)),
      kind = kind,
      new = reticulate::dict(
        y = numpy_matrix(new$y),
        strata = numpy_vector(new$strata),
        x = numpy_matrix(new$x),
        convert = FALSE
      ),
      coefficients = numpy_vector(coefficients),
      variance = if (!is.null(var)) numpy_matrix(var),
      entry_tables = entry_tables,
      device = device
    )
  })
  expected[c("hazard", "variance", "risk")]
}

# Linear predictors of the rows of `x` for each of `terms`, a list of columns, and their
# standard errors if `var` is given: one column a term.
linear_predictions <- function(x, center, terms, coefficients, var, device) {
  call_python("compute linear predictors", function(api) {
    api$linear_predictions(
      x = numpy_matrix(x),
      center = numpy_vector(as.double(center)),
      columns = numpy_vector(as.integer(unlist(terms))),
      sizes = numpy_vector(lengths(terms, use.names = FALSE)),
      coefficients = numpy_vector(as.double(coefficients)),
      variance = if (!is.null(var)) numpy_matrix(var),
      device = device
    )
  })[c("fit", "se")]
}

# Rows with their risks, as a dict. The strata are codes 1, 2, ... or NULL.
baseline_rows <- function(rows, with_x) {
  reticulate::dict(
    y = numpy_matrix(rows$y),
    risk = numpy_vector(as.double(rows$risk)),
    strata = numpy_vector(rows$strata),
    weights = numpy_vector(if (!is.null(rows$weights)) as.double(rows$weights)),
    x = if (with_x) numpy_matrix(rows$x),
    center = numpy_vector(rows$center),
    convert = FALSE
  )
}

# The device that `device` stands for: list(device =, fell_back =).
python_device <- function(device) {
  call_python("choose a device", function(api) api$resolve_device(device))
}

# What Python, torch and the machine have: see survivalGPU_sitrep().
python_report <- function() {
  report <- call_python("look at the devices", function(api) api$device_report())
  text <- function(x) if (is.null(x)) NA_character_ else as.character(x)
  list(
    python = text(report$python),
    torch = text(report$torch),
    torch_error = text(report$torch_error),
    numpy = text(report$numpy),
    cuda = isTRUE(report$cuda),
    cuda_devices = report$cuda_devices,
    mps = isTRUE(report$mps),
    threads = as.integer(report$threads %||% NA),
    libraries = as.character(report$libraries)
  )
}

call_python <- function(purpose, ask) {
  start_python()
  result <- tryCatch(
    reticulate::py_to_r(ask(python_api())),
    error = function(cnd) {
      check_python()
      abort_foreign_error(cnd, purpose)
    }
  )
  if (isFALSE(result$ok)) {
    abort_python_error(result$error)
  }
  result
}

# Whether this session's Python has imported the core that this package carries.
python_core <- new.env(parent = emptyenv())

# Each call imports the module: after the first time, which looks in our folder, that is a
# look-up by name in Python's own table. No handle is kept.
python_api <- function() {
  if (isTRUE(python_core$imported)) {
    return(reticulate::import("survivalgpu.api", convert = FALSE))
  }
  path <- system.file("python", package = "survivalGPU")
  api <- reticulate::import_from_path("survivalgpu.api", path, convert = FALSE)
  python_core$imported <- TRUE
  api
}

# A matrix crosses as a view of R's memory, column by column. A class (Surv) stays, since
# taking it off would copy the matrix.
numpy_matrix <- function(x) {
  # an assignment, even of the mode that it has, makes r_to_py() copy the matrix
  if (!is.double(x)) storage.mode(x) <- "double"
  reticulate::r_to_py(x)
}

# Only an array crosses as one: reticulate turns a vector into a list, and one
# number into a scalar.
numpy_vector <- function(x) {
  if (!is.null(x)) reticulate::r_to_py(array(x, length(x)))
}

# Integers that differ where the strata differ. survival passes integers, factors
# and, from time transforms, numbers.
stratum_codes <- function(strata) {
  if (length(strata) == 0) {
    NULL
  } else if (is.integer(strata) || is.factor(strata)) {
    as.integer(strata)
  } else {
    match(strata, unique(strata))
  }
}

# Names of the API's arguments, where the user knows them by others.
argument_names <- c(
  x = "formula", y = "formula", iter_max = "control$iter.max",
  eps = "control$eps", toler_chol = "control$toler.chol", uncentred = "nocenter"
)

# An error the Python core raised on purpose, in the front end's words.
# coxphGPU() fills in the call.
abort_python_error <- function(error) {
  argument <- error$argument
  if (argument %in% names(argument_names)) {
    argument <- argument_names[[argument]]
  }
  advice <- if (identical(error$type, "missing_torch")) {
    python_advice()
  } else {
    c(i = escape_braces(error$remedy))
  }
  cli::cli_abort(
    c("{.arg {argument}}: {error$found}", advice),
    class = c(paste0("survivalGPU_", error$type), "survivalGPU_error"),
    call = NULL
  )
}

# Any other exception is a fault of ours or of the installation. Its text is
# kept, the Python object is not: it would pin the fit's memory.
abort_foreign_error <- function(cnd, purpose) {
  cli::cli_abort(
    c(
      "Python could not {purpose}.",
      i = "{.run survivalGPU::survivalGPU_sitrep()} checks the installation."
    ),
    class = c("survivalGPU_python_error", "survivalGPU_error"),
    parent = simpleError(conditionMessage(cnd)),
    call = NULL
  )
}

# Counts of concordant and discordant pairs, see concordancefit.R for `rows` and `options`.
concordance_pairs <- function(rows, options, device) {
  device <- resolve_device(device)
  influence <- options$influence >= 2
  dfbeta <- options$influence %in% c(1, 3)
  counted <- call_python("count concordant pairs", function(api) {
    api$concordance(
      x = numpy_vector(as.double(rows$x)),
      y = numpy_matrix(rows$y),
      strata = numpy_vector(ordered_codes(rows$strata)),
      weights = numpy_vector(if (length(rows$weights) > 0) as.double(rows$weights)),
      cluster = numpy_vector(stratum_codes(rows$cluster)),
      time_weight = options$timewt,
      last_time = if (!is.null(options$ymax)) as.double(options$ymax),
      pooled = options$timewt == "I" && is_pooled(rows, options),
      device = device,
      dfbeta = dfbeta,
      influence = influence
    )
  })
  list(
    concordance = as.double(counted$concordance),
    counts = matrix(as.double(counted$counts), ncol = 5L),
    var = as.double(counted$var),
    cvar = as.double(counted$cvar),
    dfbeta = if (dfbeta) as.double(counted$dfbeta),
    influence = if (influence) {
      matrix(as.double(counted$influence), ncol = 5L, dimnames = list(NULL, count_names))
    }
  )
}

# Integers in the order in which survival lists the strata.
ordered_codes <- function(strata) {
  if (length(strata) == 0) {
    # also integer(): survival loses a stratum whose label it deparses in two ways
    NULL
  } else if (is.integer(strata)) {
    strata
  } else {
    as.integer(as.factor(strata))
  }
}

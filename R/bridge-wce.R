# Calls of the Python core for weighted cumulative exposure: see R/bridge.R.

# One fit for each number of knots: see wce_rows() for `rows` and `spells`.
fit_wce_models <- function(rows, spells, nknots, cutoff, constrained, ties, device, control) {
  device <- resolve_device(device)
  result <- call_python("fit the weighted cumulative exposure model", function(api) {
    api$fit_wce(
      rows = python_follow_up(rows),
      spells = if (!is.null(spells)) python_columns(spells),
      n_knots = numpy_vector(as.integer(nknots)),
      cutoff = as.integer(cutoff),
      constrained = constrained,
      ties = ties,
      device = device,
      iter_max = as.integer(control$iter.max),
      eps = as.double(control$eps),
      toler_chol = as.double(control$toler.chol)
    )
  })
  lapply(result$models, function(model) {
    fit <- plain_fit(model, length(model$coefficients), rows = NULL)
    fit$knots <- as.double(model$knots)
    fit$basis <- model$basis
    fit$first <- as.integer(model$first)
    fit
  })
}

python_follow_up <- function(rows) {
  rows$covariates <- numpy_matrix(rows$covariates)
  vectors <- setdiff(names(rows), "covariates")
  rows[vectors] <- lapply(rows[vectors], numpy_vector)
  do.call(reticulate::dict, c(rows, convert = FALSE))
}

# Vectors of one length as a dict of arrays.
python_columns <- function(columns) {
  do.call(reticulate::dict, c(lapply(columns, numpy_vector), convert = FALSE))
}

# Random covariates and times of `n` subjects.
draw_subjects <- function(n, followup, seed) {
  drawn <- call_python("draw subjects", function(api) {
    api$draw_subjects(as.integer(n), as.integer(followup), as.double(seed))
  })
  lapply(drawn[c("age", "sex", "event_days", "censoring_days")], plain_vector)
}

shape_of_weights <- function(shape, cutoff) {
  shaped <- call_python("make weights", function(api) {
    api$shape_of_weights(shape, as.integer(cutoff))
  })
  as.double(shaped$weights)
}

# Rows of a simulated cohort. `variables` are lists of `weights` and `spells`, NULL for random
# courses of treatment.
simulate_rows <- function(seed, times, constant, variables, followup, daily, device) {
  device <- resolve_device(device)
  variables <- lapply(unname(variables), function(variable) {
    reticulate::dict(
      weights = numpy_vector(as.double(variable$weights)),
      spells = if (!is.null(variable$spells)) python_columns(variable$spells),
      convert = FALSE
    )
  })
  simulated <- call_python("simulate a cohort", function(api) {
    api$simulate_cohort(
      seed = as.double(seed),
      times = numpy_vector(times$day),
      event = numpy_vector(times$event),
      constant = numpy_vector(constant),
      variables = variables,
      followup = as.integer(followup),
      daily = daily,
      device = device
    )
  })
  columns <- c("subject", "event", "start", "stop")
  simulated[columns] <- lapply(simulated[columns], plain_vector)
  simulated$values <- lapply(simulated$values, plain_vector)
  simulated
}

# NumPy's vectors come as arrays of one dimension; this copies none of their numbers.
plain_vector <- function(x) {
  dim(x) <- NULL
  x
}

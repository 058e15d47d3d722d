# Calls of the Python core for weighted cumulative exposure: see R/bridge.R.

# list(fits =, models =): a fit for each number of knots, see wce_rows() for `rows` and
# `spells`, and with `keep` what wce_resampler() takes. That is Python's: for the time of one
# bootstrap only, never a part of a result.
fit_wce_models <- function(rows, spells, options, control, keep) {
  device <- resolve_device(options$device)
  result <- call_python("fit the weighted cumulative exposure model", function(api) {
    api$fit_wce(
      rows = python_follow_up(rows),
      spells = if (!is.null(spells)) python_columns(spells),
      n_knots = numpy_vector(as.integer(options$nknots)),
      cutoff = as.integer(options$cutoff),
      constrained = if (is.character(options$constrained)) tolower(options$constrained),
      ties = options$ties,
      device = device,
      iter_max = as.integer(control$iter.max),
      eps = as.double(control$eps),
      toler_chol = as.double(control$toler.chol),
      keep = keep
    )
  })
  fits <- lapply(result$fits, function(model) {
    fit <- plain_fit(model, length(model$coefficients), rows = NULL)
    fit$knots <- as.double(model$knots)
    fit$basis <- model$basis
    fit$first <- as.integer(model$first)
    fit
  })
  list(fits = fits, models = result$models)
}

# The resamples of one of the models, numbered from 1: see bootstrap_resampler().
wce_resampler <- function(models, model, start, seed) {
  made <- call_python("prepare the bootstrap", function(api) {
    api$wce_resampler(models, as.integer(model) - 1L, numpy_vector(start), as.double(seed))
  })
  list(resampler = made$resampler, batch_size = as.integer(made$batch_size))
}

# Sums of the values of subjects over the first `number` resamples.
drawn_totals <- function(seed, number, values) {
  drawn <- call_python("draw subjects", function(api) {
    api$drawn_totals(as.double(seed), as.integer(number), numpy_vector(as.double(values)))
  })
  as.double(drawn$totals)
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

# The bridge of the bootstrap: see R/bridge.R.

# The resamples of some rows, to be given to the two functions below. It is Python's: for the
# time of one bootstrap only, never a part of a result.
bootstrap_resampler <- function(rows, uncentred, start, control, kind, seed, device) {
  device <- resolve_device(device)
  made <- call_python("prepare the bootstrap", function(api) {
    api$bootstrap_resampler(
      rows = resampled_rows(rows),
      ties = rows$ties,
      device = device,
      start = numpy_vector(as.double(start)),
      control = reticulate::dict(
        iter_max = as.integer(control$iter.max),
        eps = as.double(control$eps),
        toler_chol = as.double(control$toler.chol)
      ),
      uncentred = numpy_vector(uncentred),
      kind = kind,
      seed = as.double(seed)
    )
  })
  list(resampler = made$resampler, batch_size = as.integer(made$batch_size))
}

# The replicates `first`, first + 1, ... (from 0), which the resampler draws.
bootstrap_fits <- function(resampler, first, number) {
  plain_replicates(call_python("fit bootstrap replicates", function(api) {
    api$bootstrap_fits(resampler, as.integer(first), as.integer(number))
  }))
}

# Replicates with given copies of the subjects, one column each.
frequency_fits <- function(resampler, frequencies) {
  plain_replicates(call_python("fit bootstrap replicates", function(api) {
    api$frequency_fits(resampler, numpy_matrix(frequencies))
  }))
}

# Baseline hazards of resamples, to be given to replicate_hazards(). It is Python's: for the
# time of one call only.
bootstrap_hazards <- function(rows, centre, times, kind, seed, device) {
  device <- resolve_device(device)
  call_python("prepare survival curves", function(api) {
    api$bootstrap_hazards(
      rows = resampled_rows(rows),
      ties = rows$ties,
      device = device,
      centre = numpy_vector(as.double(centre)),
      times = numpy_vector(as.double(times)),
      kind = kind,
      seed = as.double(seed)
    )
  })$hazards
}

# Resamples by strata by times, for the coefficients of the resamples from `first` (from 0).
replicate_hazards <- function(hazards, coefficients, first, frequencies = NULL) {
  call_python("compute survival curves", function(api) {
    api$replicate_hazards(
      hazards, numpy_matrix(coefficients), as.integer(first),
      if (!is.null(frequencies)) numpy_matrix(frequencies)
    )
  })$hazards
}

# Rows of a fit grouped by subject, as a dict.
resampled_rows <- function(rows) {
  reticulate::dict(
    x = numpy_matrix(rows$x),
    y = numpy_matrix(rows$y),
    strata = numpy_vector(stratum_codes(rows$strata)),
    offset = numpy_vector(rows$offset),
    weights = numpy_vector(if (!is.null(rows$weights)) as.double(rows$weights)),
    subjects = numpy_vector(rows$subjects),
    resampling_strata = numpy_vector(rows$resampling_strata),
    convert = FALSE
  )
}

plain_replicates <- function(fits) {
  list(
    coefficients = matrix(as.double(fits$coefficients), nrow = length(fits$loglik)),
    loglik = as.double(fits$loglik),
    iter = as.integer(fits$iter),
    status = as.character(unlist(fits$status))
  )
}

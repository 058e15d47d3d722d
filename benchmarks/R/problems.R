# Simulated data, the same on every machine. Each function returns a data frame with the outcome
# (`time` or `start`, `stop`, and `status`), covariates `x1`, `x2`, ... and what the case needs
# more: `stratum`, `id`.

follow_up <- 365

covariates <- function(rows, columns) {
  values <- matrix(stats::rnorm(rows * columns), rows)
  colnames(values) <- paste0("x", seq_len(columns))
  values
}

# Alternating signs; the linear predictor's standard deviation is 0.5 whatever their number.
effects <- function(columns) {
  rep_len(c(0.5, -0.5), columns) / sqrt(columns)
}

# A third of the rows or so are events: exponential survival, uniform censoring.
censored_times <- function(risk) {
  death <- stats::rexp(length(risk), exp(risk) / (2 * follow_up))
  dropout <- stats::runif(length(risk), 0, follow_up * 1.6)
  data.frame(time = pmin(death, dropout), status = as.numeric(death <= dropout))
}

right_censored <- function(rows, columns, days = FALSE) {
  x <- covariates(rows, columns)
  outcome <- censored_times(drop(x %*% effects(columns)))
  if (days) outcome$time <- ceiling(outcome$time)
  data.frame(outcome, x)
}

# Strata of equal size whose baseline hazards differ.
stratified <- function(rows, columns, per_stratum) {
  x <- covariates(rows, columns)
  stratum <- sample(rep_len(seq_len(ceiling(rows / per_stratum)), rows))
  level <- stats::rnorm(max(stratum), sd = 0.5)[stratum]
  data.frame(
    censored_times(drop(x %*% effects(columns)) + level), x,
    stratum = as.numeric(stratum)
  )
}

# Clusters of ten rows that share a frailty.
clustered <- function(rows, columns, days = TRUE) {
  x <- covariates(rows, columns)
  id <- sample(rep_len(seq_len(ceiling(rows / 10)), rows))
  frailty <- stats::rnorm(max(id), sd = 0.5)[id]
  outcome <- censored_times(drop(x %*% effects(columns)) + frailty)
  if (days) outcome$time <- ceiling(outcome$time)
  data.frame(outcome, x, id = as.numeric(id))
}

# Patients followed for a year whose dose changes `changes` times on average: a row per spell of one
# dose. Six in a hundred die, the more so the higher the dose at the time.
dose_histories <- function(rows, days = TRUE, changes = 6) {
  # some more than needed: a death cuts a history short
  patients <- ceiling(1.2 * rows / (changes + 1))
  spells <- dose_spells(patients, days, changes)
  hazard <- exp(0.4 * spells$x1) / (12 * follow_up) * (spells$stop - spells$start)
  first <- match(spells$id, spells$id)
  before <- cumsum(hazard) - hazard
  before <- before - before[first]
  threshold <- stats::rexp(patients)[spells$id]
  spells$status <- as.numeric(before <= threshold & threshold < before + hazard)
  share <- pmin((threshold - before) / hazard, 1)
  death <- spells$start + share * (spells$stop - spells$start)
  if (days) death <- ceiling(death)
  spells$stop <- ifelse(spells$status == 1, pmax(death, spells$start + days), spells$stop)
  spells <- spells[before <= threshold, ]
  spells <- spells[seq_len(min(rows, nrow(spells))), ]
  row.names(spells) <- NULL
  spells[c("start", "stop", "status", "x1", "id")]
}

dose_spells <- function(patients, days, changes) {
  changes <- stats::rpois(patients, changes)
  end <- stats::runif(patients, 30, follow_up)
  id <- c(seq_len(patients), rep(seq_len(patients), changes))
  start <- c(rep(0, patients), stats::runif(sum(changes), 0, end[rep(seq_len(patients), changes)]))
  if (days) {
    start <- floor(start)
    end <- ceiling(end)
  }
  order <- order(id, start)
  spells <- data.frame(id = as.numeric(id[order]), start = start[order])
  spells <- spells[!duplicated(spells), ]
  last <- !duplicated(spells$id, fromLast = TRUE)
  spells$stop <- ifelse(last, end[spells$id], c(spells$start[-1], NA))
  spells$x1 <- round(stats::rgamma(nrow(spells), 2, 2), 1) * stats::rbinom(nrow(spells), 1, 0.6)
  spells
}

lung_patients <- function(rows) {
  lung <- survival::lung
  columns <- c("age", "sex", "ph.ecog", "ph.karno")
  lung <- stats::na.omit(lung[c("time", "status", columns)])
  names(lung) <- c("time", "status", paste0("x", seq_along(columns)))
  lung$status <- lung$status - 1
  data.frame(lapply(lung, as.numeric))
}

# ---- on disk -----------------------------------------------------------------------------------

# A folder of one file of doubles per column, which every language reads without a library.
write_problem <- function(rows, folder) {
  dir.create(folder, recursive = TRUE)
  for (name in names(rows)) {
    writeBin(as.double(rows[[name]]), file.path(folder, paste0(name, ".f64")), endian = "little")
  }
  writeLines(names(rows), file.path(folder, "columns"))
}

read_problem <- function(folder) {
  columns <- readLines(file.path(folder, "columns"))
  rows <- lapply(stats::setNames(columns, columns), function(name) {
    read_doubles(file.path(folder, paste0(name, ".f64")))
  })
  # not data.frame(), which would copy
  attr(rows, "row.names") <- .set_row_names(length(rows[[1L]]))
  class(rows) <- "data.frame"
  rows
}

read_doubles <- function(path) {
  readBin(path, "double", file.size(path) / 8, endian = "little")
}

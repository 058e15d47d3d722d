# Simulated cohorts whose true coefficients are known.

# Independent patients, follow-up in weeks, so that several die in the same one; about two in
# three do. Rounding up to weeks moves Efron's estimate by far less than its standard error.
censored_cohort <- function(n, effects = c(x1 = 0.5, x2 = -0.3)) {
  censored_outcome(cbind(stats::rbinom(n, 1, 0.5), stats::rnorm(n)), effects)
}

censored_outcome <- function(x, effects) {
  n <- nrow(x)
  colnames(x) <- paste0("x", seq_len(ncol(x)))
  death <- stats::rexp(n, exp(drop(x %*% effects)) / 40)
  dropout <- stats::runif(n, 20, 100)
  data.frame(time = ceiling(pmin(death, dropout)), status = as.numeric(death <= dropout), x)
}

# Normal covariates, each two of them with the same correlation.
normal_covariates <- function(n, columns, correlation = 0) {
  shared <- stats::rnorm(n)
  own <- matrix(stats::rnorm(n * columns), n)
  sqrt(correlation) * shared + sqrt(1 - correlation) * own
}

# Patients with several events each, whose rates a gamma frailty of variance 1/2 multiplies: the
# rates given the covariates are proportional, but rows of a patient are dependent (Lin, Wei, Yang
# and Ying 2000, JRSS B 62:711). `x1` is the patient's, `x2` changes every 90 days.
recurrent_cohort <- function(n, effects = c(x1 = 0.5, x2 = -0.4)) {
  end <- stats::runif(n, 180, 360)
  frailty <- stats::rgamma(n, 2, 2)
  x1 <- stats::rbinom(n, 1, 0.5)
  id <- rep(seq_len(n), ceiling(end / 90))
  start <- 90 * (sequence(ceiling(end / 90)) - 1)
  periods <- data.frame(id, start, stop = ceiling(pmin(start + 90, end[id])))
  periods <- periods[periods$stop > periods$start, ]
  periods$x1 <- x1[periods$id]
  periods$x2 <- stats::rbinom(nrow(periods), 1, 0.5)
  risk <- drop(as.matrix(periods[c("x1", "x2")]) %*% effects)
  rate <- frailty[periods$id] * exp(risk) * 2 / 360
  split_at_events(periods, stats::rpois(nrow(periods), rate * (periods$stop - periods$start)))
}

# A row ends at each event and at the end of its period; a patient's events on one day are one.
split_at_events <- function(periods, n_events) {
  of <- rep(seq_len(nrow(periods)), n_events)
  day <- periods$start[of] +
    ceiling(stats::runif(length(of)) * (periods$stop - periods$start)[of])
  rows <- rbind(
    data.frame(period = of, stop = day, status = rep(1, length(of))),
    data.frame(period = seq_len(nrow(periods)), stop = periods$stop, status = 0)
  )
  rows <- rows[order(rows$period, rows$stop, -rows$status), ]
  rows <- rows[!duplicated(rows[c("period", "stop")]), ]
  first <- !duplicated(rows$period)
  start <- ifelse(first, periods$start[rows$period], c(0, rows$stop[-nrow(rows)]))
  data.frame(periods[rows$period, c("id", "x1", "x2")], start, rows[c("stop", "status")],
    row.names = NULL
  )
}

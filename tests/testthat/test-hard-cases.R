library(survival)

withr::local_options(survivalGPU.device = "cpu", .local_envir = teardown_env())

test_that("columns that say nothing get NA", {
  skip_if_no_python()
  data <- transform(simulated(150), one = 1, zero = 0, large = 1e6, twice = 2 * x)
  data$group_2 <- data$group == "b"
  expect_same_both_ways(quote(coxph(Surv(time, status) ~ x + one + z, data)))
  expect_same_both_ways(quote(coxph(Surv(time, status) ~ one, data)))
  expect_same_both_ways(quote(coxph(Surv(time, status) ~ zero + x, data)))
  expect_same_both_ways(quote(coxph(Surv(time, status) ~ large + one, data)))
  expect_same_both_ways(quote(coxph(Surv(time, status) ~ x + twice + z, data)))
  expect_same_both_ways(quote(coxph(Surv(time, status) ~ twice + x, data, cluster = group)))
  expect_same_both_ways(quote(coxph(Surv(time, status) ~ group_2 + group, data)))
  expect_same_both_ways(quote(coxph(Surv(time, status) ~ x + twice, data, singular.ok = FALSE)))
  # constant in each stratum
  expect_same_both_ways(quote(coxph(Surv(time, status) ~ x + z + strata(z), data)))
})

test_that("an infinite coefficient has survival's warning", {
  skip_if_no_python()
  data <- transform(simulated(60), dead = status, late = rank(time) > 30)
  theirs <- expect_same_outcome(
    quote(coxph(Surv(time, status) ~ dead + x, data)), divergent_tolerance
  )
  expect_match(theirs$warnings, "coefficient may be infinite")
  theirs <- expect_same_outcome(
    quote(coxph(Surv(start, time, status) ~ dead + x, data)), divergent_tolerance
  )
  expect_match(theirs$warnings, "beta may be infinite")
  expect_same_outcome(quote(coxph(Surv(time, status) ~ late, data)), divergent_tolerance)
  # Two at once: the information is what is left of 1 - mean where the mean of an indicator
  # in the risk set is 1 - 1e-10, so that six digits are all there is, in coxph too.
  expect_same_outcome(quote(coxph(Surv(time, status) ~ dead + late + x, data)), 1e-5)
})

test_that("data without events are coxph's outcome", {
  data <- transform(simulated(20), none = 0, few = NA)
  data$few[data$status == 0] <- 1
  expect_same_both_ways(quote(coxph(Surv(time, none) ~ x, data)))
  expect_same_both_ways(quote(coxph(Surv(time, none) ~ x + strata(group), data)))
  expect_same_both_ways(quote(coxph(Surv(time, none) ~ 1, data)))
  # every event has a missing value
  expect_same_both_ways(quote(coxph(Surv(time, status) ~ x + few, data)))
  data$none <- NA
  expect_same_both_ways(quote(coxph(Surv(time, status) ~ none, data)))
  expect_same_both_ways(quote(coxph(Surv(time, status) ~ x, data[0, ])))
})

test_that("one row fits", {
  skip_if_no_python()
  event <- data.frame(time = 2, status = 1, x = 3, s = 1)
  expect_same_both_ways(quote(coxph(Surv(time, status) ~ x, event)))
  expect_same_both_ways(quote(coxph(Surv(time, status) ~ x + strata(s), event)))
  expect_same_both_ways(quote(coxph(Surv(time, status) ~ 1, event)))
  expect_same_both_ways(quote(coxph(Surv(time, status - 1) ~ x, event)))
})

test_that("strata without events, with one event and of one row add nothing they should not", {
  skip_if_no_python()
  data <- simulated(200)
  data$status[data$group %in% c("a", "c")] <- 0
  expect_same_both_ways(quote(coxph(Surv(time, status) ~ x + z + strata(group), data)))
  data$status[which(data$group == "a")[3]] <- 1
  expect_same_both_ways(quote(coxph(Surv(time, status) ~ x + z + strata(group), data)))
  data$group[c(5, 9)] <- c("y", "z")
  expect_same_both_ways(
    quote(coxph(Surv(time, status) ~ x + z + strata(group), data, ties = "breslow"))
  )
  # one event in all, of middling x
  first <- which(data$time < 5 & data$group == "b")
  middle <- first[order(data$x[first])[length(first) %/% 2]]
  data$status <- as.integer(seq_len(200) == middle)
  expect_same_outcome(quote(coxph(Surv(time, status) ~ x + strata(group), data)))
  expect_same_both_ways(
    quote(coxph(Surv(time, status) ~ z + strata(group), data)), divergent_tolerance
  )
})

test_that("weights are refused where survival refuses them", {
  skip_if_no_python()
  data <- transform(simulated(80), w = 1:80 %% 3L, v = as.integer(1 + 1:80 %% 3))
  expect_same_both_ways(quote(coxph(Surv(time, status) ~ x, data, weights = w)))
  expect_same_both_ways(quote(coxph(Surv(time, status) ~ x, data, weights = w - 1)))
  expect_same_both_ways(quote(coxph(Surv(time, status) ~ 1, data, weights = -v)))
  expect_same_both_ways(quote(coxph(Surv(time, status) ~ x, data, weights = group)))
  expect_same_both_ways(quote(coxph(Surv(time, status) ~ x, data, weights = v[1:3])))
  expect_same_both_ways(quote(coxph(Surv(time, status) ~ x, data, weights = v)))
  expect_same_both_ways(quote(coxph(Surv(time, status) ~ x, data, weights = v / 1e8)))
  expect_same_both_ways(quote(coxph(Surv(time, status) ~ x, data, weights = v * 1e8)))
  data$w[data$w == 0] <- NA
  expect_same_both_ways(quote(coxph(Surv(time, status) ~ x, data, weights = w)))
})

test_that("hundreds of ties agree", {
  skip_if_no_python()
  data <- transform(simulated(3000), month = ceiling(time / 30), year = 1)
  expect_gt(max(table(data$month[data$status == 1])), 500)
  # `ties` is looked up in the calling frame
  for (ties in c("efron", "breslow")) {
    expect_same_both_ways(quote(coxph(Surv(month, status) ~ x + z, data, ties = ties)))
    expect_same_both_ways(quote(coxph(Surv(year, status) ~ x + z, data, ties = ties)))
    expect_same_both_ways(
      quote(coxph(Surv(month, status) ~ x + strata(group), data, ties = ties, weights = 1 + z))
    )
  }
})

test_that("times that differ by rounding are tied unless the user says not", {
  skip_if_no_python()
  data <- simulated(120)
  off <- 1e-12 * withr::with_seed(2, sample(-2:2, 120, replace = TRUE))
  data$time <- ceiling(data$time / 5)
  data$near <- data$time + off
  tied <- quote(coxph(Surv(near, status) ~ x + z, data))
  loose <- quote(
    coxph(Surv(near, status) ~ x + z, data, control = coxph.control(timefix = FALSE))
  )
  fixed <- expect_same_both_ways(tied)
  expect_same_outcome(tied)
  expect_same_both_ways(loose)
  expect_same_outcome(
    quote(coxph(Surv(off, near, status) ~ x + z + strata(group), data))
  )
  expect_equal(coef(coxphGPU(Surv(near, status) ~ x + z, data)),
    coef(coxph(Surv(time, status) ~ x + z, data)),
    tolerance = rounding_tolerance
  )
  expect_gt(max(abs(coef(eval(loose)) - coef(eval(tied)))), 1e-4)
  expect_null(fixed$error)
})

test_that("factors, interactions and empty levels are survival's", {
  skip_if_no_python()
  data <- transform(
    simulated(200),
    factor = factor(group, levels = c("none", "b", "a", "d", "c", "never")),
    ordered = factor(group, ordered = TRUE),
    kind = factor(ifelse(z == 1, "yes", "no"))
  )
  expect_same_both_ways(quote(coxph(Surv(time, status) ~ factor, data)))
  expect_same_both_ways(quote(coxph(Surv(time, status) ~ factor * x, data)))
  expect_same_both_ways(quote(coxph(Surv(time, status) ~ ordered * kind, data)))
  expect_same_both_ways(quote(coxph(Surv(time, status) ~ kind:factor, data)))
  expect_same_both_ways(quote(coxph(Surv(time, status) ~ x * strata(factor), data)))
  expect_same_both_ways(quote(coxph(Surv(time, status) ~ kind %in% "yes" + x:z - x, data)))
  expect_same_both_ways(quote(coxph(Surv(time, status) ~ group + 0, data)))
  expect_same_both_ways(
    quote(coxph(Surv(time, status) ~ x + strata(factor), data, subset = factor != "a"))
  )
  # a level, and a stratum, that the subset empties
  expect_same_both_ways(
    quote(coxph(Surv(time, status) ~ factor + strata(kind), data, subset = group != "b"))
  )
})

test_that("missing times, states and entries are dropped as coxph drops them", {
  skip_if_no_python()
  data <- simulated(100)
  data$time[3:6] <- NA
  data$status[c(10, 20)] <- NA
  data$start[c(30, 31)] <- NA
  data$x[50:55] <- NA
  for (action in c("na.omit", "na.exclude")) {
    expect_same_both_ways(
      quote(coxph(Surv(time, status) ~ x + strata(group), data, na.action = action))
    )
    expect_same_outcome(
      quote(coxph(Surv(start, time, status) ~ x + z, data, na.action = action))
    )
  }
  expect_same_both_ways(quote(coxph(Surv(time, status) ~ x, data, na.action = na.fail)))
  expect_same_both_ways(quote(coxph(Surv(time, status) ~ x, data, na.action = na.pass)))
})

test_that("two rows a stratum, many strata", {
  skip_if_no_python()
  # the same with a million strata takes a minute, most of it in coxph
  pairs <- simulated(1e5)
  pairs$pair <- rep(seq_len(5e4), 2)
  pairs$time <- pairs$time + pairs$pair %% 7 / 10
  expect_same_outcome(quote(coxph(Surv(time, status) ~ x + z + strata(pair), pairs)))
  expect_same_outcome(
    quote(coxph(Surv(start, time, status) ~ x + z + strata(pair), pairs, ties = "breslow"))
  )
})

test_that("five hundred columns fit", {
  skip_if_no_python()
  data <- simulated(1200)
  data$wide <- withr::with_seed(3, matrix(rnorm(1200 * 500), 1200))
  expect_same_outcome(quote(coxph(Surv(time, status) ~ wide, data)))
  expect_same_outcome(quote(coxph(Surv(start, time, status) ~ wide, data, iter.max = 1)))
})

test_that("more columns than rows go where they go with coxph", {
  skip_if_no_python()
  few <- simulated(25)
  few$wide <- withr::with_seed(3, matrix(rnorm(25 * 40), 25))
  expect_same_outcome(
    quote(coxph(Surv(start, time, status) ~ wide, few, iter.max = 4))
  )
  # With right-censored data the second step is lost in rounding: coxph's coefficients
  # move by up to 5 standard errors where those of x do in the last bit.
  expect_same_start <- function(call) {
    fits <- fit_both(call)
    ours <- fits$ours$value
    theirs <- fits$theirs$value
    expect_equal(ours$loglik[1], theirs$loglik[1], tolerance = rounding_tolerance)
    expect_equal(ours$score, theirs$score, tolerance = rounding_tolerance)
    expect_identical(names(coef(ours)), names(coef(theirs)))
    expect_identical(
      substr(fits$ours$warnings, 1, 24), substr(fits$theirs$warnings, 1, 24)
    )
    fits
  }
  first <- expect_same_start(quote(coxph(Surv(time, status) ~ wide, few, iter.max = 1)))
  expect_equal(
    coef(first$ours$value), coef(first$theirs$value),
    tolerance = rounding_tolerance
  )
  last <- expect_same_start(quote(coxph(Surv(time, status) ~ wide, few)))
  expect_identical(last$ours$value$iter, last$theirs$value$iter)
})

test_that("a hundred thousand copies of few rows fit", {
  skip_if_no_python()
  data <- simulated(12)[rep(1:12, length.out = 1e5), ]
  expect_same_outcome(quote(coxph(Surv(time, status) ~ x + z, data)))
  expect_same_outcome(quote(coxph(Surv(start, time, status) ~ x + z, data)))
  expect_same_outcome(
    quote(coxph(Surv(time, status) ~ x + strata(group), data, ties = "breslow"))
  )
})

test_that("starts may be negative or infinite where survival takes them", {
  skip_if_no_python()
  data <- simulated(100)
  data$before <- data$start - 200
  expect_same_outcome(quote(coxph(Surv(before, time, status) ~ x + z, data)))
  expect_same_outcome(quote(coxph(Surv(before - 1, before, status) ~ x + z, data)))
  data$before[1:20] <- -Inf
  expect_same_outcome(quote(coxph(Surv(before, time, status) ~ x + z, data)))
  expect_same_outcome(quote(coxph(
    Surv(before, time, status) ~ x + z, data,
    control = coxph.control(timefix = FALSE)
  )))
  data$time[3] <- Inf
  expect_same_outcome(quote(coxph(Surv(start, time, status) ~ x + z, data)))
})

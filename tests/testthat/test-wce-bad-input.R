# Each with its message.

withr::local_options(survivalGPU.device = "cpu", .local_envir = teardown_env())

rows <- data.frame(
  Id = c(1, 1, 2, 3), Start = c(0, 5, 0, 0), Stop = c(5, 9, 8, 7), Event = c(0, 1, 0, 1),
  dose = c(0, 1, 1, 0), age = c(50, 50, 61, 43)
)

expect_refused <- function(call, message, frame = parent.frame()) {
  cnd <- expect_error(eval(call, frame), message, class = "survivalGPU_invalid_argument")
  expect_match(deparse1(conditionCall(cnd)), "^(wceGPU|fit_wce|simulate_cohort)")
}

test_that("arguments of the model are checked", {
  fit <- function(...) fit_wce(rows, ...)
  refuse <- function(message, ...) {
    expect_error(fit(...), message, class = "survivalGPU_invalid_argument")
  }
  for (nknots in list(0, 1.5, NA, "2", numeric(), c(1, -1))) {
    refuse("nknots.*whole numbers", nknots = nknots, cutoff = 5)
  }
  refuse("nknots", cutoff = 5)
  for (cutoff in list(0, 2.5, NA, "5", 5:6)) {
    refuse("cutoff.*one whole number", nknots = 1, cutoff = cutoff)
  }
  for (constrained in list("both", TRUE, NA, c("Left", "Right"), 1)) {
    refuse("constrained.*FALSE", nknots = 1, cutoff = 5, constrained = constrained)
  }
  refuse("case-control", nknots = 1, cutoff = 5, analysis = "NCC")
  refuse("must be .*Cox", nknots = 1, cutoff = 5, analysis = "Weibull")
  refuse("no matched sets", nknots = 1, cutoff = 5, MatchedSet = "age")
  refuse("controls", nknots = 1, cutoff = 5, controls = 3)
  expect_error(fit(nknots = 1, cutoff = 5, knots = 3), class = "rlib_error_dots_nonempty")
  expect_error(fit(nknots = 1, cutoff = 5, aic = 1), "aic")
  expect_error(fit(nknots = 1, cutoff = 5, ties = "exact"), "should be one of")
  expect_error(fit(nknots = 1, cutoff = 5, device = "gpu"), class = "survivalGPU_invalid_device")
  expect_error(wceGPU(rows, nknots = 1, cutoff = 5, event = "Event"), "id.*it is missing")
})

test_that("columns are checked", {
  fit <- function(data, ...) fit_wce(data, nknots = 1, cutoff = 5, ...)
  refuse <- function(message, data, ...) {
    expect_error(fit(data, ...), message, class = "survivalGPU_invalid_argument")
  }
  refuse("must be a data frame", as.list(rows))
  refuse("no rows", rows[0, ])
  refuse("start.*no column .Start", rows[-2])
  refuse("covariates.*no column .sex", rows, covariates = "sex")
  refuse("covariates.*names", rows, covariates = 6)
  refuse("covariates.*categories", transform(rows, age = factor(age)), covariates = "age")
  refuse("weights.*not positive", transform(rows, w = -1:2), weights = "w")
  for (key in names(rows)[1:5]) {
    missing <- rows
    missing[[key]][3:4] <- NA
    refuse("has 2 missing values, the first in row 3", missing)
  }
  refuse("age.*1 missing value, the first in row 2", {
    transform(rows, age = replace(age, 2, NA))
  }, covariates = "age")
  refuse("stop.*must hold numbers", transform(rows, Stop = as.character(Stop)))
  refuse("expos.*infinite", transform(rows, dose = replace(dose, 2, Inf)))
})

test_that("rows of follow-up are checked", {
  skip_if_no_python()
  refuse <- function(message, ...) {
    data <- transform(rows, ...)
    expect_refused(quote(fit_wce(data, nknots = 1, cutoff = 5)), message, environment())
  }
  refuse("start.*overlap.*row 2", Start = c(0, 4, 0, 0))
  refuse("start.*gap.*row 2", Start = c(0, 6, 0, 0))
  refuse("stop.*end at or before their start.*row 3", Stop = c(5, 9, 0, 7))
  refuse("stop.*not whole.*8.5 in row 3", Stop = c(5, 9, 8.5, 7))
  refuse("event.*holds 2 in row 4", Event = c(0, 1, 0, 2))
  refuse("event.*no event", Event = 0)
  refuse("event.*1 subject.s. have more than one event", Event = c(1, 1, 0, 1))
  refuse("event.*come after an event.*row 2", Event = c(1, 0, 0, 1))
  expect_refused(
    quote(fit_wce(rows, nknots = 1, cutoff = 20)),
    "cutoff must be smaller than the longest\\s+follow-up time"
  )
  expect_refused(quote(fit_wce(rows, nknots = 8, cutoff = 6)), "8 knots do not fit")
})

test_that("spells of exposure are checked", {
  skip_if_no_python()
  spells <- data.frame(id = 1:3, start = 0, stop = 4, dose = 1)
  refuse <- function(message, exposures) {
    expect_refused(
      quote(fit_wce(rows, nknots = 1, cutoff = 5, exposures = exposures)), message, environment()
    )
  }
  refuse("must be a data frame", list(id = 1))
  refuse("exposures.*no column .dose", spells[-4])
  refuse(
    "exposures.*1 subject is not in the data, the first is 9", transform(spells, id = c(9, 1, 2))
  )
  refuse("exposures.*dose.*1 missing value", transform(spells, dose = c(1, NA, 1)))
  refuse("exposures.*end at or before.*row 2", transform(spells, stop = c(4, -1, 4)))
  refuse("exposures.*not whole", transform(spells, start = 0.25))
})

test_that("arguments of simulate_cohort() are checked", {
  skip_if_no_python()
  refuse <- function(message, ...) {
    arguments <- utils::modifyList(list(n = 10, cutoff = 20, seed = 1), list(...))
    call <- as.call(c(quote(simulate_cohort), arguments))
    expect_refused(call, message)
  }
  refuse("n.*whole number", n = 0)
  refuse("no shape .*sine", weight = "sine")
  refuse("weight", weight = c(1, NA))
  refuse("weight.*function that returns 20", weight = function(u) 1)
  refuse("effect", effect = "large")
  refuse("seed", seed = -1)
  refuse("seed", seed = 1.5)
  refuse("covariates.*10 subjects", covariates = data.frame(x = 1:3))
  refuse("coefficients.*age.*sex", coefficients = c(weight = 2))
  refuse("event_times.*10 positive", event_times = 1:9)
  refuse("censoring_times.*10 positive", censoring_times = 0:9)
  refuse("exposures.*11", exposures = data.frame(id = 11, start = 0, stop = 2, dose = 1))
  refuse("varying.*no column .stop", varying = data.frame(id = 1, start = 0, z = 1))
})

library(survival)

ours <- function(...) {
  engine <- engine_environment("cpu")
  engine$concordancefit(...)
}
theirs <- get("concordancefit", asNamespace("survival"))

expect_same_counts <- function(..., label = "the concordance") {
  expect_same_result(ours(...), theirs(...), label = label)
}

# All that can be asked for at once.
expect_same_concordance <- function(..., label = "the concordance") {
  expect_same_counts(..., label = label)
  expect_same_counts(..., influence = 3, ranks = TRUE, label = paste(label, "with influence"))
  expect_same_counts(..., influence = 1, reverse = TRUE, label = paste(label, "reversed"))
  expect_same_counts(
    ...,
    influence = 2, ranks = TRUE, reverse = TRUE, label = paste(label, "reversed, with ranks")
  )
}

lung_rows <- stats::na.omit(lung[c("time", "status", "age", "ph.karno", "sex", "inst", "wt.loss")])
y_lung <- Surv(lung_rows$time, lung_rows$status)
y_heart <- Surv(heart$start, heart$stop, heart$event)
y_colon <- with(colon, Surv(time, status))
nafld_rows <- nafld1[seq(1, nrow(nafld1), 6), ]
y_entry <- with(nafld_rows, Surv(age, age + futime / 365.25 + 0.01, status))

test_that("right-censored counts are survival's", {
  skip_if_no_python()
  expect_same_concordance(y_lung, lung_rows$age + lung_rows$wt.loss / 7, label = "few ties")
  expect_same_concordance(y_lung, lung_rows$ph.karno, label = "tied predictors")
  expect_same_concordance(y_lung, lung_rows$sex == 1, label = "two predictors")
  expect_same_concordance(y_lung, rep(1L, nrow(lung_rows)), label = "one predictor")
  expect_same_concordance(
    y_lung, lung_rows$age,
    weights = lung_rows$wt.loss + 30, label = "weights"
  )
  expect_same_concordance(y_lung, lung_rows$age, cluster = lung_rows$inst, label = "cluster")
  expect_same_concordance(
    y_lung, lung_rows$age, NULL, 1 + lung_rows$inst / 3,
    cluster = factor(lung_rows$inst, levels = 1:40), label = "weights and clusters"
  )
  expect_same_concordance(y_colon, colon$nodes * 0 + colon$age, label = "two rows a patient")
})

test_that("(start, stop] counts are survival's", {
  skip_if_no_python()
  expect_same_concordance(y_heart, heart$age + heart$year, label = "few ties")
  expect_same_concordance(y_heart, heart$surgery, label = "tied predictors")
  expect_same_concordance(
    y_heart, round(heart$age),
    weights = heart$year + 1, cluster = heart$id, label = "weights and clusters"
  )
  expect_same_concordance(y_entry, nafld_rows$age, label = "delayed entry")
  expect_same_concordance(
    y_entry, nafld_rows$id %% 17,
    strata = nafld_rows$male, weights = 1 + nafld_rows$id %% 3, label = "delayed entry, strata"
  )
})

test_that("counts by strata are survival's", {
  skip_if_no_python()
  for (keep in list(10, TRUE, FALSE, 1, 100)) {
    label <- paste("strata, keepstrata =", keep)
    expect_same_concordance(
      y_lung, lung_rows$age,
      strata = lung_rows$sex, keepstrata = keep, label = label
    )
    # a stratum without events has no table of ranks, in which survival fails
    expect_same_counts(
      y_lung, lung_rows$age,
      strata = factor(lung_rows$inst), influence = 3, keepstrata = keep, label = label
    )
    expect_same_counts(
      y_heart, heart$age, heart$id,
      influence = 3, keepstrata = keep, label = label
    )
  }
  expect_same_concordance(
    y_colon, colon$age, c("b", "a")[colon$etype],
    weights = 1 + colon$sex / 3, label = "strata by name, weights"
  )
  pairs <- Surv(retinopathy$futime, retinopathy$status)
  expect_same_counts(pairs, retinopathy$risk, retinopathy$id, influence = 3)
  expect_same_counts(pairs, retinopathy$risk, retinopathy$id, cluster = retinopathy$laser)
  expect_same_counts(
    with(colon, Surv(time, status)), colon$age, colon$id,
    weights = 1 + colon$sex, label = "thousand strata"
  )
})

test_that("time weights are survival's", {
  skip_if_no_python()
  for (timewt in c("n", "S", "S/G", "n/G2", "I")) {
    expect_same_concordance(y_lung, lung_rows$ph.karno, timewt = timewt, label = timewt)
    expect_same_concordance(
      y_lung, lung_rows$age, lung_rows$sex, 1 + lung_rows$wt.loss^2,
      timewt = timewt, label = paste(timewt, "with strata and weights")
    )
    expect_same_counts(
      y_lung, lung_rows$age, lung_rows$inst,
      timewt = timewt, influence = 3, keepstrata = TRUE,
      label = paste(timewt, "with many strata, some with one event")
    )
    expect_same_concordance(
      y_colon, colon$age, colon$etype,
      timewt = timewt, ymin = 0, ymax = 1200, label = paste(timewt, "with a last time")
    )
  }
})

test_that("first and last times are survival's", {
  skip_if_no_python()
  expect_same_concordance(y_lung, lung_rows$age, ymax = 300)
  expect_same_concordance(y_heart, heart$age, ymax = 100)
  expect_same_concordance(y_lung, lung_rows$age, ymin = 90, label = "a censored time is earlier")
  deaths <- Surv(lung$time)
  expect_same_concordance(deaths, lung$age, ymin = 90, ymax = 700, timewt = "S")
  expect_same_counts(
    y_lung, lung_rows$age, lung_rows$inst,
    ymax = 300, keepstrata = FALSE, label = "many strata and a last time"
  )
})

# survival 3.5-3 stops with an error for strata, and crashes for (start, stop] data
test_that("without a standard error the counts are the same", {
  skip_if_no_python()
  expect_same_counts(y_lung, lung_rows$age, std.err = FALSE, influence = 3, ranks = TRUE)
  expect_same_counts(y_lung, lung_rows$age, timewt = "S/G", reverse = TRUE, std.err = FALSE)
  short <- c("concordance", "count", "n")
  expect_identical(
    ours(y_heart, heart$age, heart$surgery, std.err = FALSE),
    ours(y_heart, heart$age, heart$surgery)[short]
  )
})

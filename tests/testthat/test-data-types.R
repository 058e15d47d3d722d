library(survival)

withr::local_options(survivalGPU.device = "cpu", .local_envir = teardown_env())

test_that("covariates of every type give coxph's columns", {
  skip_if_no_python()
  data <- transform(
    simulated(120),
    whole = as.integer(10 * x),
    logical = z == 1,
    day = as.Date("2020-01-01") + round(100 * x),
    moment = as.POSIXct("1970-01-02", tz = "UTC") + 3600 * x,
    wait = as.difftime(5 + x^2, units = "weeks"),
    small = structure(z, class = "AsIs")
  )
  data$pair <- cbind(a = data$x, b = data$z)
  data$unnamed <- matrix(c(data$x, data$z^2 - data$x), ncol = 2)
  data$table <- table(rep(1:4, 30))[rep(1:4, 30)]
  for (model in rlang::exprs(
    whole + logical, logical * x, group, group:logical, day, day + moment, wait + x,
    small, pair, pair:z, pair[, "a"] + unnamed, table, x + strata(logical),
    strata(whole > 0L) + x, x + strata(day > as.Date("2020-02-01")), scale(x) + poly(whole, 2)
  )) {
    formula <- rlang::inject(Surv(time, status) ~ !!model)
    expect_same_both_ways(rlang::expr(coxph(!!formula, data)))
  }
  expect_same_both_ways(quote(coxph(Surv(time, status) ~ x, data, cluster = group)))
  expect_same_both_ways(quote(coxph(Surv(time, status) ~ x, data, weights = whole + 50L)))
  expect_same_both_ways(quote(coxph(Surv(time, status) ~ x + offset(as.integer(z)), data)))
  expect_same_both_ways(quote(coxph(Surv(time, status) ~ x, data, id = day)))
})

test_that("complex and list covariates are refused as by coxph", {
  data <- simulated(20)
  data$number <- complex(real = data$x, imaginary = 1)
  data$list <- as.list(data$x)
  expect_same_both_ways(quote(coxph(Surv(time, status) ~ number, data)))
  expect_same_both_ways(quote(coxph(Surv(time, status) ~ list, data)))
})

test_that("states of every coding are read as survival reads them", {
  skip_if_no_python()
  data <- transform(simulated(80), dead = status + 1, logical = status == 1)
  data$integer <- as.integer(data$dead)
  data$single <- 2
  data$factor <- factor(data$status)
  data$days <- as.integer(data$time)
  data$since <- as.difftime(data$time, units = "days")
  expect_same_both_ways(quote(coxph(Surv(time, dead) ~ x, data)))
  expect_same_both_ways(quote(coxph(Surv(time, dead == 2) ~ x, data)))
  expect_same_both_ways(quote(coxph(Surv(time, logical) ~ x, data)))
  expect_same_both_ways(quote(coxph(Surv(days, integer) ~ x, data)))
  expect_same_both_ways(quote(coxph(Surv(since, status) ~ x, data)))
  expect_same_outcome(quote(coxph(Surv(time, single) ~ x, data)))
  expect_same_outcome(quote(coxph(Surv(start, time, single) ~ x, data)))
  expect_same_outcome(quote(coxph(Surv(time) ~ x, data)))
  expect_same_outcome(quote(coxph(Surv(time, status, type = "right") ~ x, data)))
  expect_same_outcome(quote(coxph(Surv(time, factor) ~ x, data, id = seq_along(x))))
})

test_that("a tibble and a data.table are data frames", {
  skip_if_no_python()
  data <- simulated(100)
  data$x[c(4, 40)] <- NA
  if (requireNamespace("tibble", quietly = TRUE)) {
    tibble <- tibble::as_tibble(data)
    expect_same_both_ways(quote(coxph(Surv(time, status) ~ x + group, tibble, model = TRUE)))
    expect_same_both_ways(
      quote(coxph(Surv(time, status) ~ x, tibble, subset = z == 1, weights = z + 1))
    )
  }
  if (requireNamespace("data.table", quietly = TRUE)) {
    table <- data.table::as.data.table(data)
    expect_same_both_ways(quote(coxph(Surv(time, status) ~ x + group, table, model = TRUE)))
    expect_same_both_ways(
      quote(coxph(Surv(time, status) ~ x, table, cluster = group, na.action = na.exclude))
    )
  }
  list <- as.list(data)
  expect_same_both_ways(quote(coxph(Surv(time, status) ~ x + group, list)))
  environment <- list2env(data)
  expect_same_both_ways(quote(coxph(Surv(time, status) ~ x + group, environment)))
})

test_that("row names of every kind name the residuals", {
  skip_if_no_python()
  data <- simulated(60)
  rownames(data) <- sprintf("patient %d", rev(seq_len(60)))
  expect_same_both_ways(quote(coxph(Surv(time, status) ~ x, data)))
  expect_same_both_ways(quote(coxph(Surv(time, status) ~ x, data[data$z == 1, ])))
  expect_same_both_ways(
    quote(coxph(Surv(time, status) ~ x, data, subset = z == 1, na.action = na.exclude))
  )
})

test_that("columns may have the names of arguments and of our own variables", {
  skip_if_no_python()
  names <- c(
    names(formals(coxphGPU)), "engine", "engine_call", "fit", "frame", "matched",
    "user_call", "coxph", "coxphGPU", "survivalGPU", "coxph_engine", "T", "F", "c",
    "if", "a b", "\u00e9t\u00e9", ".x"
  )
  names <- setdiff(names, "...")
  base <- simulated(300)
  # ten at a time, to have no more coefficients than the data can tell apart
  for (some in split(names, seq_along(names) %/% 10)) {
    data <- base
    data[some] <- withr::with_seed(1, matrix(rnorm(300 * length(some)), 300))
    terms <- Reduce(function(left, right) call("+", left, right), lapply(some, as.name))
    formula <- rlang::inject(Surv(time, status) ~ !!terms)
    expect_same_outcome(rlang::expr(coxph(!!formula, data)))
  }
  renamed <- stats::setNames(base, c("formula", "data", "device", "T", "fit", "weights"))
  # nolint start: T_and_F_symbol_linter.
  expect_same_outcome(quote(
    coxph(Surv(weights, fit) ~ formula * data + strata(device), renamed, subset = T > 0)
  ))
  # nolint end
})

test_that("variables outside the data are found in the calling function", {
  skip_if_no_python()
  base <- simulated(60)
  fit_inside <- function(fit) {
    # nolint start: object_usage_linter, object_name_linter, T_and_F_symbol_linter.
    T <- base$time
    device <- base$x
    engine <- base$z
    frame <- "b"
    fit(Surv(T, base$status) ~ device + engine, subset = base$group != frame)
    # nolint end
  }
  ours <- fit_inside(coxphGPU)
  theirs <- fit_inside(coxph)
  expect_equal(coef(ours), coef(theirs), tolerance = rounding_tolerance)
  expect_identical(ours$n, theirs$n)
})

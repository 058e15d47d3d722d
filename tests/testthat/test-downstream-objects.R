library(survival)

withr::local_options(survivalGPU.device = "cpu", .local_envir = teardown_env())

kinds <- names(downstream_calls)

test_that("a fit read back is the fit", {
  skip_if_no_python()
  for (kind in kinds) {
    fit <- downstream_fits(kind)$ours
    file <- withr::local_tempfile()
    saveRDS(fit, file)
    # formulas come back with an environment of their own
    expect_equal(readRDS(file), fit, tolerance = 0, ignore_formula_env = TRUE, label = kind)
  }
})

test_that("a fit read back in a fresh session predicts without Python", {
  skip_if_no_python()
  folder <- withr::local_tempdir()
  path <- function(name) file.path(folder, name)
  one_state <- setdiff(kinds, "multistate")
  for (kind in kinds) {
    fits <- downstream_fits(kind)
    saveRDS(fits[c("ours", "theirs")], path(kind))
    saveRDS(fits$frame$cases, path(paste0(kind, "-cases")))
  }
  session <- fresh_session(c(
    sprintf("setwd('%s')", folder),
    "asked <- function(fit, cases) list(",
    "  if (!inherits(fit, 'coxphms')) predict(fit, cases, type = 'risk', se.fit = TRUE),",
    "  survfit(fit, newdata = cases), vcov(fit), summary(fit)",
    ")",
    sprintf("for (kind in c(%s)) {", paste0("'", kinds, "'", collapse = ", ")),
    "  fits <- readRDS(kind)",
    "  cases <- readRDS(paste0(kind, '-cases'))",
    "  saveRDS(lapply(fits, asked, cases), paste0(kind, '-answers'))",
    "}",
    "cat(reticulate::py_available(initialize = FALSE))"
  ), env = "RETICULATE_PYTHON=/no/such/python")
  expect_identical(session$out, "FALSE")
  expect_null(session$status)
  for (kind in kinds) {
    answers <- readRDS(path(paste0(kind, "-answers")))
    expect_same_result(answers$ours, answers$theirs, rounding_tolerance, kind)
  }
})

test_that("a fit holds vectors and language only", {
  skip_if_no_python()
  kinds_of_parts <- function(x) {
    if (is.list(x)) unlist(lapply(x, kinds_of_parts)) else typeof(x)
  }
  for (kind in kinds) {
    found <- kinds_of_parts(unclass(downstream_fits(kind)$ours))
    expect_identical(
      setdiff(found, c("double", "integer", "character", "logical", "language", "NULL", "symbol")),
      character(),
      label = kind
    )
  }
})

test_that("broom reads a fit as it reads coxph's", {
  skip_if_no_python()
  skip_if_not_installed("broom")
  expect_same_uses(
    rlang::exprs(
      broom::tidy(fit), broom::tidy(fit, exponentiate = TRUE, conf.int = TRUE),
      broom::glance(fit)
    ),
    setdiff(kinds, "multistate")
  )
  expect_same_uses(
    rlang::exprs(broom::augment(fit, data = model_rows, type.predict = "risk")),
    c("complete", "offset")
  )
})

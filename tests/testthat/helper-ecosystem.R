# What other packages make of a fit. They are attached by name, so that none of them has
# to be installed where the package is checked.

# Complete rows, with factors as analysts have them.
ecosystem_data <- function() {
  kept <- setdiff(names(survival::lung), c("inst", "meal.cal", "wt.loss"))
  patients <- na.omit(survival::lung[kept])
  patients <- patients[patients$ph.ecog < 3, ]
  patients$sex <- factor(patients$sex, 1:2, c("male", "female"))
  patients$ecog <- factor(patients$ph.ecog)
  patients$dead <- patients$status - 1
  patients$weight <- 0.5 + patients$ph.karno / 100
  list(patients = patients, cgd = survival::cgd, cases = patients[c(1, 5, 20, 33), ])
}

ecosystem_calls <- rlang::exprs(
  main = coxph(Surv(time, dead) ~ age + sex + ecog, patients, x = TRUE),
  strata = coxph(Surv(time, dead) ~ age * ecog + strata(sex), patients, x = TRUE),
  weighted = coxph(
    Surv(time, dead) ~ age + sex + ecog, patients,
    weights = weight, ties = "breslow", x = TRUE
  ),
  robust = coxph(
    Surv(tstart, tstop, status) ~ treat + age + strata(hos.cat), cgd,
    cluster = id
  )
)

# Packages look for a model's data from their own functions, hence on the search path.
local_ecosystem <- function(packages, frame = parent.frame()) {
  skip_if_no_python()
  # messages that come once in a session, and those of errors that packages catch
  withr::local_options(
    lifecycle_verbosity = "quiet", show.error.messages = FALSE,
    .local_envir = frame
  )
  for (package in packages) {
    skip_if_not_installed(package)
    attach_package(package, frame)
  }
  data <- list2env(ecosystem_data(), parent = globalenv())
  withr::local_environment(data, .local_envir = frame)
  data
}

attach_package <- function(package, frame) {
  place <- paste0("package:", package)
  if (!place %in% search()) {
    suppressMessages(suppressWarnings(attachNamespace(package)))
    # other packages may have attached it too
    withr::defer(detach(place, character.only = TRUE, force = TRUE), envir = frame)
  }
}

# Each of `uses`, expressions in `fit`, gives the same for both fits of each kind.
expect_same_with <- function(packages, uses, kinds = "main", ...) {
  frame <- local_ecosystem(packages)
  for (kind in kinds) {
    fits <- fit_both(ecosystem_calls[[kind]], frame)
    fits <- list(ours = fits$ours$value, theirs = fits$theirs$value, frame = frame)
    for (use in uses) {
      label <- paste0(kind, ": ", paste(deparse(use), collapse = " "))
      suppressMessages(expect_same_use(use, fits, label, ...))
    }
  }
}

# Each of `plots`, functions of a fit that draw it, draws the same for both fits: a PDF
# file has hundredths of a point, which rounding may turn either way.
expect_same_plots <- function(packages, plots, kinds = "main") {
  frame <- local_ecosystem(packages)
  for (kind in kinds) {
    fits <- fit_both(ecosystem_calls[[kind]], frame)
    for (plot in plots) {
      label <- paste0(kind, ": ", paste(deparse(body(plot)), collapse = " "))
      draw <- function(fit) {
        withr::with_seed(1, suppressMessages(suppressWarnings(print(plot(fit)))))
      }
      ours <- drawn(draw, fits$ours$value)
      theirs <- drawn(draw, fits$theirs$value)
      expect_identical(ours$text, theirs$text, label = label)
      expect_gt(length(theirs$numbers), 50)
      expect_lte(max(abs(ours$numbers - theirs$numbers)), 0.01 + rounding_tolerance, label = label)
    }
  }
}

# A script with coxph and clogit and the same with coxphGPU and clogitGPU give the same
# value, warnings and output, where blanks and line breaks may differ: the longer names
# move them.
expect_same_script <- function(script, packages = character(),
                               tolerance = rounding_tolerance) {
  frame <- local_ecosystem(packages)
  swapped <- do.call(
    substitute, list(script, list(coxph = quote(coxphGPU), clogit = quote(clogitGPU)))
  )
  run <- function(script) {
    result <- NULL
    out <- capture.output(
      result <- suppressMessages(
        withr::with_seed(1, with_warnings(eval(script, new.env(parent = frame))))
      )
    )
    result$out <- squeezed(c(out, capture.output(print(result$value))))
    result
  }
  ours <- run(swapped)
  theirs <- run(script)
  label <- substr(paste(deparse(script), collapse = " "), 1, 60)
  expect_same_result(ours$value, theirs$value, tolerance, label)
  expect_identical(ours$warnings, theirs$warnings, label = paste(label, "warnings"))
  expect_identical(ours$out, theirs$out, label = paste(label, "output"))
}

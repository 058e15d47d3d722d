# survival's own code, run with coxphGPU() in coxph()'s place, prints what it prints.
# tools/survival-scripts.R does the same for the long vignettes and for any folder.

expect_same_printing <- function(paths) {
  printed <- run_both(paths)
  for (script in names(printed$coxph)) {
    difference <- script_difference(printed$coxph[[script]], printed$coxphGPU[[script]])
    expect(
      length(difference) == 0,
      paste(c(paste(script, "prints something else:"), difference), collapse = "\n")
    )
  }
  printed
}

test_that("the examples of survival's help pages print the same", {
  skip_on_cran()
  skip_if_no_python()
  folder <- withr::local_tempdir()
  examples <- Filter(uses_coxph, survival_examples(folder))
  expect_gt(length(examples), 20)
  printed <- expect_same_printing(examples)
  # no error is the same on both sides because nothing ran
  errors <- grepl("^Error", unlist(lapply(printed$coxphGPU, `[[`, "err")))
  expect_identical(sum(errors), 0L)
})

test_that("survival's vignettes print the same", {
  skip_on_cran()
  skip_if_no_python()
  # these take half a minute or more, most of it in survival
  long <- c("adjcurve.R", "population.R", "survival.R")
  vignettes <- Filter(uses_coxph, survival_vignettes())
  vignettes <- vignettes[!basename(vignettes) %in% long]
  skip_if(length(vignettes) == 0, "survival is installed without its vignettes' code")
  expect_same_printing(vignettes)
})

test_that("a script that prints something else is found", {
  folder <- withr::local_tempdir()
  script <- file.path(folder, "engine.R")
  writeLines(c("environmentName(environment(coxph))", "warning('heard')", "stop('on')"), script)
  printed <- run_both(script)
  expect_true("Error: on" %in% printed$coxph[[1]]$err)
  expect_true(any(grepl("heard", printed$coxph[[1]]$err)))
  difference <- script_difference(printed$coxph[[1]], printed$coxphGPU[[1]])
  expect_true("-[1] \"survival\"" %in% difference)
  expect_true("+[1] \"survivalGPU\"" %in% difference)
})

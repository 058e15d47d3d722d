# Runs the R tests against the installed package.
# Usage: Rscript tools/testthat.R FILE
# FILE gets "passed failed skipped", counted in test_that() blocks.

results <- as.data.frame(testthat::test_dir(
  "tests/testthat",
  package = "survivalGPU",
  load_package = "installed",
  reporter = "summary",
  stop_on_failure = FALSE
))

failed <- sum(results$failed > 0 | results$error)
skipped <- sum(results$skipped & results$failed == 0 & !results$error)
passed <- nrow(results) - failed - skipped
if (nrow(results) == 0) {
  message("tests/testthat holds no test")
  failed <- 1
}

writeLines(paste(passed, failed, skipped), commandArgs(trailingOnly = TRUE)[1])
quit(status = as.integer(failed > 0))

# Slow studies on simulated cohorts; `make validate` calls it with the environment it needs.
# Settings, from the environment:
#   QUICK=1    a few cohorts and nothing stored, to see that it works
#   STUDIES    names of studies (see validation/R/studies.R)
#   COHORTS    how many cohorts each study simulates, for a first look
#   CORES      processes that share the work (default: all processors)
# Only results of all studies at their full size are stored.
# Ends with status 1 where a figure is outside its band; in a quick run, where one is no number.

parts <- Sys.glob("validation/R/*.R")
for (part in parts) source(part)

# Processes with one thread each: cohorts are small, and there are many.
start_processes <- function(number) {
  Sys.setenv(OMP_NUM_THREADS = "1")
  processes <- parallel::makePSOCKcluster(number)
  parallel::clusterCall(processes, function(parts) {
    suppressPackageStartupMessages(library(survivalGPU))
    options(survivalGPU.progress = FALSE)
    for (part in parts) source(part)
  }, parts)
  processes
}

chosen_studies <- function(quick) {
  studies <- all_studies(quick)
  wanted <- strsplit(trimws(Sys.getenv("STUDIES")), "[ ,]+")[[1L]]
  if (length(setdiff(wanted, names(studies))) > 0) {
    stop("no such study; there are ", toString(names(studies)), call. = FALSE)
  }
  if (length(wanted) > 0) studies <- studies[wanted]
  cohorts <- as.integer(Sys.getenv("COHORTS", NA))
  if (is.na(cohorts)) {
    return(studies)
  }
  lapply(studies, utils::modifyList, list(cohorts = cohorts))
}

say_result <- function(result, quick) {
  message(sprintf("== %s: %d cohorts, %.0f s", result$study, result$cohorts, result$seconds))
  figures <- result$figures
  message(paste(sprintf(
    "   %-60s %8s  (%s to %s)%s", figures$figure, plain(figures$value), plain(figures$low),
    plain(figures$high), ifelse(figures$within | quick, "", "  OUTSIDE")
  ), collapse = "\n"))
}

main <- function() {
  quick <- nzchar(Sys.getenv("QUICK"))
  studies <- chosen_studies(quick)
  processes <- start_processes(as.integer(Sys.getenv("CORES", parallel::detectCores())))
  on.exit(parallel::stopCluster(processes))
  results <- lapply(studies, function(study) {
    result <- run_study(study, processes)
    say_result(result, quick)
    result
  })
  part <- nzchar(paste0(Sys.getenv("STUDIES"), Sys.getenv("COHORTS")))
  if (!quick && !part) write_results(results, "validation")
  good <- vapply(results, FUN.VALUE = NA, function(result) {
    all(if (quick) is.finite(result$figures$value) else result$figures$within)
  })
  if (!all(good)) message("not as it must be: ", toString(names(results)[!good]))
  all(good)
}

quit(status = as.integer(!main()))

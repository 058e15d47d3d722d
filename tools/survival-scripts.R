# Runs R scripts twice in fresh sessions, with coxph() as it is and with coxphGPU() in its
# place, and compares what they print, errors and warnings included.
#
#   Rscript tools/survival-scripts.R [--all] [--diffs=DIR] [FOLDER]
#
# FOLDER   its *.R files; by default survival's own: its help pages' examples and its vignettes
# --all    also the scripts that do not call coxph()
# --diffs  where to write the difference of each script that prints something else
#
# Ends with "N passed, M failed", and with status 1 where a script differs that is not in the
# list below.

suppressPackageStartupMessages(library(survivalGPU))
for (helper in c("helper-python.R", "helper-scripts.R")) {
  sys.source(file.path("tests", "testthat", helper), envir = globalenv())
}

# Scripts that may differ, by name, each with the reason. Only lines of pure rounding noise
# qualify. None does today.
allowed <- c()

find_scripts <- function(folder, all) {
  scripts <- if (is.na(folder)) {
    examples <- file.path(tempdir(), "examples")
    dir.create(examples)
    c(survival_examples(examples), survival_vignettes())
  } else {
    list.files(folder, "[.]R$", full.names = TRUE)
  }
  if (length(scripts) == 0) stop("there is no R script in ", folder)
  if (all) scripts else Filter(uses_coxph, scripts)
}

compare_script <- function(path, diffs) {
  name <- basename(path)
  verdict <- "same"
  lines <- errors <- differing <- 0L
  seconds <- system.time(tryCatch(
    {
      printed <- run_both(path)
      lines <- length(printed$coxph[[1]]$out)
      errors <- sum(grepl("^Error", printed$coxph[[1]]$err))
      difference <- script_difference(printed$coxph[[1]], printed$coxphGPU[[1]])
      # less the line that names the file
      differing <- max(sum(grepl("^-", difference)), sum(grepl("^[+]", difference)), 1L) - 1L
      if (differing > 0) {
        verdict <- if (name %in% names(allowed)) {
          paste("allowed:", allowed[[name]])
        } else {
          "DIFFERENT"
        }
        write_difference(difference, name, diffs)
      }
    },
    error = function(cnd) {
      verdict <<- "BROKE OFF"
      message(conditionMessage(cnd))
    }
  ))[["elapsed"]]
  cat(sprintf(
    "%-28s %-5s %6d %6d %6d %7.1f  %s\n", name, if (uses_coxph(path)) "yes" else "no",
    lines, errors, differing, seconds, verdict
  ))
  !verdict %in% c("DIFFERENT", "BROKE OFF")
}

write_difference <- function(difference, name, diffs) {
  if (!is.na(diffs)) {
    writeLines(difference, file.path(diffs, sub("[.]R$", ".diff", name)))
  }
}

arguments <- commandArgs(trailingOnly = TRUE)
option <- startsWith(arguments, "--")
diffs <- sub("^--diffs=", "", grep("^--diffs=", arguments, value = TRUE))[1]
if (!is.na(diffs)) dir.create(diffs, showWarnings = FALSE, recursive = TRUE)

scripts <- find_scripts(arguments[!option][1], "--all" %in% arguments)
cat(sprintf(
  "%-28s %-5s %6s %6s %6s %7s\n", "script", "coxph", "lines", "errors", "differ", "seconds"
))
passed <- vapply(scripts, compare_script, diffs = diffs, FUN.VALUE = NA)
cat(sprintf("\n%d passed, %d failed\n", sum(passed), sum(!passed)))
quit(status = as.integer(!all(passed)))

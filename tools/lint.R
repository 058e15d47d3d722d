# Lints all R code by .lintr; ends with status 1 on any finding.

# The data sets and functions that scripts and tests use without naming their package.
suppressPackageStartupMessages({
  library(survival)
  library(testthat)
})

# Test files share what the helper files define.
for (helper in Sys.glob("tests/testthat/helper-*.R")) source(helper)
# So do the files of the benchmarks and of the validation.
for (part in Sys.glob(c("benchmarks/R/*.R", "validation/R/*.R"))) source(part)

# Names that are not snake_case for a reason: coxphGPU and its kin, and R's own hooks.
given_names <- "^(coxph|wce|survival)GPU|^[.]on(Load|Attach|Unload)$"

is_given_name <- function(lint) {
  if (lint$linter != "object_name_linter") {
    return(FALSE)
  }
  name <- sub("^[^[:alnum:].]*", "", substring(lint$line, lint$column_number))
  grepl(given_names, name)
}

folders <- Filter(dir.exists, c("R", "tests", "tools", "benchmarks", "validation", "vignettes"))
findings <- unlist(lapply(folders, lintr::lint_dir), recursive = FALSE)
findings <- Filter(Negate(is_given_name), findings)

for (finding in findings) {
  print(finding)
}

# A name that two files of the package define stands for the later one only.
defined_names <- function(file) {
  assignments <- Filter(function(e) is.call(e) && identical(e[[1L]], quote(`<-`)), parse(file))
  vapply(assignments, function(e) deparse(e[[2L]])[1L], "")
}
defined <- unlist(lapply(Sys.glob("R/*.R"), defined_names))
twice <- unique(defined[duplicated(defined)])
if (length(twice) > 0) message("defined twice in R/: ", toString(twice))

quit(status = as.integer(length(findings) + length(twice) > 0))

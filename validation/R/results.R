# Results are one JSON file, and a document with them as tables.

write_results <- function(results, folder) {
  stored <- list(
    date = format(Sys.time(), "%Y-%m-%d"),
    versions = versions(),
    studies = results
  )
  writeLines(
    jsonlite::toJSON(stored, auto_unbox = TRUE, pretty = TRUE, digits = I(6)),
    file.path(folder, "results.json")
  )
  writeLines(document(stored), file.path(folder, "RESULTS.md"))
}

versions <- function() {
  packages <- c("survivalGPU", "survival")
  versions <- vapply(packages, function(name) as.character(utils::packageVersion(name)), "")
  c(paste(packages, versions), paste0("R ", R.version$major, ".", R.version$minor))
}

document <- function(stored) {
  c(
    "# Validation",
    "",
    paste(
      "Written by `make validate`, on", stored$date, "with",
      paste0(paste(stored$versions, collapse = ", "), ".")
    ),
    "Each study simulates cohorts whose truth is known (`validation/R/cohorts.R`), with fixed",
    "seeds, and states in which band each figure must be; `make validate` fails where one is not.",
    "`wald` is the interval without a bootstrap, by the robust variance where patients have",
    "several rows; `naive`, for contrast, that of the model's variance there.",
    unlist(lapply(stored$studies, study_lines))
  )
}

study_lines <- function(result) {
  figures <- result$figures
  c(
    "",
    paste0("## ", result$title),
    "",
    sprintf("%d cohorts.", result$cohorts),
    "",
    "| | found | must be in | |",
    "|---|--:|--:|---|",
    sprintf(
      "| %s | %s | %s to %s | %s |", figures$figure, plain(figures$value), plain(figures$low),
      plain(figures$high), ifelse(figures$within, "yes", "**no**")
    )
  )
}

plain <- function(x) {
  vapply(x, function(value) format(round(value, 4), scientific = FALSE, drop0trailing = TRUE), "")
}

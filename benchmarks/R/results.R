# Results are a JSON file per machine: list(machine, results), where each case has one entry, that
# of its latest run.

read_results <- function(path) {
  if (!file.exists(path)) {
    return(list(machine = list(), results = list()))
  }
  jsonlite::fromJSON(path, simplifyVector = FALSE)
}

# Replaces the entry of this case only, so that runs of some cases add up.
merge_result <- function(path, machine, entry) {
  stored <- read_results(path)
  stored$machine <- machine
  stored$results[[entry$case]] <- entry
  stored$results <- stored$results[order_of_cases(names(stored$results))]
  dir.create(dirname(path), recursive = TRUE, showWarnings = FALSE)
  # first beside it: an interrupted run leaves the file as it was
  writeLines(
    jsonlite::toJSON(
      stored,
      auto_unbox = TRUE, pretty = TRUE, digits = I(6), null = "null", na = "null"
    ),
    paste0(path, ".new")
  )
  file.rename(paste0(path, ".new"), path)
}

order_of_cases <- function(names) {
  order(match(names, names(all_cases())))
}

# Seconds of one engine in one entry, or NA where it was not measured.
engine_seconds <- function(entry, engine) {
  measured <- entry$engines[[engine]]$seconds
  if (is.null(measured)) NA_real_ else measured
}

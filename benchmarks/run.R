# Runs cases and stores what they measured; `make bench` calls it with the environment it needs.
# Settings, from the environment:
#   CASES         names of cases ("rows_*" for all that begin so) or groups (issue, resampling,
#                 competitors, scaling); default: all
#   QUICK=1       everything tiny and stored nowhere, to see that it works and that engines agree
#   RESUME=1      skips cases that the same sources have been measured on, undisturbed
#   ROUNDS        at most so many rounds of timing, for a first look
#   BENCH_OUT     the results file, in place of benchmarks/results/<machine>.json
#   BENCH_DEVICE  the device of survivalGPU (default "auto")
# Ends with status 1 where survivalGPU failed or disagreed with survival in any case.

for (part in Sys.glob("benchmarks/R/*.R")) source(part)

flag <- function(name) Sys.getenv(name) %in% c("1", "true", "yes")

words <- function(name) {
  found <- strsplit(trimws(Sys.getenv(name)), "[ ,]+")[[1L]]
  found[nzchar(found)]
}

auto_device <- function() {
  if (nzchar(Sys.getenv("BENCH_DEVICE"))) {
    return(Sys.getenv("BENCH_DEVICE"))
  }
  if (suppressMessages(survivalGPU::use_cuda())) "cuda" else "cpu"
}

results_path <- function(machine, device, quick) {
  default <- if (quick) {
    tempfile(fileext = ".json")
  } else {
    file.path("benchmarks", "results", paste0(machine_slug(machine, device), ".json"))
  }
  Sys.getenv("BENCH_OUT", default)
}

# In a series of growing problems, larger ones are left out for engines that took a minute.
slow_engines <- function(case, entries) {
  if (is.null(case$series)) {
    return(character())
  }
  smaller <- Filter(function(entry) {
    identical(entry$series, case$series) && entry$tied == case$tied &&
      entry$rows <= case$rows && entry$columns <= case$columns
  }, entries)
  slow <- vapply(case$engines, function(engine) {
    any(vapply(smaller, function(entry) {
      own <- entry$engines[[engine]]
      identical(own$status, "over") || isTRUE(own$first_seconds > 60)
    }, NA))
  }, NA)
  case$engines[slow]
}

done_already <- function(case, entries, sources) {
  entry <- entries[[case$name]]
  flag("RESUME") && identical(entry$sources, sources) && !isTRUE(entry$others_busy > 0.1)
}

run_one <- function(case, path, machine, settings) {
  slow <- if (!settings$quick) slow_engines(case, read_results(path)$results)
  case$engines <- setdiff(case$engines, slow)
  message(sprintf(
    "== %s: %s, %s rows, %d covariates", case$name, case$title,
    format(case$rows, big.mark = ",", scientific = FALSE), case$columns
  ))
  entry <- measure_case(case, settings)
  say_result(entry)
  merge_result(path, machine, entry)
  own <- entry$engines$survivalGPU
  # null where it was left out for its time
  is.null(own) || own$status == "measured"
}

main <- function() {
  quick <- flag("QUICK")
  device <- auto_device()
  Sys.setenv(BENCH_DEVICE = device)
  machine <- c(describe_machine(), device = device)
  path <- results_path(machine, device, quick)
  settings <- list(
    quick = quick, pool = if (quick) new.env(),
    rounds = if (quick) 1L else as.integer(Sys.getenv("ROUNDS", "11")),
    sources = Sys.getenv("BENCH_SOURCES", "unknown")
  )
  cases <- select_cases(words("CASES"))
  if (quick) cases <- cases[!duplicated(unname(lapply(cases, quick_twin)))]
  good <- vapply(cases, FUN.VALUE = NA, function(case) {
    if (done_already(case, read_results(path)$results, settings$sources)) {
      message("== ", case$name, ": measured before")
      return(TRUE)
    }
    if (!quick && !fits_in_memory(case)) {
      message("== ", case$name, ": left out, there is too little memory free")
      return(TRUE)
    }
    run_one(case, path, machine, settings)
  })
  if (quick) lapply(as.list(settings$pool), stop_worker)
  message("\nresults in ", path)
  if (!all(good)) {
    message("survivalGPU failed or disagreed in: ", paste(names(good)[!good], collapse = ", "))
  }
  quit(status = as.integer(!all(good)))
}

# Equal for cases that differ in size only, and so hardly at all when tiny.
quick_twin <- function(case) {
  settings <- c("task", "ties", "tied", "counting", "strata", "cluster", "engines", "group")
  c(case[settings], rows = min(case$rows, case$quick_rows))
}

main()

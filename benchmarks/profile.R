# Where one call spends its time, by R's sampling profiler:
#   Rscript benchmarks/profile.R ENGINE CASE [ROWS]
# with ENGINE survival or survivalGPU. Prints the functions in which the call was, with those they
# called, for at least 2 % of the time. What Python does is under call_python().

for (part in Sys.glob("benchmarks/R/*.R")) source(part)

profile_call <- function(engine, case, rows) {
  scope <- new.env()
  sys.source(file.path("benchmarks", "adapters", paste0(engine, ".R")), scope)
  adapter <- scope$adapter
  adapter$start()
  set.seed(20)
  problem <- case$simulate(rows)
  # a first call of each size is not what is asked about
  call <- adapter$prepare(case, problem)
  call()
  invisible(gc())
  log <- tempfile()
  utils::Rprof(log, interval = 0.005, gc.profiling = TRUE)
  seconds <- system.time(call(), gcFirst = FALSE)[["elapsed"]]
  utils::Rprof(NULL)
  list(seconds = seconds, profile = utils::summaryRprof(log))
}

print_profile <- function(result) {
  cat(sprintf("%.2f s\n", result$seconds))
  table <- result$profile$by.total
  # the frames around the call itself
  table <- table[table$total.pct >= 2 & table$total.pct < 99, ]
  cat(sprintf(
    "%6.2f s %5.1f %%   self %5.1f %%   %s\n",
    table$total.time, table$total.pct, table$self.pct, gsub("\"", "", rownames(table))
  ), sep = "")
}

arguments <- commandArgs(trailingOnly = TRUE)
chosen <- select_cases(arguments[2])[[1L]]
print_profile(profile_call(
  arguments[1], chosen, as.integer(if (length(arguments) > 2) arguments[3] else chosen$rows)
))

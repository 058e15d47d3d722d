# This package, on the device that BENCH_DEVICE names.

bench_device <- function() {
  Sys.getenv("BENCH_DEVICE", "auto")
}

adapter <- list(
  name = "survivalGPU",
  start = function() {
    suppressPackageStartupMessages(library(survivalGPU))
    options(survivalGPU.device = bench_device())
    invisible(suppressMessages(use_cuda()))
  },
  version = function() {
    report <- survivalGPU:::python_report()
    paste0("survivalGPU ", utils::packageVersion("survivalGPU"), ", torch ", report$torch)
  },
  threads = function() survivalGPU:::python_report()$threads,
  cannot = function(case) NULL,
  prepare = function(case, rows) {
    if (case$task %in% names(our_replicates)) {
      return(our_replicates[[case$task]](case, rows))
    }
    prepare_cox(case, rows, "coxphGPU", function(name) {
      get(name, envir = environment(survivalGPU:::coxph_engine(bench_device())))
    })
  },
  outcome = cox_outcome,
  # Both stop Newton's method by the same rule: only rounding may separate them. Ours begins a
  # resample at the whole sample's estimate, though, and so takes other steps.
  tolerance = c(default = 1e-8, resampled = 1e-7)
)

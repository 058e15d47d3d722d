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
    prepare_cox(case, rows, "coxphGPU", function(name) {
      get(name, envir = environment(survivalGPU:::coxph_engine(bench_device())))
    })
  },
  outcome = cox_outcome,
  # both stop Newton's method by the same rule: only rounding may separate them
  tolerance = c(default = 1e-8)
)

#' What survivalGPU finds on this machine, and what to do about it
#'
#' Reports the versions of R and of the packages in between, the Python that runs
#' or would be started, PyTorch, NumPy, the GPUs and their memory, the threads
#' and the BLAS and OpenMP libraries, and the device that `device = "auto"`
#' stands for. Each problem found comes with its remedy. Python is started if it
#' is not running. It never fails: what cannot be found is reported as missing.
#'
#' @return The report, invisibly, as a list of plain vectors: `r`, `packages`
#'   (named versions), `python` (interpreter and version), `torch`, `numpy`,
#'   `cuda`, `cuda_devices` (name, and total and free memory in bytes), `mps`,
#'   `threads`, `libraries`, `auto_device` and `problems`; `NA` or length 0 for
#'   what is missing.
#' @seealso [use_cuda()], [coxphGPU()]
#' @examples
#' survivalGPU_sitrep()
#' @export
survivalGPU_sitrep <- function() { # nolint: object_name_linter.
  report <- situation_report()
  print_situation(report)
  invisible(report)
}

situation_report <- function() {
  found <- tryCatch(
    suppressWarnings(python_report()),
    error = function(cnd) list(error = conditionMessage(cnd))
  )
  config <- discovered_python()
  report <- list(
    r = as.character(getRversion()),
    packages = package_versions(c("survivalGPU", "survival", "reticulate")),
    python = c(
      interpreter = config$python %||% NA_character_,
      version = found$python %||% as.character(config$version %||% NA)
    ),
    torch = found$torch %||% NA_character_,
    numpy = found$numpy %||% as.character(config$numpy$version %||% NA),
    cuda = isTRUE(found$cuda),
    cuda_devices = found$cuda_devices,
    mps = isTRUE(found$mps),
    threads = found$threads %||% NA_integer_,
    libraries = as.character(found$libraries)
  )
  report$auto_device <- if (is.na(report$torch)) {
    NA_character_
  } else if (report$cuda) {
    "cuda:0"
  } else {
    "cpu"
  }
  report$problems <- situation_problems(report, config, found)
  report
}

package_versions <- function(packages) {
  vapply(packages, FUN.VALUE = "", function(package) {
    tryCatch(
      as.character(utils::packageVersion(package)),
      error = function(cnd) NA_character_
    )
  })
}

# Plain text, named by cli's bullets, in the order in which to solve them.
situation_problems <- function(report, config, found) {
  unfit <- if (!is.null(config)) python_problem(config)
  mismatch <- survival_mismatch()
  problems <- c(
    if (is.null(config)) {
      c(x = "There is no Python that reticulate can start.", python_advice(config))
    } else if (!is.null(unfit)) {
      c(x = escape_braces(unfit), python_advice(config))
    } else if (!is.null(found$error)) {
      c(x = paste("Python did not start:", escape_braces(found$error)), python_advice(config))
    } else if (is.na(found$torch)) {
      c(x = escape_braces(found$torch_error), python_advice(config))
    },
    if (!is.null(mismatch)) {
      c(x = paste0(
        "{.fn coxphGPU} cannot run with survival ", report$packages[["survival"]], ": ",
        escape_braces(mismatch), ". Update survivalGPU or install an earlier survival."
      ))
    },
    if (isNamespaceLoaded("torch")) c("!" = libtorch_clash),
    if (Sys.info()[["sysname"]] == "Darwin") c(i = openmp_clash)
  )
  vapply(problems, function(text) cli::ansi_strip(cli::format_inline(text)), "")
}

print_situation <- function(report) {
  known <- function(x) if (is.na(x)) "not found" else x
  cli::cli_h1("survivalGPU situation report")
  cli::cli_h2("R")
  cli::cli_dl(c(R = report$r, vapply(report$packages, known, "")))
  cli::cli_h2("Python")
  cli::cli_dl(vapply(
    c(report$python, torch = report$torch, numpy = report$numpy), known, ""
  ))
  cli::cli_h2("Devices")
  cli::cli_dl(c(
    CUDA = if (report$cuda) "available" else "not available",
    vapply(report$cuda_devices, describe_gpu, ""),
    if (report$mps) c(mps = "present, not used: it has no double precision"),
    "CPU threads" = known(as.character(report$threads)),
    stats::setNames(report$libraries, rep("library", length(report$libraries))),
    "device = \"auto\"" = known(report$auto_device)
  ))
  cli::cli_h2("Problems")
  if (length(report$problems) == 0) {
    cli::cli_bullets(c(v = "None found."))
  } else {
    cli::cli_bullets(escape_braces(report$problems))
  }
}

describe_gpu <- function(gpu) {
  gib <- sprintf("%.1f GiB", c(gpu$free_memory, gpu$total_memory) / 2^30)
  paste0(gpu$name, ", ", gib[1], " of ", gib[2], " free")
}

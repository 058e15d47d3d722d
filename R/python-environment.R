# Is there a Python with torch and NumPy, and what to do where there is not.

python_packages <- c("torch", "numpy")

oldest_python <- "3.10"

# The first reticulate that converts NumPy 2 arrays.
reticulate_with_numpy_2 <- "1.38.0"

# Newer versions of reticulate find or make an environment with the packages a
# session has declared.
declare_python_packages <- function() {
  if (exists("py_require", envir = asNamespace("reticulate"))) {
    get("py_require", envir = asNamespace("reticulate"))(
      python_packages,
      python_version = paste0(">=", oldest_python)
    )
  }
}

# Starts Python unless it is running.
start_python <- function() {
  if (!reticulate::py_available(initialize = FALSE)) {
    warn_of_second_libtorch()
    tryCatch(
      without_miniconda_offer(reticulate::py_config()),
      error = abort_no_python
    )
  }
  invisible()
}

# Blames a failure on the running Python where that cannot serve.
check_python <- function(problem = python_problem(reticulate::py_config())) {
  if (!is.null(problem)) {
    cli::cli_abort(
      c(escape_braces(problem), python_advice()),
      class = c("survivalGPU_unfit_python", "survivalGPU_error"),
      call = NULL
    )
  }
}

abort_no_python <- function(cnd) {
  cli::cli_abort(
    c("survivalGPU found no Python that it can start.", python_advice()),
    class = c("survivalGPU_missing_python", "survivalGPU_error"),
    parent = simpleError(conditionMessage(cnd)),
    call = NULL
  )
}

# What keeps a Python from serving, or NULL. `config` is reticulate's.
python_problem <- function(config) {
  if (numeric_version(config$version) < oldest_python) {
    return(cli::format_inline(
      "Python {config$version} at {.path {config$python}} is too old: ",
      "survivalGPU needs {oldest_python} or later."
    ))
  }
  if (is.null(config$numpy)) {
    return(cli::format_inline(
      "The Python at {.path {config$python}} has no {.pkg numpy}."
    ))
  }
  numpy <- as.character(config$numpy$version)
  reticulate <- utils::packageVersion("reticulate")
  if (numeric_version(numpy) >= "2" && reticulate < reticulate_with_numpy_2) {
    return(cli::format_inline(
      "reticulate {reticulate} cannot use NumPy {numpy}: install {.code numpy<2} ",
      "in {.path {config$python}}, or reticulate {reticulate_with_numpy_2} or later."
    ))
  }
  NULL
}

# Bullets for an error or a report: the interpreter found, and the ways out.
python_advice <- function(config = discovered_python()) {
  packages <- paste(sprintf("\"%s\"", pinned_packages()), collapse = " ")
  found <- if (is.null(config)) {
    "Python interpreter found: none."
  } else {
    paste0("Python interpreter found: ", config$python, " (", config$version, ").")
  }
  install <- if (is.null(config)) {
    paste0("reticulate::py_install(c(", gsub(" ", ", ", packages), "))")
  } else {
    paste(config$python, "-m pip install", packages)
  }
  c(
    i = escape_braces(found),
    "*" = paste0("Install what is missing: {.code ", escape_braces(install), "}"),
    "*" = paste(
      "Or name a Python that has {.pkg torch} and {.pkg numpy} and restart R:",
      "{.code Sys.setenv(RETICULATE_PYTHON = \"/path/to/python\")} before the first fit."
    )
  )
}

pinned_packages <- function(reticulate = utils::packageVersion("reticulate")) {
  c("torch", if (reticulate < reticulate_with_numpy_2) "numpy<2" else "numpy")
}

# TRUE if a fit would find all it needs. Looks at the interpreter from outside:
# no Python is started in this process.
python_ready <- function() {
  config <- discovered_python()
  !is.null(config) && !is.null(config$libpython) &&
    is.null(python_problem(config)) && has_torch(config$python)
}

# The Python that is running, or that would be started; NULL where there is none.
discovered_python <- function() {
  tryCatch(
    suppressWarnings(without_miniconda_offer(reticulate::py_discover_config())),
    error = function(cnd) NULL
  )
}

has_torch <- function(python) {
  probe <- "import importlib.util, sys; sys.exit(importlib.util.find_spec('torch') is None)"
  status <- system2(python, c("-c", shQuote(probe)), stdout = FALSE, stderr = FALSE)
  status == 0
}

# Secured machines must not be offered a download in the middle of a fit.
without_miniconda_offer <- function(expr) {
  old <- Sys.getenv("RETICULATE_MINICONDA_ENABLED", unset = NA)
  on.exit(
    if (is.na(old)) {
      Sys.unsetenv("RETICULATE_MINICONDA_ENABLED")
    } else {
      Sys.setenv(RETICULATE_MINICONDA_ENABLED = old)
    }
  )
  Sys.setenv(RETICULATE_MINICONDA_ENABLED = "false")
  force(expr)
}

# Said before PyTorch is loaded, since the clash may end the R session.
warn_of_second_libtorch <- function() {
  if (isNamespaceLoaded("torch")) {
    cli::cli_inform(c("!" = libtorch_clash), .file = stderr())
  }
}

libtorch_clash <- paste(
  "The R package {.pkg torch} is loaded: its libtorch and PyTorch's in one",
  "session can crash R. Fit in a session without it."
)

openmp_clash <- paste(
  "On macOS, two OpenMP libraries in one session can crash R. If it crashes at the",
  "first fit, start R with {.code KMP_DUPLICATE_LIB_OK=TRUE} and {.code OMP_NUM_THREADS=1}."
)

# Text that cli shows as it is; names, cli's bullets, are kept.
escape_braces <- function(text) {
  text[] <- gsub("([{}])", "\\1\\1", text)
  text
}

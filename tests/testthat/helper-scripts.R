# Runs R scripts twice, with coxph() as it is and with coxphGPU() in its place,
# and compares what they print. Used by the tests and by tools/survival-scripts.R.

# The code of the help pages' examples and of the vignettes of the installed
# survival, as files in `folder`; returns their paths.
survival_examples <- function(folder) {
  pages <- tools::Rd_db("survival")
  paths <- file.path(folder, sub("Rd$", "R", names(pages)))
  for (i in seq_along(pages)) {
    # commented where the page says not to run it: that needs what is not here
    tools::Rd2ex(pages[[i]], paths[i], commentDontrun = TRUE)
  }
  Filter(file.exists, paths)
}

survival_vignettes <- function() {
  list.files(system.file("doc", package = "survival"), "[.]R$", full.names = TRUE)
}

uses_coxph <- function(path) {
  code <- sub("#.*", "", readLines(path, warn = FALSE))
  any(grepl("\\bcoxph *\\(", code))
}

# What scripts print with each engine: list(coxph =, coxphGPU =), each a list by
# script of list(out =, err =). The scripts share one session for each engine, in
# which nothing but R's own state passes from one to the next.
run_both <- function(paths) {
  lapply(c(coxph = "survival::coxph", coxphGPU = "survivalGPU::coxphGPU"), function(engine) {
    run_scripts(paths, engine)
  })
}

run_scripts <- function(paths, engine) {
  work <- withr::local_tempdir()
  files <- file.path(work, c(input = "input.R", out = "out.txt", err = "err.txt"))
  names(files) <- c("input", "out", "err")
  writeLines(session_code(paths, engine, work), files["input"])
  python <- absolute_path(Sys.getenv("RETICULATE_PYTHON"))
  # a session that breaks off is seen in what is missing at its end
  suppressWarnings(system2(
    file.path(R.home("bin"), "R"),
    c("--no-save", "--no-restore", "--no-init-file", "--quiet"),
    stdin = files["input"], stdout = files["out"], stderr = files["err"],
    env = c(
      paste0("R_LIBS=", paste(.libPaths(), collapse = .Platform$path.sep)),
      if (nzchar(python)) paste0("RETICULATE_PYTHON=", python),
      "LANGUAGE=en"
    )
  ))
  out <- split_by_script(files["out"], paths)
  err <- split_by_script(files["err"], paths)
  Map(function(out, err) list(out = out, err = err), out, err)
}

# Links are kept: that of a virtual environment is what makes it one.
absolute_path <- function(path) {
  if (nzchar(path) && file.exists(path) && !grepl("^(/|~|[A-Za-z]:)", path)) {
    path <- file.path(getwd(), path)
  }
  path
}

script_mark <- "==== script: "
last_script <- "none, this is the end"

# R code read from standard input is echoed and goes on after an error.
session_code <- function(paths, engine, work) {
  prelude <- c(
    attach_package_code(),
    "library(survival)",
    # found before survival's, from everywhere but inside survival
    sprintf("attach(list(coxph = %s), name = 'engine', warn.conflicts = FALSE)", engine),
    sprintf("setwd(%s)", deparse(work)),
    "options(error = expression(NULL), showErrorCalls = FALSE, width = 80)",
    # without our messages about the device and the fitters that are survival's
    "options(survivalGPU.device = 'cpu', rlib_message_verbosity = 'quiet')",
    "options(device = function(...) grDevices::pdf(NULL))",
    "attach(list(.options = options()), name = 'between')",
    sprintf(
      "assign('%s', %s, 'between')", names(between_scripts),
      vapply(between_scripts, deparse1, "", collapse = "\n")
    )
  )
  scripts <- lapply(paths, function(path) {
    c(
      sprintf(".begin('%s', %s)", script_mark, deparse(basename(path))),
      readLines(path, warn = FALSE),
      ".show()",
      "rm(list = ls(all.names = TRUE))"
    )
  })
  c(prelude, unlist(scripts), sprintf(".begin('%s', '%s')", script_mark, last_script))
}

# Called in the session of the scripts.
between_scripts <- list(
  .begin = function(mark, script) {
    graphics.off()
    options(.options)
    set.seed(1953)
    cat(mark, script, "\n", sep = "")
    message(mark, script)
  },
  # many a script prints nothing of what it fits
  .show = function() {
    for (name in ls(globalenv())) {
      object <- get(name, globalenv())
      if (inherits(object, c("coxph", "survfit", "cox.zph", "concordance", "survexp"))) {
        cat("left behind:", name, "\n")
        try(print(object))
      }
    }
  }
)

split_by_script <- function(file, paths) {
  lines <- readLines(file, warn = FALSE)
  starts <- which(startsWith(lines, script_mark))
  ends <- c(starts[-1] - 1L, length(lines))
  parts <- Map(function(start, end) normalise(lines[seq(start, end)]), starts, ends)
  names(parts) <- substring(lines[starts], nchar(script_mark) + 1L)
  if (!last_script %in% names(parts)) {
    # where survival's compiled code crashes, it may with either engine
    stop("the session broke off:\n", paste(utils::tail(lines), collapse = "\n"))
  }
  parts[basename(paths)]
}

# Where an environment or compiled code lies in memory differs between sessions.
normalise <- function(lines) {
  lines <- gsub("\\bcoxphGPU\\b", "coxph", lines)
  gsub("<(environment|bytecode|pointer): 0x[0-9a-f]+>", "<\\1>", lines)
}

# The lines in which two outputs of a script differ, as `diff -u` shows them.
script_difference <- function(coxph, coxphGPU) { # nolint: object_name_linter.
  folder <- withr::local_tempdir()
  write_lines <- function(output, name) {
    path <- file.path(folder, name)
    writeLines(c(output$out, "---- standard error", output$err), path)
    path
  }
  paths <- c(write_lines(coxph, "coxph"), write_lines(coxphGPU, "coxphGPU"))
  suppressWarnings(system2("diff", c("-U", "2", shQuote(paths)), stdout = TRUE))
}

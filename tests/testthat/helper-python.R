# A missing Python may skip a test on a user's machine, never on one that is
# there to run the tests.
skip_if_no_python <- local({
  ready <- NULL
  function() {
    if (is.null(ready)) ready <<- python_ready()
    if (ready) {
      return(invisible())
    }
    if (any(nzchar(Sys.getenv(c("CI", "SURVIVALGPU_TESTS_REQUIRE_PYTHON"))))) {
      stop("These tests need a Python with torch and numpy: see survivalGPU_sitrep().")
    }
    testthat::skip("no Python with torch and numpy")
  }
})

# R code that attaches the package under test in another session.
attach_package_code <- function() {
  path <- getNamespaceInfo("survivalGPU", "path")
  if (file.exists(file.path(path, "R", "coxph.R"))) {
    sprintf("asNamespace('pkgload')$load_all('%s', quiet = TRUE)", path)
  } else {
    "library(survivalGPU)"
  }
}

# Runs R code in a new session with the package under test; returns its standard
# output and standard error, line by line.
fresh_session <- function(code, env = character()) {
  files <- withr::local_tempfile(.local_envir = parent.frame())
  script <- paste0(files, ".R")
  writeLines(c(attach_package_code(), "library(survival)", code), script)
  err <- paste0(files, ".err")
  # a warning tells of a status other than 0, which is returned
  out <- suppressWarnings(system2(
    file.path(R.home("bin"), "Rscript"), c("--no-init-file", shQuote(script)),
    stdout = TRUE, stderr = err,
    env = c(paste0("R_LIBS=", paste(.libPaths(), collapse = .Platform$path.sep)), env)
  ))
  result <- list(out = as.character(out), err = readLines(err), status = attr(out, "status"))
  unlink(c(script, err))
  result
}

.onLoad <- function(libname, pkgname) {
  if (is.null(getOption("survivalGPU.device"))) {
    options(survivalGPU.device = "auto")
  }
  declare_python_packages()
  register_class()
  register_delegates()
  namespace <- topenv()
  assign("coxphGPU", adopt_formals(coxphGPU, survival::coxph), envir = namespace)
}

.onAttach <- function(libname, pkgname) {
  mismatch <- survival_mismatch()
  if (!is.null(mismatch)) {
    packageStartupMessage(
      "coxphGPU() cannot run with the installed survival ",
      utils::packageVersion("survival"), ": ", mismatch, "."
    )
  }
}

.onLoad <- function(libname, pkgname) {
  if (is.null(getOption("survivalGPU.device"))) {
    options(survivalGPU.device = "auto")
  }
  declare_python_packages()
  register_class()
  register_delegates()
  namespace <- topenv()
  assign("coxphGPU", adopt_formals(coxphGPU, survival::coxph), envir = namespace)
  assign("installed_mismatch", survival_mismatch(), envir = namespace)
  assign("front_end", make_front_end(), envir = namespace)
}

.onAttach <- function(libname, pkgname) {
  if (!is.null(installed_mismatch)) {
    packageStartupMessage(
      "coxphGPU() cannot run with the installed survival ",
      utils::packageVersion("survival"), ": ", installed_mismatch, "."
    )
  }
}

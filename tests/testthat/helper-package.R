# Replaces a function of the package until the calling test ends.
local_package_function <- function(name, value, frame = parent.frame()) {
  namespace <- asNamespace("survivalGPU")
  old <- get(name, envir = namespace)
  put <- function(value) {
    unlockBinding(name, namespace)
    assign(name, value, envir = namespace)
    lockBinding(name, namespace)
  }
  put(value)
  withr::defer(put(old), envir = frame)
}

# Lets a once-per-session message appear again.
forget_message <- function(id) {
  rlang::reset_message_verbosity(paste0("survivalGPU_", id))
}

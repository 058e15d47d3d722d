# The memory of the own process, where the system tells (Linux); NA elsewhere.

status_mib <- function(field) {
  path <- "/proc/self/status"
  if (!file.exists(path)) {
    return(NA_real_)
  }
  line <- grep(paste0("^", field, ":"), readLines(path), value = TRUE)
  as.double(gsub("[^0-9]", "", line)) / 1024
}

# Sets the peak back to what is held now, and returns that.
start_peak <- function() {
  # not writable in some containers; the peak is then that of the whole process so far
  try(suppressWarnings(cat("5", file = "/proc/self/clear_refs")), silent = TRUE)
  status_mib("VmRSS")
}

peak_memory <- function() {
  status_mib("VmHWM")
}

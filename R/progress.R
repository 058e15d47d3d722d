# A progress bar with the time left, for the time of the function that asks for it.

# list(update = function(done)); nothing is shown where the option survivalGPU.progress is
# FALSE, or no one is there to see it.
progress_bar <- function(label, total, frame = parent.frame()) {
  if (!isTRUE(getOption("survivalGPU.progress", interactive()))) {
    return(list(update = function(done) invisible()))
  }
  id <- cli::cli_progress_bar(
    label,
    total = total, .envir = frame,
    format = paste(
      "{cli::pb_name}{cli::pb_bar} {cli::pb_current}/{cli::pb_total}",
      "| {cli::pb_eta_str}"
    )
  )
  list(update = function(done) cli::cli_progress_update(set = done, id = id, .envir = frame))
}

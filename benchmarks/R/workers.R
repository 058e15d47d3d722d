# An engine runs in a process of its own, which takes commands from its standard input and appends
# its answers to a file (see worker.R). So one engine's memory is not another's, a crash or a call
# over its limit ends that process alone, and calls of different engines can take turns.

engine_command <- function(engine, replies) {
  script <- file.path("benchmarks", "adapters", engine)
  if (file.exists(paste0(script, ".R"))) {
    program <- file.path(R.home("bin"), "Rscript")
    arguments <- c("--no-save", "benchmarks/worker.R", paste0(script, ".R"), replies)
  } else {
    program <- Sys.getenv("BENCH_PYTHON", ".venv-bench/bin/python")
    arguments <- c("benchmarks/worker.py", paste0(script, ".py"), replies)
  }
  paste(c(shQuote(program), shQuote(arguments)), collapse = " ")
}

# Starts a process for each engine, all at the same time: most of their start is waiting.
start_workers <- function(engines) {
  workers <- lapply(stats::setNames(nm = engines), launch_worker)
  lapply(workers, await_worker)
}

launch_worker <- function(engine) {
  folder <- tempfile(paste0("worker_", engine, "_"))
  dir.create(folder)
  replies <- file.path(folder, "replies")
  file.create(replies)
  # the shell's own line says that the process has ended, however that came about
  command <- sprintf(
    "%s >%s 2>&1; echo '{\"ok\":false,\"ended\":true}' >>%s",
    engine_command(engine, replies), shQuote(file.path(folder, "log")), shQuote(replies)
  )
  worker <- new.env(parent = emptyenv())
  worker$engine <- engine
  worker$folder <- folder
  worker$replies <- replies
  worker$read <- 0L
  worker$input <- pipe(command, "w")
  worker
}

# Fills in the worker's first answer: whether it could be started at all.
await_worker <- function(worker) {
  started <- next_reply(worker, limit = 120)
  worker$ok <- isTRUE(started$ok)
  worker$error <- if (!worker$ok) first_words(started$error %||% last_log_line(worker))
  worker$pid <- started$pid
  worker$tolerance <- unlist(started$tolerance)
  if (worker$ok) {
    description <- ask(worker, "describe", limit = 120)
    worker$version <- description$version
    worker$threads <- description$threads
  }
  worker
}

`%||%` <- function(x, y) if (is.null(x)) y else x

ask <- function(worker, what, ..., limit = 600) {
  command <- list(do = what, ...)
  writeLines(jsonlite::toJSON(command, auto_unbox = TRUE, digits = NA), worker$input)
  flush(worker$input)
  reply <- next_reply(worker, limit)
  if (isTRUE(reply$ended)) reply$error <- paste("the process ended:", last_log_line(worker))
  if (!is.null(reply$error)) reply$error <- first_words(reply$error)
  reply
}

# The next line of the reply file; list(ok = FALSE, over = limit) where none comes in time.
next_reply <- function(worker, limit) {
  deadline <- Sys.time() + limit
  pause <- 0.002
  repeat {
    lines <- readLines(worker$replies, warn = FALSE)
    if (length(lines) > worker$read) {
      worker$read <- worker$read + 1L
      return(jsonlite::fromJSON(lines[worker$read]))
    }
    if (Sys.time() > deadline) {
      return(list(ok = FALSE, over = limit))
    }
    Sys.sleep(pause)
    pause <- min(pause * 1.5, 0.03)
  }
}

stop_worker <- function(worker, kill = FALSE) {
  if (kill && !is.null(worker$pid)) tools::pskill(worker$pid, tools::SIGKILL)
  suppressWarnings(try(close(worker$input), silent = TRUE))
  unlink(worker$folder, recursive = TRUE)
}

last_log_line <- function(worker) {
  lines <- trimws(readLines(file.path(worker$folder, "log"), warn = FALSE))
  utils::tail(c("no output", lines[nzchar(lines)]), 1L)
}

first_words <- function(text) {
  text <- gsub("[[:space:]]+", " ", cli::ansi_strip(paste(text, collapse = " ")))
  if (nchar(text) > 200) paste0(substr(text, 1, 197), "...") else text
}

# One engine in a process of its own, told what to do by lines of JSON on its standard input:
#   Rscript worker.R ADAPTER REPLIES
# Each command is answered by one line of JSON appended to the file REPLIES. See R/workers.R.

arguments <- commandArgs(trailingOnly = TRUE)
for (part in c("problems", "tasks", "resampling", "process")) {
  source(file.path("benchmarks", "R", paste0(part, ".R")))
}
source(arguments[1])
replies <- file(arguments[2], "a")

reply <- function(...) {
  writeLines(jsonlite::toJSON(list(...), auto_unbox = TRUE, digits = NA, null = "null"), replies)
  flush(replies)
}

# The numbers of an outcome go to files, one each: they may be millions.
write_outcome <- function(outcome, folder) {
  dir.create(folder, recursive = TRUE, showWarnings = FALSE)
  for (name in names(outcome)) {
    writeBin(as.double(outcome[[name]]), file.path(folder, paste0(name, ".f64")), endian = "little")
  }
}

# Where nothing is measured, no second is spent on collecting garbage.
collect_garbage <- if (nzchar(Sys.getenv("QUICK"))) {
  function() NULL
} else {
  function() invisible(gc())
}

timed <- function(call) {
  collect_garbage()
  begin <- Sys.time()
  value <- call()
  list(seconds = as.double(difftime(Sys.time(), begin, units = "secs")), value = value)
}

call_under_test <- NULL

commands <- list(
  # The first call at full size: its memory and its numbers.
  first = function(command) {
    call_under_test <<- NULL
    rows <- read_problem(command$problem)
    call_under_test <<- adapter$prepare(command$case, rows)
    rm(rows)
    check <- attr(call_under_test, "check")
    if (!is.null(check)) {
      write_outcome(adapter$outcome(command$case$task, check()), command$outcome)
    }
    collect_garbage()
    before <- start_peak()
    run <- timed(call_under_test)
    peak <- peak_memory()
    seconds <- run$seconds
    if (is.null(check)) {
      write_outcome(adapter$outcome(command$case$task, run$value), command$outcome)
    }
    rm(run)
    collect_garbage()
    reply(
      ok = TRUE, seconds = seconds, before_mib = before, peak_mib = peak,
      loop = attr(call_under_test, "loop")
    )
  },
  time = function(command) {
    collect_garbage()
    seconds <- vapply(seq_len(command$times), function(i) {
      begin <- Sys.time()
      call_under_test()
      as.double(difftime(Sys.time(), begin, units = "secs"))
    }, 0)
    # while the others have their turn, this process holds no garbage
    collect_garbage()
    reply(ok = TRUE, seconds = I(seconds))
  },
  cannot = function(command) reply(ok = TRUE, reason = adapter$cannot(command$case)),
  describe = function(command) {
    reply(ok = TRUE, version = adapter$version(), threads = adapter$threads())
  },
  forget = function(command) {
    call_under_test <<- NULL
    collect_garbage()
    reply(ok = TRUE)
  }
)

answer <- function(line) {
  command <- jsonlite::fromJSON(line)
  tryCatch(
    commands[[command$do]](command),
    error = function(cnd) reply(ok = FALSE, error = conditionMessage(cnd))
  )
}

started <- tryCatch(
  {
    adapter$start()
    reply(ok = TRUE, pid = Sys.getpid(), tolerance = as.list(adapter$tolerance))
    TRUE
  },
  error = function(cnd) {
    reply(ok = FALSE, error = conditionMessage(cnd))
    FALSE
  }
)
input <- file("stdin", "r")
while (started && length(line <- readLines(input, n = 1L)) > 0) answer(line)

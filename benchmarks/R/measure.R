# One case: simulate, start the engines, compare their numbers, then time them in turn.

# `settings`: list(quick, pool, rounds, sources). Returns the entry of the results.
measure_case <- function(case, settings) {
  if (settings$quick && !is.null(case$loop)) case[c("replicates", "loop")] <- c(20L, 3L)
  rows <- if (settings$quick) min(case$rows, case$quick_rows) else case$rows
  full <- simulate_problem(case, rows, "full")
  tiny <- if (!settings$quick) simulate_problem(case, case$quick_rows, "tiny")
  on.exit(unlink(c(full$folder, tiny$folder), recursive = TRUE))

  workers <- workers_for(case$engines, settings$pool)
  on.exit(lapply(workers, release_worker, pool = settings$pool), add = TRUE)
  busy <- if (settings$quick) NA else others_busy()
  engines <- first_calls(case, workers, full$folder, tiny$folder)
  engines <- timed_rounds(case, workers, engines, settings)
  list(
    case = case$name, title = case$title, group = case$group, series = case$series,
    task = case$task, ties = case$ties, tied = case$tied,
    rows = full$rows, columns = case$columns, events = full$events,
    replicates = case$replicates,
    date = format(Sys.time(), "%Y-%m-%d"), sources = settings$sources,
    others_busy = if (settings$quick) NA else max(busy, others_busy()),
    engines = engines
  )
}

simulate_problem <- function(case, rows, label) {
  set.seed(20)
  problem <- case$simulate(rows)
  folder <- tempfile(paste0(case$name, "_", label, "_"))
  write_problem(problem, folder)
  list(folder = folder, rows = nrow(problem), events = sum(problem$status))
}

# ---- workers -------------------------------------------------------------------------------------

# Where there is a pool, an engine's process serves case after case; else each case has fresh ones.
workers_for <- function(engines, pool) {
  if (is.null(pool)) {
    return(start_workers(engines))
  }
  absent <- Filter(function(engine) {
    is.null(pool[[engine]]) || isTRUE(pool[[engine]]$dead)
  }, engines)
  list2env(start_workers(absent), pool)
  mget(engines, pool)
}

release_worker <- function(worker, pool) {
  if (isTRUE(worker$dead) || !worker$ok) {
    return(invisible())
  }
  if (is.null(pool)) stop_worker(worker) else ask(worker, "forget")
}

# ---- the first call: can it, does it agree, what memory does it take -----------------------------

first_calls <- function(case, workers, full, tiny) {
  outcomes <- tempfile("outcomes_")
  on.exit(unlink(outcomes, recursive = TRUE))
  reference <- file.path(outcomes, case$engines[1])
  lapply(workers, function(worker) {
    entry <- first_call(case, worker, full, tiny, file.path(outcomes, worker$engine))
    if (entry$status == "ran" && worker$engine != case$engines[1]) {
      entry <- judge(entry, worker, file.path(outcomes, worker$engine), reference)
    }
    say_first(case, worker$engine, entry)
    entry
  })
}

first_call <- function(case, worker, full, tiny, outcome) {
  facts <- case_facts(case)
  if (!worker$ok) {
    return(list(status = "not available", reason = worker$error))
  }
  entry <- list(version = worker$version, threads = worker$threads)
  reason <- ask(worker, "cannot", case = facts)$reason
  if (!is.null(reason)) {
    return(c(entry, list(status = "cannot", reason = reason)))
  }
  call_on <- function(problem) {
    unlink(outcome, recursive = TRUE)
    ask(worker, "first", case = facts, problem = problem, outcome = outcome, limit = case$limit)
  }
  # what the tiny call loads and compiles is not the full call's to answer for
  warm <- if (!is.null(tiny)) call_on(tiny) else list(ok = TRUE)
  reply <- if (isTRUE(warm$ok)) call_on(full) else warm
  if (isTRUE(reply$ok)) {
    return(c(entry, list(
      status = "ran", first_seconds = reply$seconds, before_mib = reply$before_mib,
      peak_mib = reply$peak_mib, loop = reply$loop
    )))
  }
  c(entry, failure(worker, reply))
}

failure <- function(worker, reply) {
  if (!is.null(reply$over) || isTRUE(reply$ended)) {
    stop_worker(worker, kill = TRUE)
    worker$dead <- TRUE
  }
  if (!is.null(reply$over)) {
    list(status = "over", limit = reply$over)
  } else {
    list(status = "failed", reason = reply$error)
  }
}

judge <- function(entry, worker, outcome, reference) {
  if (!dir.exists(reference)) {
    entry$reason <- "nothing to compare with"
    return(entry)
  }
  found <- differences(outcome, reference)
  entry$differences <- as.list(found)
  entry$tolerance <- as.list(worker$tolerance)
  wrong <- disagreements(found, worker$tolerance)
  if (length(wrong) > 0) {
    entry$status <- "disagrees"
    sizes <- ifelse(is.finite(found[wrong]), sprintf(" by %.1e", found[wrong]), " not a number")
    entry$reason <- paste0(wrong, sizes, collapse = ", ")
  }
  entry
}

# ---- timed calls ---------------------------------------------------------------------------------

# A B A B: in each round every engine has its turn, so that what slows the machine for a while
# slows all of them. Only engines that agree are timed.
timed_rounds <- function(case, workers, engines, settings) {
  ran <- names(engines)[vapply(engines, function(entry) entry$status == "ran", NA)]
  first <- vapply(engines[ran], function(entry) entry$first_seconds, 0)
  rounds <- rounds_affordable(min(case$rounds, settings$rounds), first, case$patience)
  # a call too long to be made again is its own only turn
  turns <- lapply(as.list(first), function(seconds) {
    if (seconds > case$patience) list(seconds) else list()
  })
  for (engine in ran[first > case$patience]) engines[[engine]]$once <- TRUE
  for (round in seq_len(max(0L, rounds))) {
    for (engine in ran[round <= rounds]) {
      times <- if (settings$quick) 1L else calls_per_turn(first[[engine]])
      reply <- ask(workers[[engine]], "time", times = times, limit = max(case$limit, 60))
      if (isTRUE(reply$ok)) {
        turns[[engine]][[round]] <- reply$seconds
      } else {
        engines[[engine]] <- utils::modifyList(
          engines[[engine]], failure(workers[[engine]], reply)
        )
        rounds[ran == engine] <- 0L
      }
    }
  }
  summarise_turns(case, engines, turns)
}

# None of calls that took longer than the case has patience for, half as many of those over a third
# of it.
rounds_affordable <- function(rounds, first, patience) {
  ifelse(first > patience, 0, ifelse(first > patience / 3, ceiling(rounds / 2), rounds))
}

# A turn of quick calls is many of them, a fifth of a second in all.
calls_per_turn <- function(seconds) {
  as.integer(max(1, min(40, 0.2 / seconds)))
}

summarise_turns <- function(case, engines, turns) {
  turns <- turns[lengths(turns) > 0]
  medians <- lapply(stats::setNames(nm = names(turns)), function(engine) {
    # a loop that made some of the replicates would have taken so many times as long for all
    share <- if (is.null(engines[[engine]]$loop)) 1 else engines[[engine]]$loop / case$replicates
    vapply(turns[[engine]], stats::median, 0) / share
  })
  for (engine in names(medians)) {
    own <- medians[[engine]]
    engines[[engine]] <- c(
      engines[[engine]],
      list(
        seconds = stats::median(own), turns = I(own),
        calls_per_turn = length(turns[[engine]][[1L]])
      ),
      paired_ratios(medians[["survival"]], own)
    )
    if (engines[[engine]]$status == "ran") engines[[engine]]$status <- "measured"
  }
  engines
}

# How many times as long survival took in the same round.
paired_ratios <- function(reference, own) {
  paired <- seq_len(min(length(own), length(reference)))
  ratios <- reference[paired] / own[paired]
  if (length(ratios) > 0) list(ratio = stats::median(ratios), ratio_range = I(range(ratios)))
}

# ---- what is printed on the way ------------------------------------------------------------------

say_first <- function(case, engine, entry) {
  words <- switch(entry$status,
    ran = sprintf("first call %.2f s", entry$first_seconds),
    over = sprintf("over %g s", entry$limit),
    paste0(entry$status, ": ", entry$reason)
  )
  if (length(entry$differences) > 0) {
    words <- sprintf("%s, largest difference %.1e", words, max(unlist(entry$differences)))
  }
  message(sprintf("   %-15s %s", engine, words))
}

say_result <- function(entry) {
  for (engine in names(entry$engines)) {
    own <- entry$engines[[engine]]
    if (own$status == "measured") {
      message(sprintf(
        "   %-15s %9.4f s   x%-7.2f %5.0f MiB", engine, own$seconds, own$ratio %||% NA,
        own$peak_mib %||% NA
      ))
    }
  }
  if (isTRUE(entry$others_busy > 0.1)) {
    message("   other programs kept the processors busy: provisional")
  }
}

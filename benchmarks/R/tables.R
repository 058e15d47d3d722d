# Markdown from one machine's results.

machine_section <- function(stored, pictures) {
  c(
    machine_lines(stored), "",
    own_table(entries_of(stored, "issue")), "",
    resampling_lines(entries_of(stored, "resampling")), "",
    pictures, "",
    competitor_lines(entries_of(stored, "competitors"))
  )
}

entries_of <- function(stored, groups) {
  Filter(function(entry) entry$group %in% groups, stored$results)
}

machine_lines <- function(stored) {
  machine <- stored$machine
  dates <- range(vapply(stored$results, function(entry) entry$date, ""))
  c(
    paste0(
      "**", machine$cpu, ", ", machine$cores, " cores, ", machine$memory_gib, " GiB, ",
      machine$os, "**; survivalGPU on `", machine$device, "` with ",
      threads_used(stored, "survivalGPU"), " threads, the others as they come; R ", machine$r,
      " with ", machine$blas, "; ", paste(versions_used(stored), collapse = ", "), ". Measured ",
      paste(unique(dates), collapse = " to "), ", with `make bench`."
    )
  )
}

threads_used <- function(stored, engine) {
  used <- lapply(stored$results, function(entry) entry$engines[[engine]]$threads)
  paste(unique(unlist(used)), collapse = " or ")
}

versions_used <- function(stored) {
  unique(unlist(lapply(stored$results, function(entry) {
    lapply(entry$engines, function(engine) engine$version)
  })))
}

# ---- survival against survivalGPU ----------------------------------------------------------------

own_table <- function(entries, theirs = "`coxph`", ours = "`coxphGPU`") {
  rows <- vapply(entries, own_row, "")
  c(
    paste(
      "| | rows | covariates |", theirs, "|", ours, "| times as fast | largest difference |",
      "peak memory, MiB |"
    ),
    "|---|--:|--:|--:|--:|--:|--:|--:|",
    rows,
    if (any(grepl("\\*\\|", gsub(" ", "", rows)))) {
      c("", "\\* other programs kept the processors busy: provisional.")
    }
  )
}

# Loops of coxph() are too slow to be made whole.
resampling_lines <- function(entries) {
  if (length(entries) == 0) {
    return(character())
  }
  made <- unique(unlist(lapply(entries, function(entry) entry$engines[["survival"]]$loop)))
  c(
    sprintf(
      paste(
        "Resampling. The loops of `coxph` are extrapolated: they made the first %s replicates,",
        "and their time is multiplied. Differences are those of as many given replicates."
      ),
      paste(sort(made, decreasing = TRUE), collapse = " or ")
    ), "",
    own_table(entries, "loop of `coxph`, extrapolated", "`bootstrap()`, `permutation_test()`")
  )
}

own_row <- function(entry) {
  theirs <- entry$engines[["survival"]]
  ours <- entry$engines[["survivalGPU"]]
  ratio <- if (is.null(ours$ratio)) "" else sprintf("**%s**", two_digits(ours$ratio))
  if (isTRUE(entry$others_busy > 0.1)) ratio <- paste0(ratio, "\\*")
  cells <- c(
    entry$title, count(entry$rows), entry$columns, engine_cell(theirs), engine_cell(ours), ratio,
    difference_cell(ours), memory_cell(theirs, ours)
  )
  paste0("| ", paste(cells, collapse = " | "), " |")
}

engine_cell <- function(engine) {
  if (is.null(engine)) {
    return("")
  }
  switch(engine$status,
    measured = time_cell(engine),
    over = paste("over", duration(engine$limit)),
    disagrees = paste("differs:", engine$reason),
    engine$status
  )
}

# Median of the turns, or the one call there was.
time_cell <- function(engine) {
  paste0(duration(engine$seconds), if (isTRUE(engine$once)) " (once)")
}

duration <- function(seconds) {
  if (seconds < 1) {
    paste(two_digits(seconds * 1000), "ms")
  } else if (seconds > 7200) {
    paste(two_digits(seconds / 3600), "h")
  } else {
    paste(two_digits(seconds), "s")
  }
}

# Two digits, or three where there are as many before the point.
two_digits <- function(x) {
  digits <- if (x < 100) 2 else 3
  trimws(formatC(signif(x, digits), format = "fg", digits = digits))
}

count <- function(n) format(n, big.mark = " ", scientific = FALSE)

difference_cell <- function(engine) {
  found <- unlist(engine$differences)
  if (length(found) == 0) "" else sprintf("%.0e", max(found))
}

memory_cell <- function(theirs, ours) {
  mib <- function(engine) if (is.null(engine$peak_mib)) "-" else count(round(engine$peak_mib))
  paste(mib(theirs), "/", mib(ours))
}

# ---- and the others ------------------------------------------------------------------------------

competitor_lines <- function(entries) {
  if (length(entries) == 0) {
    return(character())
  }
  engines <- unique(unlist(lapply(entries, function(entry) names(entry$engines))))
  rows <- vapply(entries, competitor_row, "", engines = engines)
  c(
    paste0("| | rows | covariates | ", paste(column_name(engines), collapse = " | "), " |"),
    paste0("|---|--:|--:|", strrep("--:|", length(engines))),
    rows, "", reasons(entries)
  )
}

column_name <- function(engines) gsub("_", "-", engines)

competitor_row <- function(entry, engines) {
  cells <- vapply(engines, FUN.VALUE = "", function(name) {
    engine <- entry$engines[[name]]
    switch(engine$status %||% "absent",
      measured = time_cell(engine),
      over = paste("over", duration(engine$limit)),
      disagrees = "differs",
      `not available` = "not there",
      absent = "",
      "-"
    )
  })
  star <- if (isTRUE(entry$others_busy > 0.1)) "\\*" else ""
  paste0(
    "| ", paste(c(
      paste0(entry$title, star), count(entry$rows), entry$columns, cells
    ), collapse = " | "), " |"
  )
}

# Why there is no time, once for each engine and reason.
reasons <- function(entries) {
  found <- unlist(unname(lapply(entries, function(entry) {
    without <- Filter(function(engine) !is.null(engine$reason), entry$engines)
    sprintf(
      "%s: %s", column_name(names(without)), vapply(without, why, "", title = entry$title)
    )
  })))
  if (length(found) > 0) paste0("Not timed: ", paste(unique(found), collapse = "; "), ".")
}

why <- function(engine, title) {
  if (engine$status == "disagrees") paste0(title, " differs, ", engine$reason) else engine$reason
}

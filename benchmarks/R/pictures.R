# Pictures of one machine's results, by ggplot2.

# nolint start: object_usage_linter. Names in aes() and vars() are columns.

write_picture <- function(plot, path, height) {
  dir.create(dirname(path), recursive = TRUE, showWarnings = FALSE)
  grDevices::svg(path, width = 9, height = height)
  on.exit(grDevices::dev.off())
  print(plot)
}

# ---- how many times as fast ----------------------------------------------------------------------

speed_frame <- function(entries) {
  do.call(rbind, lapply(entries, function(entry) {
    ours <- entry$engines[["survivalGPU"]]
    if (is.null(ours$ratio)) {
      return(NULL)
    }
    data.frame(
      label = sprintf("%s, %s x %d", entry$title, count(entry$rows), entry$columns),
      ratio = ours$ratio, low = ours$ratio_range[[1]], high = ours$ratio_range[[2]]
    )
  }))
}

speed_picture <- function(frame) {
  frame$label <- factor(frame$label, rev(unique(frame$label)))
  ggplot2::ggplot(frame, ggplot2::aes(y = label)) +
    ggplot2::geom_vline(xintercept = 1, colour = "grey50") +
    ggplot2::geom_segment(ggplot2::aes(x = 1, xend = ratio, yend = label), colour = "#7fb3d5") +
    ggplot2::geom_segment(
      ggplot2::aes(x = low, xend = high, yend = label),
      colour = "#1f618d", linewidth = 1.5
    ) +
    ggplot2::geom_point(ggplot2::aes(x = ratio), colour = "#1f618d", size = 2.5) +
    ggplot2::geom_text(
      ggplot2::aes(x = pmax(high, 1), label = vapply(ratio, two_digits, "")),
      hjust = -0.4, size = 3.2
    ) +
    ggplot2::scale_x_log10(expand = ggplot2::expansion(mult = c(0.05, 0.12))) +
    ggplot2::labs(
      x = "times as fast as survival (median and range of pairs; of replicates, extrapolated)",
      y = NULL
    ) +
    ggplot2::theme_minimal(base_size = 11)
}

# ---- how cost grows ------------------------------------------------------------------------------

scaling_frame <- function(entries) {
  do.call(rbind, lapply(entries, function(entry) {
    engines <- Filter(function(engine) !is.null(engine$seconds), entry$engines)
    if (length(engines) == 0) {
      return(NULL)
    }
    data.frame(
      series = series_title(entry),
      size = if (entry$series == "rows") entry$rows else entry$columns,
      times = entry$title, engine = names(engines),
      seconds = vapply(engines, function(engine) engine$seconds, 0),
      row.names = NULL
    )
  }))
}

series_title <- function(entry) {
  if (entry$series == "rows") {
    sprintf("rows, at %d covariates", entry$columns)
  } else {
    sprintf("covariates, at %s rows", count(entry$rows))
  }
}

scaling_picture <- function(frame) {
  # levels, not the alphabet: rows first
  frame$series <- factor(frame$series, unique(frame$series))
  ggplot2::ggplot(
    frame, ggplot2::aes(x = size, y = seconds, colour = engine, linetype = times)
  ) +
    ggplot2::geom_line() +
    ggplot2::geom_point(size = 1.6) +
    ggplot2::facet_wrap(ggplot2::vars(series), scales = "free_x") +
    ggplot2::scale_x_log10() +
    ggplot2::scale_y_log10() +
    ggplot2::scale_colour_manual(values = c(survival = "#b03a2e", survivalGPU = "#1f618d")) +
    ggplot2::labs(x = NULL, y = "seconds, whole call", colour = NULL, linetype = NULL) +
    ggplot2::theme_minimal(base_size = 11) +
    ggplot2::theme(legend.position = "bottom")
}
# nolint end

# Plots of a bootstrap, by base graphics and by ggplot2.

#' Plot a bootstrap
#'
#' The distribution of each resampled coefficient, with the estimate and the limits of an
#' interval; or the intervals side by side. `autoplot()` draws the same with ggplot2.
#'
#' @param x,object A bootstrap, as `fit$bootstrap`.
#' @param parm The coefficients, as in [confint()][confint.coxphGPU]; all by default.
#' @param which `"histogram"` or `"intervals"`.
#' @param level,type The interval, see [confint()][confint.coxphGPU].
#' @param ... For `plot()`, passed to [graphics::hist()] or [graphics::plot()].
#' @return `plot()` returns `x`, invisibly; `autoplot()` a ggplot.
#' @seealso [bootstrap()]
#' @examplesIf survivalGPU:::python_ready()
#' library(survival)
#' fit <- coxphGPU(Surv(time, status) ~ age + sex, data = lung, device = "cpu")
#' fit <- bootstrap(fit, R = 200, seed = 1)
#' plot(fit$bootstrap)
#' plot(fit$bootstrap, which = "intervals")
#' @importFrom graphics hist plot
#' @export
plot.coxph_bootstrap <- function(x, parm = NULL, which = c("histogram", "intervals"),
                                 level = 0.95, type = "percentile", ...) {
  which <- rlang::arg_match(which)
  shown <- plotted_values(x, parm, level, type)
  if (which == "intervals") {
    plot_intervals(shown, ...)
    return(invisible(x))
  }
  n <- length(shown$t0)
  if (n > 1L) {
    columns <- ceiling(sqrt(n))
    before <- graphics::par(mfrow = c(ceiling(n / columns), columns))
    on.exit(graphics::par(before))
  }
  for (j in seq_len(n)) {
    drawn <- utils::modifyList(
      list(main = names(shown$t0)[j], xlab = "coefficient", breaks = "FD"), list(...)
    )
    do.call(hist, c(list(shown$t[, j]), drawn))
    graphics::abline(v = shown$t0[j], lwd = 2)
    graphics::abline(v = shown$limits[j, ], lty = 2)
  }
  invisible(x)
}

# Those that have values to plot.
plotted_values <- function(bootstrap, parm, level, type, call = rlang::caller_env()) {
  resampled <- resampled_values(bootstrap)
  chosen <- chosen_values(parm, names(resampled$t0), call)
  chosen <- chosen[is.finite(resampled$t0[chosen])]
  kept <- bootstrap$status == "converged"
  if (sum(kept) < 2L || length(chosen) == 0L) {
    abort_resampling(
      c(
        "There is nothing to plot: {sum(kept)} resample{?s} {?was/were} fitted.",
        i = "{.code status} tells why the others were not."
      ),
      call
    )
  }
  list(
    t0 = resampled$t0[chosen],
    t = resampled$t[kept, chosen, drop = FALSE],
    limits = confint.coxph_bootstrap(bootstrap, chosen, level = level, type = type)
  )
}

plot_intervals <- function(shown, ...) {
  n <- length(shown$t0)
  place <- rev(seq_len(n))
  drawn <- utils::modifyList(
    list(
      xlim = range(shown$limits, shown$t0, 0, na.rm = TRUE), ylim = c(0.5, n + 0.5),
      yaxt = "n", ylab = "", xlab = "coefficient", pch = 19
    ),
    list(...)
  )
  do.call(plot, c(list(shown$t0, place), drawn))
  graphics::segments(shown$limits[, 1L], place, shown$limits[, 2L], place)
  graphics::abline(v = 0, lty = 3)
  graphics::axis(2, at = place, labels = names(shown$t0), las = 1)
}

#' @rdname plot.coxph_bootstrap
#' @exportS3Method ggplot2::autoplot
autoplot.coxph_bootstrap <- function( # nolint: object_name_linter. A method's.
    object, parm = NULL, which = c("histogram", "intervals"), level = 0.95,
    type = "percentile", ...) {
  which <- rlang::arg_match(which)
  shown <- plotted_values(object, parm, level, type)
  terms <- factor(names(shown$t0), names(shown$t0))
  table <- data.frame(
    term = terms, estimate = unname(shown$t0),
    low = unname(shown$limits[, 1L]), high = unname(shown$limits[, 2L])
  )
  if (which == "intervals") {
    return(gg_intervals(table))
  }
  resampled <- data.frame(
    term = rep(terms, each = nrow(shown$t)), estimate = as.double(shown$t)
  )
  gg_histogram(resampled, table)
}

gg_intervals <- function(table) {
  ggplot2::ggplot(
    table, ggplot2::aes(.data$estimate, .data$term, xmin = .data$low, xmax = .data$high)
  ) +
    ggplot2::geom_vline(xintercept = 0, linetype = "dotted") +
    ggplot2::geom_pointrange() +
    ggplot2::scale_y_discrete(limits = rev) +
    ggplot2::labs(x = "coefficient", y = NULL)
}

gg_histogram <- function(resampled, table) {
  limits <- data.frame(term = rep(table$term, 2L), limit = c(table$low, table$high))
  ggplot2::ggplot(resampled, ggplot2::aes(.data$estimate)) +
    ggplot2::geom_histogram(bins = 40L) +
    ggplot2::geom_vline(
      ggplot2::aes(xintercept = .data$estimate),
      data = table, linewidth = 0.8
    ) +
    ggplot2::geom_vline(
      ggplot2::aes(xintercept = .data$limit),
      data = limits, linetype = "dashed", na.rm = TRUE
    ) +
    ggplot2::facet_wrap("term", scales = "free") +
    ggplot2::labs(x = "coefficient", y = "resamples")
}

# Plots of a permutation test, by base graphics and by ggplot2.

#' Plot a permutation test
#'
#' The distribution of each term's statistic over the permutations, with the statistic of
#' the data (a thick line) and the density of the chi-square distribution. `autoplot()` draws
#' the same with ggplot2.
#'
#' @param x,object A test, as [permutation_test()] makes it.
#' @param ... For `plot()`, passed to [graphics::hist()].
#' @return `plot()` returns `x`, invisibly; `autoplot()` a ggplot.
#' @seealso [permutation_test()]
#' @examplesIf survivalGPU:::python_ready()
#' library(survival)
#' fit <- coxphGPU(Surv(time, status) ~ age + sex, data = lung, device = "cpu")
#' plot(permutation_test(fit, R = 500, seed = 1))
#' @export
plot.permutation_test <- function(x, ...) {
  n <- ncol(x$null)
  if (n > 1L) {
    columns <- ceiling(sqrt(n))
    before <- graphics::par(mfrow = c(ceiling(n / columns), columns))
    on.exit(graphics::par(before))
  }
  for (term in colnames(x$null)) {
    values <- x$null[is.finite(x$null[, term]), term]
    drawn <- utils::modifyList(
      list(
        main = term, xlab = paste(statistic_name(x$type), "statistic"), breaks = "FD",
        freq = FALSE, xlim = c(0, max(values, x$statistic[[term]]))
      ),
      list(...)
    )
    do.call(hist, c(list(values), drawn))
    curve <- chi_square_curve(x, term)
    graphics::lines(curve$statistic, curve$density, lty = 2)
    graphics::abline(v = x$statistic[[term]], lwd = 2)
  }
  invisible(x)
}

# The chi-square density, from where it is not above the plot.
chi_square_curve <- function(test, term) {
  highest <- max(test$null[, term], test$statistic[[term]], na.rm = TRUE)
  statistic <- seq(highest / 50, highest, length.out = 200L)
  data.frame(
    term = term, statistic = statistic,
    density = stats::dchisq(statistic, test$df[[term]])
  )
}

#' @rdname plot.permutation_test
#' @exportS3Method ggplot2::autoplot
autoplot.permutation_test <- function(object, ...) { # nolint: object_name_linter. A method's.
  labels <- colnames(object$null)
  in_order <- function(frame) {
    frame$term <- factor(frame$term, labels)
    frame
  }
  curves <- in_order(do.call(rbind, lapply(labels, chi_square_curve, test = object)))
  observed <- in_order(data.frame(term = labels, statistic = unname(object$statistic)))
  ggplot2::ggplot(in_order(as.data.frame(object)), ggplot2::aes(.data$statistic)) +
    ggplot2::geom_histogram(
      ggplot2::aes(y = ggplot2::after_stat(.data$density)),
      bins = 40L, boundary = 0, na.rm = TRUE
    ) +
    ggplot2::geom_line(ggplot2::aes(y = .data$density), data = curves, linetype = "dashed") +
    ggplot2::geom_vline(
      ggplot2::aes(xintercept = .data$statistic),
      data = observed, linewidth = 0.8
    ) +
    ggplot2::facet_wrap("term", scales = "free") +
    ggplot2::labs(x = paste(statistic_name(object$type), "statistic"), y = "density")
}

#' Plot estimated weight functions
#'
#' The weight of a dose by the days since it was taken, with a pointwise confidence band of
#' the best model, or all models side by side.
#'
#' @param x A fit made by [wceGPU()].
#' @param allres Whether to draw the weight functions of all models, without bands.
#' @param conf.int Level of the pointwise band; `NULL` leaves it out.
#' @param xlab,ylab,main,... As in [plot()].
#' @return `x`, invisibly.
#' @details
#' The band is the estimate plus and minus normal quantiles of its standard error, that of
#' \eqn{\sum_j \theta_j B_j(u)} at each \eqn{u}, and takes the number of knots as given.
#' @seealso [wceGPU()]
#' @export
plot.wceGPU <- function(x, allres = FALSE, conf.int = 0.95, # nolint: object_name_linter.
                        xlab = "Days since the dose", ylab = "Weight", main = NULL, ...) {
  models <- chosen_models(x, allres)
  curves <- t(x$WCEmat[models, , drop = FALSE])
  band <- if (!allres && !is.null(conf.int)) weight_band(x, models, conf.int)
  labels <- paste0(
    names(x$knotsmat)[models], " (", criterion_name(x), " ",
    format(x$info.criterion[models], digits = 6L), ")"
  )
  days <- seq_len(nrow(curves))
  graphics::matplot(
    days, cbind(curves, band),
    type = "l", col = c(seq_along(models), rep("grey50", 2L)),
    lty = c(rep(1L, length(models)), 2L, 2L), xlab = xlab, ylab = ylab,
    main = if (is.null(main)) if (allres) wce_title(x) else labels else main, ...
  )
  graphics::abline(h = 0, lty = 3L)
  if (allres) graphics::legend("topright", legend = labels, col = seq_along(models), lty = 1L)
  invisible(x)
}

# Lower and upper limits of the weights, one row per day.
weight_band <- function(fit, model, level) {
  weights <- log_hazard_ratios(fit, diag(ncol(fit$WCEmat)), model)
  reach <- stats::qnorm((1 + level) / 2) * weights$se
  cbind(lower = weights$estimate - reach, upper = weights$estimate + reach)
}

#' Plot estimated weight functions
#'
#' The weight of a dose by the days since it was taken, with a pointwise confidence band of
#' the best model, or all models side by side.
#'
#' @param x A fit made by [wceGPU()].
#' @param allres Whether to draw the weight functions of all models, without bands.
#' @param conf.int Level of the band, by default that of the fit; `NULL` leaves it out.
#' @param band `"pointwise"`, or `"simultaneous"` for all days at once.
#' @param type,reselect As in [HR()], for a pointwise band.
#' @param xlab,ylab,main,... As in [plot()].
#' @return `x`, invisibly.
#' @details
#' A pointwise band has the limits of [HR()] for a dose of 1 on a single day.
#'
#' A simultaneous band is \eqn{\hat w(u) \pm c\, s(u)}. With a bootstrap, \eqn{s} is the standard
#' deviation of the resampled weights and \eqn{c} the quantile of
#' \eqn{\max_u |w_b(u) - \hat w(u)| / s(u)} over the resamples; without, \eqn{s} is the standard
#' error and \eqn{c^2} the chi-square quantile with as many degrees of freedom as the weight
#' function has coefficients (Scheffe 1953), which is wide.
#' @references
#' Scheffe H (1953). A method for judging all contrasts in the analysis of variance. *Biometrika*
#' 40, 87-104.
#' @seealso [wceGPU()]
#' @export
plot.wceGPU <- function(x, allres = FALSE, conf.int = x$confint, # nolint: object_name_linter.
                        band = c("pointwise", "simultaneous"), type = NULL, reselect = TRUE,
                        xlab = "Days since the dose", ylab = "Weight", main = NULL, ...) {
  models <- chosen_models(x, allres)
  curves <- t(x$WCEmat[models, , drop = FALSE])
  band <- match.arg(band)
  limits <- if (!allres && !is.null(conf.int)) {
    check_interval_level(conf.int, "conf.int")
    weight_band(x, models, conf.int, band, wce_interval_type(x, type), reselect)
  }
  labels <- paste0(
    names(x$knotsmat)[models], " (", criterion_name(x), " ",
    format(x$info.criterion[models], digits = 6L), ")"
  )
  days <- seq_len(nrow(curves))
  graphics::matplot(
    days, cbind(curves, limits),
    type = "l", col = c(seq_along(models), rep("grey50", 2L)),
    lty = c(rep(1L, length(models)), 2L, 2L), xlab = xlab, ylab = ylab,
    main = if (is.null(main)) if (allres) wce_title(x) else labels else main, ...
  )
  graphics::abline(h = 0, lty = 3L)
  if (allres) graphics::legend("topright", legend = labels, col = seq_along(models), lty = 1L)
  invisible(x)
}

# Lower and upper limits of the weights, one row per day.
weight_band <- function(fit, model, level, band, type, reselect) {
  each_day <- diag(ncol(fit$WCEmat))
  if (band == "pointwise") {
    return(contrast_limits(fit, each_day, model, level, type, reselect)[, c("lower", "upper")])
  }
  estimate <- fit$WCEmat[model, ]
  if (type == "wald") {
    s <- log_hazard_ratios(fit, each_day, model)$se
    reach <- sqrt(stats::qchisq(level, length(fit$est[[model]]))) * s
  } else {
    resampled <- weights_of_resamples(fit, model, reselect)
    resampled <- resampled[!is.na(resampled[, 1L]), , drop = FALSE]
    s <- apply(resampled, 2L, stats::sd)
    farthest <- apply(abs(t(resampled) - estimate) / s, 2L, max)
    reach <- stats::quantile(farthest, level, names = FALSE) * s
  }
  cbind(lower = estimate - reach, upper = estimate + reach)
}

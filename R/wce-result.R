# Fits of the core as the object that WCE() returns.

wce_result <- function(fits, options, covariates, nevents) {
  models <- paste(options$nknots, "knot(s)")
  q <- length(covariates)
  parts <- lapply(fits, wce_model, covariates = covariates)
  by_model <- function(name) rlang::set_names(lapply(parts, `[[`, name), models)
  rows <- function(name) do.call(rbind, by_model(name))
  loglik <- vapply(parts, `[[`, 0, "loglik")
  size <- lengths(by_model("est")) + q
  criterion <- -2 * loglik + size * criterion_penalty(options$aic, nevents)
  in_a_row <- function(x) matrix(x, nrow = 1L, dimnames = list(NULL, models))
  curves <- rows("curve")
  colnames(curves) <- paste0("t", seq_len(ncol(curves)))
  result <- list(
    knotsmat = rlang::set_names(lapply(fits, `[[`, "knots"), models),
    WCEmat = curves,
    loglik = in_a_row(loglik),
    est = by_model("est"),
    vcovmat = by_model("vcov"),
    SED = unname(by_model("se"))
  )
  if (q > 0) {
    result$beta.hat.covariates <- rows("beta")
    result$se.covariates <- rows("beta_se")
  }
  c(result, list(
    covariates = covariates,
    constrained = options$constrained,
    nevents = nevents,
    aic = options$aic,
    info.criterion = in_a_row(criterion),
    analysis = "Cox",
    basis = rlang::set_names(lapply(fits, `[[`, "basis"), models),
    iter = rlang::set_names(vapply(fits, `[[`, 0L, "iter"), models)
  ))
}

# Of a parameter: BIC counts events (Volinsky and Raftery 2000).
criterion_penalty <- function(aic, nevents) if (aic) 2 else log(nevents)

# One model's coefficients with their names: covariates first, then the artificial ones.
wce_model <- function(fit, covariates) {
  q <- length(covariates)
  artificial <- paste0("D", fit$first - 1L + seq_len(ncol(fit$basis)))
  names <- c(covariates, artificial)
  dimnames(fit$var) <- list(names, names)
  if (!is_finite_fit(fit)) {
    fit$coefficients[] <- fit$var[] <- fit$loglik[] <- NA_real_
  }
  coefficients <- rlang::set_names(fit$coefficients, names)
  coefficients[which(diag(fit$var) == 0)] <- NA
  se <- sqrt(diag(fit$var))
  is_covariate <- seq_along(names) <= q
  list(
    curve = drop(fit$basis %*% coefficients[!is_covariate]),
    loglik = fit$loglik[2L],
    est = coefficients[!is_covariate],
    se = se[!is_covariate],
    vcov = fit$var,
    beta = coefficients[is_covariate],
    beta_se = se[is_covariate]
  )
}

is_finite_fit <- function(fit) all(is.finite(c(fit$coefficients, fit$var)))

# survival's doubts about each model.
wce_warnings <- function(fits, nknots, control) {
  unlist(Map(fits, nknots, f = function(fit, knots) {
    text <- if (is_finite_fit(fit)) {
      counting_warnings(fit, control)
    } else {
      "the fit overflowed and has no result."
    }
    if (length(text) > 0) paste0("Model with ", knots, " knot(s): ", text)
  }))
}

# survival's front end, bound to our fitters.
#
# coxph() finds its fitters by name, from its own environment. A copy of the
# function whose environment descends from survival's namespace finds ours
# first, and everything else of survival unchanged. Nothing in survival is
# modified. Between the two are the helpers of R/front-end.R.

fitter_formals <- c(
  "x", "y", "strata", "offset", "init", "control", "weights", "method",
  "rownames", "resid", "nocenter"
)

coxph_engine <- function(device, concordance = TRUE) {
  check_survival()
  coxph <- survival::coxph
  environment(coxph) <- engine_environment(device)
  if (!concordance) environment(coxph)$concordancefit <- no_concordance
  coxph
}

engine_environment <- function(device) {
  engine <- new.env(parent = front_end_environment())
  # what the fitter leaves to the residuals of the same call
  kept <- new.env(parent = emptyenv())
  engine$coxph.fit <- right_censored_fitter(device, kept)
  engine$agreg.fit <- counting_fitter(device, kept)
  engine$coxexact.fit <- exact_right_fitter(device)
  engine$agexact.fit <- exact_counting_fitter(device)
  engine$residuals.coxph <- robust_residuals(device, kept)
  engine$concordancefit <- concordance_fitter(device, engine)
  # made where a model has penalised terms only
  delayedAssign("coxpenal.fit", penalised_fitter(device), assign.env = engine)
  engine
}

announce_deferral <- function(id, feature) {
  cli::cli_inform(
    c(
      i = paste(feature, "is not in survivalGPU's engine."),
      " " = "survival's own fitter runs instead: the results are survival's."
    ),
    class = "survivalGPU_deferred",
    .file = stderr(), .frequency = "once",
    .frequency_id = paste0("survivalGPU_deferred_", id)
  )
}

# The reason why the installed coxph() cannot be driven, or NULL.
survival_mismatch <- function(coxph = survival::coxph,
                              namespace = asNamespace("survival")) {
  deferred <- "coxpenal.fit"
  ours <- c("coxph.fit", "agreg.fit", "coxexact.fit", "agexact.fit")
  called <- c(ours, deferred) %in% all.names(body(coxph), unique = TRUE)
  if (!all(called)) {
    lost <- paste0(c(ours, deferred)[!called], "()", collapse = ", ")
    return(paste("its coxph() no longer calls", lost))
  }
  for (name in ours) {
    if (!identical(names(formals(namespace[[name]])), fitter_formals)) {
      return(paste0("the arguments of its ", name, "() have changed"))
    }
  }
  NULL
}

# survival_mismatch() when the package was loaded, and then survival with it.
installed_mismatch <- NULL

check_survival <- function(mismatch = installed_mismatch) {
  if (is.null(mismatch)) {
    return(invisible())
  }
  installed <- paste("survival", utils::packageVersion("survival"))
  cli::cli_abort(
    c(
      paste0("{.fn coxphGPU} cannot run with the installed ", installed, ": {mismatch}."),
      i = "Update {.pkg survivalGPU}, or install an earlier {.pkg survival}.",
      i = "{.fn survival::coxph} fits the same model meanwhile."
    ),
    class = c("survivalGPU_survival_version", "survivalGPU_error"),
    call = NULL
  )
}

# `target` with the arguments of `model` that it lacks, placed before `...`.
adopt_formals <- function(target, model) {
  own <- formals(target)
  new <- formals(model)[setdiff(names(formals(model)), names(own))]
  if (length(new) > 0) {
    formals(target) <- append(own, new, after = match("...", names(own)) - 1L)
  }
  target
}

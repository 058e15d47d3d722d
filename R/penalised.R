# Penalised terms: survival's coxpenal.fit() with its compiled routines replaced by ours.
#
# That function holds the outer loop over the terms' tuning parameters, the degrees of
# freedom and the shape of the result; its routines compute the partial likelihood
# (coxfit5a, agfit5a), maximise it together with the penalties (...5b) and give the
# expected events (...5c). A copy of the function finds our .C() first. Sparse terms,
# frailty() by default, have a solver of their own and stay with survival's routines.

penalised_steps <- c(
  Ccoxfit5a = "start", Cagfit5a = "start", Ccoxfit5b = "maximise", Cagfit5b = "maximise",
  Ccoxfit5c = "expect", Cagfit5c = "finish"
)

# Whether the installed coxpenal.fit() still calls those routines.
drives_penalised <- function(fitter = asNamespace("survival")$coxpenal.fit) {
  all(names(penalised_steps) %in% all.names(body(fitter), unique = TRUE))
}

penalised_fitter <- function(device, namespace = asNamespace("survival")) {
  if (!drives_penalised()) {
    announce_deferral(
      "penalised", "A penalised term ({.fn ridge}, {.fn pspline} or {.fn frailty})"
    )
    return(namespace$coxpenal.fit)
  }
  scope <- new.env(parent = namespace)
  scope$.C <- penalised_routines(device)
  fitter <- namespace$coxpenal.fit
  environment(fitter) <- scope
  fitter
}

# A stand-in for .C() with the state of one fit, as survival's routines keep it between
# their calls.
penalised_routines <- function(device) {
  likelihood <- NULL
  frame <- NULL
  first <- last <- NULL
  function(.NAME, ...) { # nolint: object_name_linter. The name it has in .C().
    step <- penalised_steps[[.NAME$name]]
    call <- list(.NAME, ...)
    if (step == "start") {
      frame <<- Find(is.environment, call)
      likelihood <<- if (is_ours(frame)) penalised_likelihood(frame, device)
      first <<- call
    }
    if (is.null(likelihood)) {
      return(do.call(.C, call))
    }
    switch(step,
      start = start_penalised(frame, call[-1L], likelihood),
      maximise = {
        fit <- maximise_penalised(frame, call[-1L], likelihood)
        last <<- replace(call, c("iter", "coef"), list(0L, fit$coef))
        fit
      },
      expect = if (length(unique(frame$strata)) > 1) {
        survivals_expected(frame, first, last, call)
      } else {
        list(expect = frame$status - cox_likelihood_residuals(likelihood, last$coef))
      },
      finish = list()
    )
  }
}

# Whether our engine fits this model, or survival's routines.
is_ours <- function(frame) {
  if (frame$nfrail > 0) {
    announce_deferral("penalised", "A sparse penalised term ({.fn frailty})")
    return(FALSE)
  }
  if (frame$andersen && frame$method == "efron" && any(frame$weights != 1)) {
    # survival's routine maximises something else there; its numbers are kept
    announce_deferral(
      "penalised_weights", "A penalised term with weighted (start, stop] rows and Efron's ties"
    )
    return(FALSE)
  }
  TRUE
}

# The expected events of a stratified fit by survival's routines, brought to the maximum
# `last` by two evaluations. Those of survival 3.5 carry the hazard of one stratum on into
# the next, so that ours, which start each stratum anew, would differ.
survivals_expected <- function(frame, first, last, call) {
  kept <- frame$coxlist2
  do.call(.C, first)
  do.call(.C, last)
  frame$coxlist2 <- kept
  do.call(.C, call)
}

# The likelihood of the data of a call of coxpenal.fit(), whose frame is `frame`.
penalised_likelihood <- function(frame, device) {
  cox_likelihood(
    frame$xx, frame$y, frame$strata, frame$offset, frame$weights,
    if (frame$method == "efron") "efron" else "breslow", device
  )
}

start_penalised <- function(frame, arguments, likelihood) {
  at <- penalised_point(frame, likelihood, arguments$coef)
  means <- colMeans(frame$xx)
  means[frame$zero.one] <- 0
  arguments$means <- unname(means)
  arguments$u <- at$score
  arguments$loglik <- at$loglik
  arguments
}

# Log-likelihood, score and information with the penalties, which survival's function
# adds up and keeps in its frame as `coxlist2`. A flagged coefficient is held where it is.
penalised_point <- function(frame, likelihood, beta) {
  at <- evaluate_cox_likelihood(likelihood, beta)
  penalty <- frame$f.expr2(beta)
  frame$coxlist2 <- penalty
  p <- length(beta)
  second <- if (frame$full.imat) matrix(penalty$second, p, p) else diag(penalty$second, p)
  score <- at$score + penalty$first
  information <- at$information + second
  held <- penalty$flag
  score[held] <- 0
  information[held, ] <- information[, held] <- 0
  diag(information)[held] <- 1
  list(
    beta = as.double(penalty$coef), loglik = at$loglik + penalty$penalty,
    score = score, information = information
  )
}

# Newton-Raphson by the rules of survival's routine: a step to a lower value is taken half
# back, as often as need be, and the last trial is kept when the iterations run out.
maximise_penalised <- function(frame, arguments, likelihood) {
  control <- frame$control
  tolerance <- control$toler.chol
  best <- penalised_point(frame, likelihood, arguments$coef)
  factors <- factor_information(best$information, best$score, tolerance)
  at <- best
  converged <- FALSE
  iteration <- 0L
  trial <- best$beta + factors$step
  while (iteration < control$iter.max && !converged) {
    iteration <- iteration + 1L
    at <- penalised_point(frame, likelihood, trial)
    factors <- factor_information(at$information, at$score, tolerance)
    converged <- isTRUE(abs(1 - best$loglik / at$loglik) <= control$eps)
    if (isTRUE(at$loglik >= best$loglik)) {
      best <- at
      trial <- at$beta + factors$step
    } else {
      trial <- (at$beta + best$beta) / 2
    }
  }
  arguments$iter <- iteration
  arguments$coef <- at$beta
  arguments$u <- at$score
  arguments$loglik <- at$loglik
  arguments$flag <- if (converged) factors$rank else 1000L
  arguments$hmat <- t(factors$factor)
  arguments$hinv <- t(factors$inverse_factor)
  arguments$fdiag <- factors$inverse_pivots
  arguments
}

#' Fit a Cox model on the GPU, or on all CPU cores
#'
#' `coxphGPU()` is [survival::coxph()] with another engine: swap the name and
#' keep the arguments, the numbers and everything downstream. survival's own code
#' reads the formula and the data; the partial likelihood, its derivatives and
#' the martingale residuals are computed by PyTorch in double precision.
#'
#' @details
#' # Model
#' A row \eqn{i} has covariates \eqn{x_i}, an offset \eqn{o_i}, a case weight
#' \eqn{w_i} and the interval \eqn{(start_i, stop_i]} in which it is observed, in
#' any one unit of time; right-censored data start at \eqn{-\infty}. With
#' \eqn{\eta_i = x_i\beta + o_i} and \eqn{r_i = e^{\eta_i}}, the log partial
#' likelihood is
#' \deqn{\sum_i \delta_i w_i \eta_i - \sum_k \frac{W_k}{d_k} \sum_{l=0}^{d_k - 1}
#'   \log\left(\sum_{i \in R_k} w_i r_i - f_l \sum_{i \in D_k} w_i r_i\right)}
#' over the distinct event times \eqn{k} of each stratum, where \eqn{R_k} is at
#' risk, \eqn{D_k} are the \eqn{d_k} events, \eqn{W_k} is their total weight, and
#' \eqn{f_l = l / d_k} for Efron's approximation of ties, 0 for Breslow's. It is
#' maximised by survival's Newton-Raphson: the same start, step halving, stopping
#' rule and singularity rule, so that the number of iterations agrees too.
#' Coefficients are log hazard ratios per unit of the covariate.
#'
#' `ties = "exact"` takes time as discrete: that the events are \eqn{D_k}, and not another
#' subset \eqn{S} of as many rows at risk, has the likelihood
#' \deqn{\frac{\prod_{i \in D_k} r_i}
#'   {\sum_{S \subset R_k, |S| = d_k} \prod_{i \in S} r_i}}
#' [clogitGPU()] uses it for matched case-control data.
#'
#' # Device
#' `"auto"` takes the first CUDA device and falls to the CPU where there is none,
#' saying so once per session. `"cuda"` and `"cuda:1"` are errors where that
#' device is missing. Apple's `"mps"` is refused: it has no double precision.
#'
#' # What runs where
#' Right-censored and (start, stop] models, strata, case weights, offsets, robust
#' variance, `tt()` and multi-state models use survivalGPU's engine, with all three
#' treatments of ties; so do the penalised terms `ridge()`, `pspline()` and
#' `frailty(sparse = FALSE)`. For the sparse solver of `frailty()`, for penalised terms with
#' Efron's ties and weighted (start, stop] rows, and for rows without a stratum, survival's
#' own fitter is called, with one message per session.
#'
#' # Errors
#' Errors and warnings of `coxph` are kept, word for word, with the call of
#' `coxphGPU`. survivalGPU's own errors have class `survivalGPU_error`: an unknown
#' or missing device, no Python, no PyTorch, or a survival package whose inner
#' functions have changed.
#'
#' @param formula,data,weights,subset,na.action,init,control,ties,singular.ok
#'   As in [survival::coxph()].
#' @param robust,model,x,y,tt,method,id,cluster,istate,statedata,nocenter,...
#'   As in [survival::coxph()]. An argument that matches nothing is an error.
#' @param device `"auto"`, `"cpu"`, `"cuda"` or `"cuda:N"`; `NULL`, the default,
#'   takes the option `survivalGPU.device`, which is `"auto"` unless set.
#' @param concordance Whether to compute the concordance and its standard error, which
#'   `summary()` prints. Without, they are `NA`, and `concordance(fit)` computes them later.
#' @param bootstrap Number of resamples of the subjects, see [bootstrap()], which has more
#'   options; `NULL`, the default, for none.
#' @param batchsize,seed As in [bootstrap()].
#' @return An object of class `c("coxphGPU", "coxph")`, with the components of
#'   [survival::coxph.object]. Multi-state, penalised and null models have
#'   survival's class for them between the two. With `bootstrap`, the component of that
#'   name is what [bootstrap()] makes. It holds no Python object: `saveRDS()` and
#'   `readRDS()` keep it whole.
#' @references
#' Cox DR (1972). Regression models and life-tables. *Journal of the Royal
#' Statistical Society B* 34, 187-220.
#'
#' Breslow N (1974). Covariance analysis of censored survival data. *Biometrics*
#' 30, 89-99.
#'
#' Efron B (1977). The efficiency of Cox's likelihood function for censored data.
#' *Journal of the American Statistical Association* 72, 557-565.
#'
#' Therneau TM, Grambsch PM (2000). *Modeling Survival Data: Extending the Cox
#' Model*. Springer.
#' @seealso [clogitGPU()], [bootstrap()], [use_cuda()], [survivalGPU_sitrep()]
#' @examplesIf survivalGPU:::python_ready()
#' library(survival)
#' fit <- coxphGPU(Surv(time, status) ~ age + sex + ph.ecog, data = lung, device = "cpu")
#' fit
#'
#' # Everything that takes a coxph fit takes this one
#' cox.zph(fit)
#' summary(survfit(fit), times = c(180, 365))
#' update(fit, . ~ . - ph.ecog)
#'
#' # (start, stop] data, strata and a robust variance by subject
#' coxphGPU(
#'   Surv(tstart, tstop, status) ~ treat + age + strata(sex),
#'   data = cgd, cluster = id, device = "cpu"
#' )
#' @export
coxphGPU <- function( # nolint: object_name_linter.
    formula, data, weights, subset, na.action, init, control,
    ties = c("efron", "breslow", "exact"), singular.ok = TRUE, robust,
    model = FALSE, x = FALSE, y = TRUE, tt, method = ties, id, cluster, istate,
    statedata, nocenter = c(-1, 0, 1), ..., device = NULL, concordance = TRUE,
    bootstrap = NULL, batchsize = 0, seed = NULL) {
  user_call <- sys.call()
  matched <- match.call()
  frame <- parent.frame()
  check_flag(concordance, "concordance")
  if (!is.null(bootstrap)) check_bootstrap_request(bootstrap, batchsize, seed)
  engine <- engine_expression(requested_device(device))
  # coxph() calls concordancefit() last of all
  if (!concordance) engine$concordance <- FALSE

  # coxph() must see the caller's own frame: formulas, `..1` and missing
  # arguments passed down mean something only there.
  engine_call <- matched
  engine_call[own_arguments] <- NULL
  if (!is.null(bootstrap)) engine_call$model <- TRUE
  engine_call[[1L]] <- engine
  fit <- relabel_conditions(
    eval(engine_call, frame),
    from = function(cnd) is_from_engine(cnd, list(engine)),
    call = function(call) user_call
  )

  # coxph() edits its call (a cluster() term becomes an argument), so the call
  # it returns is kept.
  fit$call[[1L]] <- matched[[1L]]
  given <- Filter(Negate(is.null), as.list(matched)[own_arguments])
  fit$call[names(given)] <- given
  # survival gives some exact fits of (start, stop] data no class: nor do we
  if (inherits(fit, "coxph")) class(fit) <- c("coxphGPU", class(fit))
  if (is.null(bootstrap)) {
    return(fit)
  }
  fit <- relabel_conditions(
    bootstrap(fit, bootstrap, batchsize = batchsize, seed = seed, device = device),
    from = function(cnd) inherits(cnd, "survivalGPU_error"),
    call = function(call) user_call
  )
  # kept for the bootstrap, which else would have to look the data up
  if (!isTRUE(model)) fit$model <- NULL
  fit$call$model <- matched[["model"]]
  fit$bootstrap$call <- fit$call
  fit
}

# What coxph() does not have.
own_arguments <- c("device", "concordance", "bootstrap", "batchsize", "seed")

# An expression, not a function: what stands in the function's place is deparsed
# into error messages and tracebacks.
engine_expression <- function(device, maker = quote(coxph_engine)) {
  as.call(list(call(":::", quote(survivalGPU), maker), device))
}

# Shows conditions `from` one of our frames with the call that `call` makes of theirs.
relabel_conditions <- function(expr, from, call) {
  withCallingHandlers(
    expr,
    warning = function(cnd) {
      if (from(cnd)) {
        cnd$call <- call(conditionCall(cnd))
        warning(cnd)
        tryInvokeRestart("muffleWarning")
      }
    },
    error = function(cnd) {
      if (from(cnd)) {
        cnd$call <- call(conditionCall(cnd))
        # rlang's own signal prints its errors' bullets and backtrace
        if (inherits(cnd, "rlang_error")) rlang::cnd_signal(cnd) else stop(cnd)
      }
    }
  )
}

# Whether a condition comes from the frame of a call of one of `engines`, or is our own.
is_from_engine <- function(cnd, engines) {
  origin <- conditionCall(cnd)
  any(vapply(engines, has_head, NA, call = origin)) ||
    (is.null(origin) && inherits(cnd, "survivalGPU_error"))
}

has_head <- function(call, head) {
  is.call(call) && identical(call[[1L]], head)
}

#' survivalGPU: Cox models on the GPU, with survival's own front end
#'
#' Change `coxph(` to [coxphGPU()] and keep everything else: the same arguments,
#' the same numbers, an object that `summary()`, `predict()`, `survfit()`,
#' `cox.zph()` and the rest treat as any `coxph` fit. The sums over risk sets run
#' in PyTorch, in double precision, on a GPU where there is one and on all CPU
#' cores where there is not.
#'
#' @section Python:
#' The package needs a Python (3.10 or later) with the packages `torch` and
#' `numpy`. It is started at the first fit, never when the package is loaded.
#' [survivalGPU_sitrep()] says what was found, what is wrong and what to do.
#'
#' @section Options:
#' `survivalGPU.device`: the device used where `device` is not given, `"auto"` by
#' default. See [coxphGPU()].
#'
#' `survivalGPU.progress`: whether [bootstrap()] and [permutation_test()] show a progress
#' bar, by default where the session is interactive.
#'
#' @useDynLib survivalGPU, .registration = TRUE
#' @importFrom rlang %||% .data
#' @importFrom survival concordance coxph
#' @importFrom stats naresid residuals
#' @useDynLib survivalGPU, .registration = TRUE
#' @keywords internal
"_PACKAGE"

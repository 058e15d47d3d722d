# Devices: what the user may ask for, and what it stands for on this machine.

# The device asked for, as a valid string; `"auto"` is resolved at the fit.
requested_device <- function(device, call = rlang::caller_env()) {
  source <- "{.arg device}"
  if (is.null(device)) {
    device <- getOption("survivalGPU.device", "auto")
    source <- "The option {.code survivalGPU.device}"
  }
  valid <- "It must be {.val auto}, {.val cpu}, {.val cuda} or {.val cuda:N}, N = 0, 1, ..."
  if (!rlang::is_string(device)) {
    abort_device(
      paste(source, "must be one string, not {.obj_type_friendly {device}}."),
      valid, device, call
    )
  }
  if (device == "mps") {
    abort_device(
      paste(source, "is {.val mps}, which has no double precision (float64)."),
      "Use {.code device = \"cpu\"}: numbers that equal survival's need float64.",
      device, call
    )
  }
  if (!grepl("^(auto|cpu|cuda(:[0-9]+)?)$", device)) {
    abort_device(
      paste(source, "is {.val {device}}, which is not a device."), valid, device, call
    )
  }
  device
}

abort_device <- function(problem, remedy, device, call) {
  cli::cli_abort(
    c(problem, i = remedy),
    class = c("survivalGPU_invalid_device", "survivalGPU_error"),
    call = call
  )
}

# The device to compute on. Only "auto" may fall to the CPU, and says so once.
resolve_device <- function(device) {
  if (device == "cpu") {
    return(device)
  }
  resolved <- python_device(device)
  if (resolved$fell_back) {
    announce_cpu()
  }
  resolved$device
}

# The device of what is computed from a fit: the one its call names, else the option's.
device_of <- function(fit, call = rlang::caller_env()) {
  named <- as.list(fit$call)[["device"]]
  requested_device(if (rlang::is_string(named)) named, call = call)
}

announce_cpu <- function() {
  cli::cli_inform(
    c(
      i = "No CUDA device is available to PyTorch: models are fitted on the CPU.",
      " " = "{.code device = \"cpu\"} or {.code options(survivalGPU.device = \"cpu\")} asks for it."
    ),
    class = "survivalGPU_fell_back",
    .file = stderr(), .frequency = "once",
    .frequency_id = "survivalGPU_fell_back"
  )
}

#' Is there a GPU that PyTorch can use?
#'
#' Starts Python if it is not running. Where there is no Python, no PyTorch or no
#' CUDA device the answer is `FALSE`, without error or message;
#' [survivalGPU_sitrep()] tells which.
#'
#' @return `TRUE` if a CUDA device is available, so that `device = "auto"` fits
#'   on it; `FALSE` otherwise.
#' @seealso [coxphGPU()] for the `device` argument.
#' @examples
#' use_cuda()
#' @export
use_cuda <- function() {
  tryCatch(
    suppressWarnings(isTRUE(python_report()$cuda)),
    error = function(cnd) FALSE
  )
}

# What the methods for fitted models share: which device computes, and whether the engine
# is worth asking.

# Below this many rows survival's own code is done before Python has been asked.
fewest_rows <- 5000L

# The device on which to compute what is asked of `fit`, or NULL where survival's own
# code is to run: on small data, and where there is no Python or not that device, since
# a fit must predict wherever it can be read.
engine_device <- function(fit, n_rows) {
  if (n_rows < least_rows()) {
    return(NULL)
  }
  tryCatch(
    {
      device <- resolve_device(device_of(fit))
      python_device(device)
      device
    },
    survivalGPU_error = function(cnd) {
      announce_no_engine(cnd)
      NULL
    }
  )
}

least_rows <- function() fewest_rows

announce_no_engine <- function(cnd) {
  cli::cli_inform(
    c(
      i = "survivalGPU's engine cannot run here: survival's own code computes instead.",
      " " = escape_braces(conditionMessage(cnd))
    ),
    class = "survivalGPU_no_engine",
    .file = stderr(), .frequency = "once",
    .frequency_id = "survivalGPU_no_engine"
  )
}

# What the times depend on besides the code.

describe_machine <- function() {
  list(
    cpu = cpu_model(),
    cores = parallel::detectCores(),
    memory_gib = memory_gib(),
    os = utils::osVersion,
    r = paste(R.version$major, R.version$minor, sep = "."),
    blas = basename(normalizePath(extSoftVersion()[["BLAS"]], mustWork = FALSE)),
    settings = set_variables()
  )
}

cpu_model <- function() {
  if (file.exists("/proc/cpuinfo")) {
    line <- grep("^model name", readLines("/proc/cpuinfo"), value = TRUE)
    if (length(line) > 0) {
      return(trimws(sub(".*:", "", line[1])))
    }
  }
  if (Sys.info()[["sysname"]] == "Darwin") {
    return(system("sysctl -n machdep.cpu.brand_string", intern = TRUE))
  }
  R.version$arch
}

memory_gib <- function() {
  if (!file.exists("/proc/meminfo")) {
    return(NA)
  }
  line <- grep("^MemTotal", readLines("/proc/meminfo"), value = TRUE)
  round(as.double(gsub("[^0-9]", "", line)) / 1024^2)
}

# Whether the case fits: engines copy their data about a dozen times, and two hold it at once.
fits_in_memory <- function(case) {
  if (!file.exists("/proc/meminfo")) {
    return(TRUE)
  }
  line <- grep("^MemAvailable", readLines("/proc/meminfo"), value = TRUE)
  available <- as.double(gsub("[^0-9]", "", line)) * 1024
  case$rows * (case$columns + 4) * 8 * 15 < available
}

# Variables that change how many threads are used, where they are set.
set_variables <- function() {
  names <- c(
    "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "R_DATATABLE_NUM_THREADS"
  )
  values <- Sys.getenv(names, NA)
  as.list(values[!is.na(values)])
}

# Letters, digits and hyphens that tell machines apart, without naming one.
machine_slug <- function(machine, device) {
  words <- paste(machine$cpu, machine$cores, "cores", device)
  gsub("(^-|-$)", "", gsub("[^a-z0-9]+", "-", tolower(words)))
}

# The share of all processors that other programs keep busy, over a second in which ours wait.
others_busy <- function(seconds = 1) {
  if (!file.exists("/proc/stat")) {
    return(NA_real_)
  }
  before <- processor_times()
  Sys.sleep(seconds)
  spent <- processor_times() - before
  # the fourth and fifth of the columns are idle and waiting for the disk
  1 - sum(spent[4:5]) / sum(spent)
}

processor_times <- function() {
  as.double(strsplit(readLines("/proc/stat", n = 1L), " +")[[1]][2:9])
}

# Cohorts with what WCE 1.0.3 makes of them.

# A simulated cohort in daily rows, and WCE's models of it: see wce_cohort.json.
wce_reference <- local({
  made <- NULL
  function() {
    skip_if_not_installed("jsonlite")
    if (is.null(made)) {
      made <<- list(
        data = utils::read.csv(test_path("wce", "wce_cohort.csv")),
        models = jsonlite::read_json(test_path("wce", "wce_cohort.json"))
      )
    }
    made
  }
})

# The same of WCE's example data, which are not ours to pass on; they lie beside a checkout.
drugdata_reference <- function() {
  skip_if_not_installed("jsonlite")
  folders <- c(Sys.getenv("SURVIVALGPU_SHARED", NA), test_path("..", "..", "..", "shared"))
  found <- Filter(function(folder) {
    !is.na(folder) && file.exists(file.path(folder, "reference", "drugdata.json"))
  }, folders)
  if (length(found) == 0) skip("WCE's example data are not here")
  list(
    data = utils::read.csv(file.path(found[[1]], "data", "drugdata.csv.gz")),
    models = jsonlite::read_json(file.path(found[[1]], "reference", "drugdata.json"))
  )
}

# wceGPU() of rows with the usual names of columns.
fit_wce <- function(data, ..., device = "cpu") {
  wceGPU(
    data, ...,
    id = "Id", event = "Event", start = "Start", stop = "Stop", expos = "dose", device = device
  )
}

# The model of `data` that a reference describes.
refit_reference <- function(data, model, nknots = model$nknots) {
  fit_wce(
    data,
    nknots = nknots, cutoff = model$cutoff,
    constrained = if (model$constrained != "FALSE") model$constrained else FALSE,
    aic = isTRUE(model$aic), covariates = unlist(model$covariates)
  )
}

# Within 1e-7 of the largest absolute value of the reference.
expect_close <- function(object, reference, label) {
  object <- as.double(unlist(object))
  reference <- as.double(unlist(reference))
  expect_length(object, length(reference))
  expect_lte(max(abs(object - reference)) / max(abs(reference)), 1e-7, label = label)
}

# Daily rows as rows for as long as nothing changes.
as_spells <- function(data) {
  same <- c("Id", "sex", "age", "dose")
  n <- nrow(data)
  begins <- c(TRUE, rowSums(data[-1L, same] != data[-n, same]) > 0)
  spells <- data[begins, ]
  ends <- c(which(begins)[-1L] - 1L, n)
  spells$Stop <- data$Stop[ends]
  spells$Event <- data$Event[ends]
  spells
}

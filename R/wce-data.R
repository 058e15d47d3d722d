# What wceGPU() is given, checked, as the core takes it.

# Rows of follow-up and, where the exposure is a table of its own, its spells.
wce_rows <- function(data, columns, covariates, weights, exposures,
                     call = rlang::caller_env()) {
  if (!is.data.frame(data)) {
    abort_argument(
      "data", "it must be a data frame, not {.obj_type_friendly {data}}.", call,
      data = data
    )
  }
  if (nrow(data) == 0L) abort_argument("data", "it has no rows.", call)
  roles <- setdiff(names(columns), if (!is.null(exposures)) "expos")
  keys <- lapply(rlang::set_names(roles), function(role) {
    key_column(data, columns[[role]], role, call)
  })
  subjects <- wce_subjects(keys$id)
  x <- covariate_matrix(data, covariates, call)
  rows <- list(
    subject = subjects$codes,
    start = as.double(keys$start),
    stop = as.double(keys$stop),
    event = as.double(keys$event),
    dose = if (is.null(exposures)) as.double(keys$expos),
    covariates = x,
    uncentred = uncentred_columns(x, c(-1, 0, 1)),
    weights = if (!is.null(weights)) weight_column(data, weights, call)
  )
  list(
    rows = rows,
    spells = if (!is.null(exposures)) {
      exposure_spells(exposures, columns, subjects$labels, call)
    },
    subjects = length(subjects$labels)
  )
}

# A column of the data that the model cannot do without.
key_column <- function(data, name, role, call) {
  if (!rlang::is_string(name)) {
    abort_argument(role, "it must be the name of a column of {.arg data}.", call)
  }
  values <- data_column(data, name, role, call)
  if (role != "id") check_numbers(values, name, role, call)
  values
}

# A column without missing values.
data_column <- function(data, name, argument, call, frame = "data") {
  if (!name %in% names(data)) {
    abort_argument(
      argument, "{.arg {frame}} has no column {.val {name}}.", call,
      frame = frame, name = name
    )
  }
  values <- data[[name]]
  if (anyNA(values)) {
    rows <- which(is.na(values))
    abort_argument(
      argument,
      paste(
        "column {.val {name}} has {length(rows)} missing value{?s}, the first in row",
        "{rows[1L]}."
      ),
      call,
      name = name, rows = rows,
      remedy = "Drop or impute these rows."
    )
  }
  values
}

check_numbers <- function(values, name, argument, call) {
  if (!is.numeric(values) && !is.logical(values)) {
    abort_argument(
      argument, "column {.val {name}} must hold numbers, not {.obj_type_friendly {values}}.",
      call,
      name = name, values = values
    )
  }
  infinite <- which(is.infinite(range(values)))
  if (length(infinite) > 0L) {
    abort_argument(argument, "column {.val {name}} has infinite values.", call, name = name)
  }
}

# Codes from 0 in order of first appearance, and whom they stand for. Rows of a subject mostly
# follow one another, so that few labels need to be looked up.
wce_subjects <- function(id) {
  if (is.factor(id)) id <- as.character(id)
  n <- length(id)
  first <- which(c(TRUE, id[-1L] != id[-n]))
  runs <- id[first]
  labels <- unique(runs)
  list(
    codes = rep.int(match(runs, labels) - 1L, diff(c(first, n + 1L))),
    labels = labels
  )
}

covariate_matrix <- function(data, covariates, call) {
  if (!is.null(covariates) && !is.character(covariates)) {
    abort_argument("covariates", "they must be names of columns of {.arg data}.", call)
  }
  columns <- lapply(covariates, function(name) {
    values <- data_column(data, name, "covariates", call)
    if (is.factor(values) || is.character(values)) {
      abort_argument(
        "covariates", "column {.val {name}} holds categories.", call,
        name = name, remedy = "Give them as indicator columns: see {.fn stats::model.matrix}."
      )
    }
    check_numbers(values, name, "covariates", call)
    values
  })
  matrix(
    as.double(unlist(columns, use.names = FALSE)), nrow(data), length(covariates),
    dimnames = list(NULL, covariates)
  )
}

weight_column <- function(data, name, call) {
  values <- as.double(key_column(data, name, "weights", call))
  if (any(values <= 0)) {
    abort_argument(
      "weights", "{sum(values <= 0)} row{?s} of column {.val {name}} {?is/are} not positive.",
      call,
      name = name, values = values
    )
  }
  values
}

# Spells of a table of exposures. Its columns are named as those of the data, or id, start,
# stop and dose.
exposure_spells <- function(exposures, columns, labels, call, argument = "exposures") {
  if (!is.data.frame(exposures)) {
    abort_argument(
      argument, "it must be a data frame, not {.obj_type_friendly {exposures}}.", call,
      exposures = exposures
    )
  }
  spells <- lapply(spell_columns(exposures, columns), function(name) {
    list(name = name, values = data_column(exposures, name, argument, call, frame = argument))
  })
  for (column in spells[c("start", "stop", "dose")]) {
    check_numbers(column$values, column$name, argument, call)
  }
  list(
    subject = known_subjects(spells$id$values, labels, argument, call) - 1L,
    start = as.double(spells$start$values),
    stop = as.double(spells$stop$values),
    dose = as.double(spells$dose$values)
  )
}

spell_columns <- function(exposures, columns) {
  named <- list(id = "id", start = "start", stop = "stop", dose = "dose")
  as_in_data <- c(columns[c("id", "start", "stop")], dose = columns$expos)
  present <- vapply(as_in_data, FUN.VALUE = NA, function(name) name %in% names(exposures))
  utils::modifyList(named, as_in_data[present])
}

# Places of subjects among those of the data.
known_subjects <- function(id, labels, argument, call) {
  if (is.factor(id)) id <- as.character(id)
  places <- match(id, labels)
  if (anyNA(places)) {
    unknown <- unique(id[is.na(places)])
    abort_argument(
      argument,
      "{length(unknown)} subject{?s} {?is/are} not in the data, the first is {unknown[1L]}.",
      call,
      unknown = unknown, remedy = "Drop these rows."
    )
  }
  places
}

# An error that names the argument; `found` may use what is given in `...`.
abort_argument <- function(argument, found, call, ..., remedy = NULL) {
  values <- list2env(list(argument = argument, ...), parent = environment())
  message <- c(paste0("{.arg {argument}}: ", found), i = remedy)
  abort_resampling(message, call, frame = values)
}

# The cases. Each is a task (see tasks.R) on simulated data (see problems.R), the engines that try
# it, and what adapters need to know of it: `ties`, `counting` for (start, stop] rows, `strata`,
# `cluster`, and `tied`, whether events share times. A call over `limit` seconds is ended; one over
# `patience` seconds is made once. Of `replicates` resamples a loop of coxph() makes `loop`.

ours_and_survival <- c("survival", "survivalGPU")
competitors <- c(
  ours_and_survival, "rms", "glmnet", "lifelines", "scikit_survival", "statsmodels", "torchsurv"
)

case <- function(name, title, group, rows, columns, simulate, task = "fit", ties = "efron",
                 tied = FALSE, counting = FALSE, strata = FALSE, cluster = FALSE,
                 engines = ours_and_survival, rounds = 5L, limit = 900, patience = 60,
                 quick_rows = 3000, replicates = NULL, loop = NULL) {
  as.list(environment())
}

# ---- survival against survivalGPU ----------------------------------------------------------------

issue_fits <- function() {
  days <- function(columns) function(rows) right_censored(rows, columns, days = TRUE)
  times <- function(columns) function(rows) right_censored(rows, columns)
  list(
    case(
      "intervals", "(start, stop] rows, whole days", "issue", 5.2e6, 1, dose_histories,
      tied = TRUE, counting = TRUE
    ),
    case(
      "intervals_fitter", "(start, stop] rows, whole days: the fitter alone", "issue", 5.2e6, 1,
      dose_histories,
      task = "fitter", tied = TRUE, counting = TRUE
    ),
    case("censored", "right-censored, continuous times", "issue", 1e6, 10, times(10)),
    case(
      "censored_fitter", "right-censored, continuous times: the fitter alone", "issue", 1e6, 10,
      times(10),
      task = "fitter"
    ),
    case("wide", "right-censored, continuous times", "issue", 2e5, 50, times(50)),
    case("wide_days", "right-censored, whole days", "issue", 2e5, 50, days(50), tied = TRUE),
    case(
      "clusters", "robust variance, (start, stop] rows, whole days, ten rows a patient", "issue",
      1e6, 1, function(rows) dose_histories(rows, changes = 9.5),
      tied = TRUE, counting = TRUE, cluster = TRUE
    ),
    case(
      "strata", "five rows a stratum, continuous times", "issue", 1e6, 5,
      function(rows) stratified(rows, 5, 5),
      strata = TRUE
    ),
    case(
      "lung", "survival's lung data, any call after the first", "issue", 227, 4, lung_patients,
      tied = TRUE, rounds = 11L
    )
  )
}

issue_after_fit <- function() {
  times <- function(columns) function(rows) right_censored(rows, columns)
  days <- function(columns) function(rows) right_censored(rows, columns, days = TRUE)
  list(
    case(
      "concordance", "concordance(), continuous times", "issue", 5e6, 1, times(1),
      task = "concordance"
    ),
    case(
      "concordance_intervals", "concordance(), (start, stop] rows, whole days", "issue", 5.2e6, 1,
      dose_histories,
      task = "concordance", tied = TRUE, counting = TRUE
    ),
    case(
      "dfbeta_intervals", "residuals(type = \"dfbeta\"), (start, stop] rows, whole days", "issue",
      1e6, 1, dose_histories,
      task = "dfbeta", tied = TRUE, counting = TRUE
    ),
    case(
      "dfbeta_breslow", "residuals(type = \"dfbeta\"), whole days, Breslow", "issue", 1e6, 2,
      days(2),
      task = "dfbeta", tied = TRUE, ties = "breslow"
    ),
    case(
      "dfbeta_small", "residuals(type = \"dfbeta\"), continuous times", "issue", 2e4, 2, times(2),
      task = "dfbeta", quick_rows = 2000
    ),
    case(
      "dfbeta", "residuals(type = \"dfbeta\"), continuous times", "issue", 1e6, 2, times(2),
      task = "dfbeta", engines = "survivalGPU", quick_rows = 2000
    ),
    case("zph", "cox.zph(), continuous times", "issue", 1e6, 5, times(5), task = "zph"),
    case("survfit", "survfit(), continuous times", "issue", 1e6, 5, times(5), task = "survfit"),
    case(
      "survfit_new", "survfit(newdata = five patients), whole days", "issue", 1e6, 5, days(5),
      task = "survfit_new", tied = TRUE
    ),
    case(
      "expected", "predict(type = \"expected\"), continuous times", "issue", 1e6, 5, times(5),
      task = "expected"
    ),
    case(
      "expected_new", "predict(newdata, type = \"expected\", se.fit = TRUE), whole days", "issue",
      1e6, 5, days(5),
      task = "expected_new", tied = TRUE
    )
  )
}

# ---- and the others ------------------------------------------------------------------------------

competitor_cases <- function() {
  small <- function(name, title, simulate, ..., rows = 5e4, columns = 5, quick_rows = 1000) {
    case(
      name, title, "competitors", rows, columns, simulate, ...,
      engines = competitors, rounds = 3L, limit = 150, patience = 20, quick_rows = quick_rows
    )
  }
  times <- function(rows) right_censored(rows, 5)
  days <- function(rows) right_censored(rows, 5, days = TRUE)
  list(
    small("small", "right-censored, continuous times", times),
    small("small_days", "whole days, Efron", days, tied = TRUE),
    small("small_breslow", "whole days, Breslow", days, tied = TRUE, ties = "breslow"),
    small(
      "small_strata", "100 strata, continuous times",
      function(rows) stratified(rows, 5, rows / 100),
      strata = TRUE, quick_rows = 5000
    ),
    small(
      "small_intervals", "(start, stop] rows, continuous times",
      function(rows) dose_histories(rows, days = FALSE),
      counting = TRUE, columns = 1, quick_rows = 5000
    ),
    small(
      "small_clusters", "robust variance, 10 rows a cluster, continuous times",
      function(rows) clustered(rows, 5, days = FALSE),
      cluster = TRUE, rows = 2e4
    ),
    small(
      "small_clusters_days", "robust variance, 10 rows a cluster, whole days",
      function(rows) clustered(rows, 5),
      tied = TRUE, cluster = TRUE, rows = 2e4
    ),
    small("long", "right-censored, continuous times", function(rows) right_censored(rows, 1),
      rows = 1e6, columns = 1
    ),
    small("large", "right-censored, continuous times", function(rows) right_censored(rows, 10),
      rows = 1e6, columns = 10
    ),
    small("small_concordance", "concordance, continuous times",
      function(rows) right_censored(rows, 1),
      rows = 2e4, columns = 1, task = "concordance"
    )
  )
}

# ---- resampling ----------------------------------------------------------------------------------

resampling_cases <- function() {
  replicated <- function(task, name, title, rows, columns, simulate, replicates, loop, ...) {
    case(
      name, title, "resampling", rows, columns, simulate, task,
      tied = TRUE, rounds = 3L, patience = 30, replicates = replicates, loop = loop, ...
    )
  }
  resamples <- function(name, title, rows, columns, simulate, ...) {
    replicated(
      "bootstrap", name, paste("1 000 resamples of", title), rows, columns, simulate,
      replicates = 1000L, loop = 20L, ...
    )
  }
  list(
    resamples(
      "resamples_100k_patients", "100 000 patients, (start, stop] rows, whole days", 522e3, 1,
      function(rows) dose_histories(rows, changes = 4.45),
      counting = TRUE
    ),
    resamples(
      "resamples_10k_patients", "15 000 patients, (start, stop] rows, whole days", 77e3, 2,
      function(rows) {
        spells <- dose_histories(rows, changes = 4.45)
        cbind(spells, x2 = stats::rnorm(max(spells$id))[spells$id])
      },
      counting = TRUE
    ),
    resamples(
      "resamples_77k_rows", "right-censored data, whole days", 77e3, 2,
      function(rows) right_censored(rows, 2, days = TRUE)
    ),
    resamples(
      "resamples_20_columns", "right-censored data, whole days", 1e5, 20,
      function(rows) right_censored(rows, 20, days = TRUE)
    ),
    replicated(
      "permutation", "permutations", "10 000 score permutations, right-censored data, whole days",
      1e6, 2, function(rows) right_censored(rows, 2, days = TRUE),
      replicates = 10000L, loop = 5L
    )
  )
}

# ---- how cost grows ------------------------------------------------------------------------------

# Along rows at ten columns and along columns at 10^5 rows, for both kinds of times.
scaling_cases <- function() {
  point <- function(series, rows, columns, tied) {
    force(tied)
    list(c(
      case(
        sprintf(
          "%s_%s_%s_%d", series, if (tied) "days" else "times",
          sub("e[+]0", "e", sprintf("%.0e", rows)), columns
        ),
        if (tied) "whole days" else "continuous times",
        "scaling", rows, columns, function(rows) right_censored(rows, columns, days = tied),
        tied = tied, rounds = 3L, limit = 150, patience = 10
      ),
      series = series
    ))
  }
  points <- list()
  for (tied in c(TRUE, FALSE)) {
    for (rows in c(1e4, 3e4, 1e5, 3e5, 1e6, 3e6, 1e7)) {
      points <- c(points, point("rows", rows, 10, tied))
    }
    for (columns in c(1, 2, 5, 10, 20, 50, 100, 200)) {
      points <- c(points, point("columns", 1e5, columns, tied))
    }
  }
  points
}

all_cases <- function() {
  cases <- c(
    issue_fits(), issue_after_fit(), resampling_cases(), competitor_cases(), scaling_cases()
  )
  stats::setNames(cases, vapply(cases, function(case) case$name, ""))
}

# Cases by name (with * for any letters), by group, or all of them.
select_cases <- function(wanted, cases = all_cases()) {
  if (length(wanted) == 0 || identical(wanted, "all")) {
    return(cases)
  }
  groups <- vapply(cases, function(case) case$group, "")
  matched <- vapply(utils::glob2rx(wanted), FUN.VALUE = logical(length(cases)), function(pattern) {
    grepl(pattern, names(cases)) | grepl(pattern, groups)
  })
  if (!all(colSums(matched) > 0)) {
    stop(
      "no such case: ", paste(wanted[colSums(matched) == 0], collapse = ", "), "\nGroups: ",
      paste(unique(groups), collapse = ", "), "\nCases: ", paste(names(cases), collapse = ", "),
      call. = FALSE
    )
  }
  cases[rowSums(matched) > 0]
}

# Of the case, what adapters see.
case_facts <- function(case) {
  case[c(
    "name", "task", "ties", "tied", "counting", "strata", "cluster", "rows", "columns",
    "replicates", "loop"
  )]
}

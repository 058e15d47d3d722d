# survival itself: what all others are compared with.

adapter <- list(
  name = "survival",
  start = function() suppressPackageStartupMessages(library(survival)),
  version = function() paste("survival", utils::packageVersion("survival")),
  threads = function() 1L,
  cannot = function(case) NULL,
  prepare = function(case, rows) {
    if (case$task %in% names(loops)) {
      return(loops[[case$task]](case, rows))
    }
    prepare_cox(case, rows, "coxph", function(name) get(name, envir = asNamespace("survival")))
  },
  outcome = cox_outcome,
  tolerance = c(default = 0)
)

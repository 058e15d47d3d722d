# The studies: what each is, how many cohorts it simulates (few in a quick run), what is computed
# of cohort i, and the figures of all with the bands they must be in.

study <- function(name, title, cohorts, one, figures) {
  list(name = name, title = title, cohorts = cohorts, one = one, figures = figures)
}

all_studies <- function(quick = FALSE) {
  resamples <- if (quick) 199L else 999L
  cohorts <- function(number) if (quick) 6L else number
  permuted <- function(name, title, number, n, one, figures) {
    study(
      name,
      sprintf("Permutation test, %s; %d patients, %d permutations", title, n, resamples),
      cohorts(number),
      function(i) one(i, n, resamples), figures
    )
  }
  uniform <- function(results) uniformity_figures(results, resamples)
  studies <- list(
    study(
      "coverage_censored",
      sprintf(
        "95%% intervals: 400 patients, right-censored, tied weeks, two covariates, %d resamples",
        resamples
      ),
      cohorts(3000L), function(i) censored_coverage(i, 400L, resamples), coverage_figures
    ),
    study(
      "coverage_clustered",
      sprintf(
        paste(
          "95%% intervals: 250 patients with several events, (start, stop] rows, two covariates,",
          "%d resamples of patients"
        ), resamples
      ),
      cohorts(2000L), function(i) clustered_coverage(i, 250L, resamples), coverage_figures
    ),
    permuted("permutation_alone", "one term without effect", 1000L, 200L, alone, uniform),
    permuted(
      "permutation_with_others", "one term without effect beside two with one", 1000L, 200L,
      with_others, uniform
    ),
    permuted(
      "family_error", "five correlated terms without effect", 2000L, 200L,
      family_of_terms, family_figures
    ),
    permuted(
      "power", "one term with a hazard ratio of 1.28", 1000L, 200L, one_effect, power_figures
    )
  )
  stats::setNames(studies, vapply(studies, function(study) study$name, ""))
}

# list(study, figures, seconds): the figures with whether each is in its band. Cohort i is drawn
# after set.seed(i), and so does not depend on the processes that share the work.
run_study <- function(study, processes) {
  begin <- Sys.time()
  results <- parallel::parLapplyLB(processes, seq_len(study$cohorts), function(i, one) {
    set.seed(i)
    one(i)
  }, one = study$one, chunk.size = 5L)
  set.seed(1)
  figures <- study$figures(do.call(rbind, results))
  rownames(figures) <- NULL
  figures$within <- figures$low <= figures$value & figures$value <= figures$high
  list(
    study = study$name, title = study$title, cohorts = study$cohorts,
    seconds = as.double(difftime(Sys.time(), begin, units = "secs")), figures = figures
  )
}

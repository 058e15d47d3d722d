# coxph() against coxphGPU(): thirteen models on survival's own data sets, then a cohort of a
# million rows. Ends with status 1 where any number differs by more than the tolerance.

suppressPackageStartupMessages({
  library(survival)
  library(survivalGPU)
})

# Both engines stop Newton's method by the same rule, so only rounding may separate them.
tolerance <- 1e-8
cohort_rows <- 1e6

# ---- data ----------------------------------------------------------------------------------------

# Repeated laboratory values as (start, stop] rows: each visit holds until the next one.
pbc_visits <- function() {
  visits <- pbcseq[order(pbcseq$id, pbcseq$day), ]
  last <- !duplicated(visits$id, fromLast = TRUE)
  visits$stop <- ifelse(last, visits$futime, c(visits$day[-1], NA))
  visits$death <- as.integer(last & visits$status == 2)
  visits[visits$day < visits$stop, ]
}

# Progression and death in one event history, for a multi-state model.
mgus_states <- function() {
  progressed <- mgus2$pstat == 1
  time <- ifelse(progressed, mgus2$ptime, mgus2$futime)
  state <- ifelse(progressed, 1, 2 * mgus2$death)
  cbind(mgus2, time = time, state = factor(state, 0:2, c("censored", "progression", "death")))
}

# Right-censored follow-up in whole days, so that many deaths are tied.
simulated_cohort <- function(rows) {
  set.seed(20)
  cohort <- data.frame(
    age = round(rnorm(rows, 65, 10)),
    male = rbinom(rows, 1, 0.5),
    bmi = rnorm(rows, 26, 4),
    diabetes = rbinom(rows, 1, 0.12),
    dose = rexp(rows)
  )
  risk <- 0.03 * (cohort$age - 65) + 0.2 * cohort$male + 0.02 * (cohort$bmi - 26) +
    0.4 * cohort$diabetes + 0.1 * cohort$dose
  death <- rexp(rows, exp(risk) / 8000)
  dropout <- runif(rows, 1, 3650)
  cohort$day <- ceiling(pmin(death, dropout))
  cohort$status <- as.integer(death <= dropout)
  cohort
}

# ---- models --------------------------------------------------------------------------------------

# A model is a label, a data set, and the other arguments of coxph(), unevaluated.
model <- function(label, formula, dataset, ...) {
  arguments <- c(list(formula = formula, data = quote(dataset)), eval(substitute(alist(...))))
  list(label = label, arguments = arguments, dataset = dataset)
}

# nolint start: object_usage_linter. The names below are columns of the data sets.
real_models <- function() {
  list(
    model(
      "lung: Efron",
      Surv(time, status) ~ age + sex + ph.ecog + ph.karno + wt.loss, lung
    ),
    model(
      "lung: Breslow, strata",
      Surv(time, status) ~ age + ph.ecog + strata(sex), lung,
      ties = "breslow"
    ),
    model(
      "veteran: factors, interaction",
      Surv(time, status) ~ trt * celltype + karno + age, veteran
    ),
    model(
      "heart: (start, stop]",
      Surv(start, stop, event) ~ (age + surgery) * transplant + year, heart
    ),
    model(
      "cgd: (start, stop], cluster",
      Surv(tstart, tstop, status) ~ treat + age + inherit + steroids, cgd,
      cluster = id
    ),
    model(
      "bladder2: strata, cluster",
      Surv(start, stop, event) ~ rx + size + number + strata(enum), bladder2,
      cluster = id
    ),
    model(
      "colon: strata, cluster",
      Surv(time, status) ~ rx + sex + age + obstruct + nodes + strata(etype), colon,
      cluster = id
    ),
    model(
      "pbcseq: (start, stop], Breslow",
      Surv(day, stop, death) ~ log(bili) + log(protime) + albumin + age + edema, pbc_visits(),
      ties = "breslow"
    ),
    model(
      "flchain: weights",
      Surv(futime, death) ~ age + sex + log(kappa) + log(lambda), flchain,
      weights = 1 + flc.grp / 10
    ),
    model(
      "nafld1: age as time scale",
      Surv(age, age + futime / 365.25, status) ~ male + bmi, subset(nafld1, futime > 0)
    ),
    model(
      "rats: a stratum a litter",
      Surv(time, status) ~ rx + strata(litter), rats
    ),
    model(
      "gbsg: offset, spline",
      Surv(rfstime, status) ~ hormon + splines::ns(age, 4) + size + offset(0.05 * nodes), gbsg
    ),
    model(
      "mgus2: two states",
      Surv(time, state) ~ age + sex + mspike, mgus_states(),
      id = id
    )
  )
}

# nolint end

cohort_model <- function(rows) {
  model(
    paste("simulated cohort:", format(rows, big.mark = ",", scientific = FALSE), "rows"),
    Surv(day, status) ~ age + male + bmi + diabetes + dose, simulated_cohort(rows)
  )
}

# ---- comparison ----------------------------------------------------------------------------------

timed_fit <- function(fitter, model) {
  call <- as.call(c(as.name(fitter), model$arguments))
  workspace <- list2env(model["dataset"], parent = globalenv())
  gc()
  seconds <- system.time(fit <- eval(call, workspace))[["elapsed"]]
  list(fit = fit, seconds = seconds)
}

# The largest |ours - theirs| / scale; infinite where the two differ in shape or in what is missing.
largest_difference <- function(ours, theirs, scale = abs(theirs)) {
  if (length(ours) != length(theirs) || !identical(is.na(c(ours)), is.na(c(theirs)))) {
    return(Inf)
  }
  difference <- abs(ours - theirs)
  max(ifelse(difference == 0, 0, difference / scale), na.rm = TRUE)
}

# A covariance near zero is judged by the two standard errors it belongs to.
variance_difference <- function(ours, theirs) {
  errors <- sqrt(diag(theirs))
  largest_difference(ours, theirs, scale = outer(errors, errors))
}

# Each is timed twice, in turn, and its shorter time counts: the first fit of this size has to
# ask the system for memory, which would be held against whichever comes first.
compare <- function(model) {
  runs <- lapply(rep(c("coxph", "coxphGPU"), 2), timed_fit, model = model)
  theirs <- runs[[1]]$fit
  ours <- runs[[2]]$fit
  seconds <- vapply(runs, function(run) run$seconds, double(1))
  data.frame(
    label = model$label,
    rows = theirs$n,
    events = theirs$nevent,
    coefficients = largest_difference(coef(ours), coef(theirs)),
    variance = variance_difference(vcov(ours), vcov(theirs)),
    loglik = largest_difference(ours$loglik, theirs$loglik),
    coxph = min(seconds[c(1, 3)]),
    coxphGPU = min(seconds[c(2, 4)])
  )
}

# ---- printing ------------------------------------------------------------------------------------

row_format <- "%-34s %9s %8s   %9s %8s %8s   %9s %9s\n"

print_heading <- function() {
  cat(sprintf("%-34s %18s   %26s   %19s\n", "", "", "largest relative difference", "seconds"))
  cat(sprintf(
    row_format, "model", "rows", "events", "coef", "variance", "loglik", "coxph", "coxphGPU"
  ))
  cat(strrep("-", 103), "\n", sep = "")
}

print_row <- function(row) {
  count <- function(n) format(n, big.mark = ",", scientific = FALSE)
  size <- function(difference) sprintf("%.1e", difference)
  cat(sprintf(
    row_format, row$label, count(row$rows), count(row$events), size(row$coefficients),
    size(row$variance), size(row$loglik), sprintf("%.3f", row$coxph), sprintf("%.3f", row$coxphGPU)
  ))
}

print_comparison <- function(model) {
  row <- compare(model)
  print_row(row)
  row
}

# Prints the last line; returns whether all differences are within the tolerance.
conclude <- function(results) {
  worst <- max(results$coefficients, results$variance, results$loglik)
  agree <- worst <= tolerance
  cat(sprintf(
    "\n%d models; largest relative difference %.1e, %s %.0e\n",
    nrow(results), worst, if (agree) "within" else "ABOVE", tolerance
  ))
  agree
}

device_name <- function(report) {
  if (use_cuda()) {
    paste0(report$auto_device, ", ", report$cuda_devices[[1]]$name)
  } else {
    paste0("cpu, ", report$threads, " threads")
  }
}

main <- function() {
  # The first fit starts Python; that is not part of any time below.
  coxphGPU(Surv(time, status) ~ age, survival::lung)
  report <- survivalGPU_sitrep()
  cat("\nDevice of this run: ", device_name(report), "\n\n", sep = "")

  print_heading()
  results <- lapply(real_models(), print_comparison)
  results <- c(results, list(print_comparison(cohort_model(cohort_rows))))
  quit(status = as.integer(!conclude(do.call(rbind, results))))
}

main()

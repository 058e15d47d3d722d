# Data made of survival's own, for the models that need more than a data set as it is.
model_data <- local({
  made <- NULL
  function(frame = parent.frame()) {
    if (is.null(made)) {
      made <<- list(
        veteran_sum = veteran_with_sum_contrasts(),
        veteran_split = survival::survSplit(
          Surv(time, status) ~ .,
          data = survival::veteran, cut = c(90, 180), episode = "tgroup"
        ),
        choices = occupational_choices(),
        pbc_visits = visits_of_pbcseq(),
        mgus_competing = competing_mgus(),
        myeloid_states = states_of_myeloid(),
        myeloid_statedata = data.frame(
          state = c("entry", "CR", "SCT", "death"),
          progressed = c("no", "yes", "yes", "no"),
          death = c(0, 0, 0, 1)
        ),
        waiting_list = transform(
          subset(survival::transplant, futime > 0),
          id = seq_along(futime)
        )
      )
    }
    list2env(made, parent = frame)
  }
})

veteran_with_sum_contrasts <- function() {
  data <- survival::veteran
  stats::contrasts(data$celltype) <- "contr.sum"
  data
}

# One row for each subject and occupation, as in survival::clogit's example.
occupational_choices <- function() {
  occupations <- levels(survival::logan$occupation)
  subject <- rep(seq_len(nrow(survival::logan)), length(occupations))
  choices <- data.frame(
    survival::logan[subject, ],
    id = subject,
    tocc = factor(rep(occupations, each = nrow(survival::logan)))
  )
  choices$case <- as.integer(choices$occupation == choices$tocc)
  choices
}

# nolint start: object_usage_linter. Names of columns.
# (start, stop] rows between the visits of pbcseq.
visits_of_pbcseq <- function() {
  data <- survival::pbcseq
  last <- !duplicated(data$id, fromLast = TRUE)
  data$tstart <- data$day
  data$tstop <- ifelse(last, data$futime, c(data$day[-1], NA))
  data$death <- as.integer(last & data$status == 2)
  subset(data, tstart < tstop)
}

competing_mgus <- function() {
  data <- survival::mgus2
  data$t <- ifelse(data$pstat == 1, data$ptime, data$futime)
  data$event <- factor(
    ifelse(data$pstat == 1, 1, 2 * data$death), 0:2, c("censored", "pcm", "death")
  )
  data
}

# Complete response, transplant and death after entry, as in survival's multi-state
# vignette.
states_of_myeloid <- function() {
  base <- survival::myeloid
  states <- survival::tmerge(
    base[c("id", "trt", "sex")], base,
    id = id, death = event(futime, death), sct = event(txtime), cr = event(crtime)
  )
  code <- with(states, cr + 2 * sct + 4 * death)
  states$event <- factor(
    ifelse(code > 2, pmin(code, 4) - 1, code), 0:3, c("censored", "CR", "SCT", "death")
  )
  checked <- survival::survcheck(
    Surv(tstart, tstop, event) ~ 1,
    data = states, id = id, istate0 = "entry"
  )
  states$from <- checked$istate
  states
}
# nolint end

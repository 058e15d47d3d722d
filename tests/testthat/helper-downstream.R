# Fits of six kinds and what is asked of them: whatever takes a coxph fit must give the
# same with coxphGPU's.

downstream_calls <- rlang::exprs(
  right = coxph(Surv(time, status) ~ age + factor(ph.ecog) + wt.loss, lung, x = TRUE),
  complete = coxph(Surv(time, status) ~ age + factor(ph.ecog) + ph.karno, model_rows),
  counting = coxph(
    Surv(tstart, tstop, status) ~ treat + age + strata(hos.cat), cgd,
    cluster = id
  ),
  weighted = coxph(
    Surv(time, status) ~ rx + age + nodes, deaths,
    weights = age / 50, robust = TRUE, ties = "breslow"
  ),
  offset = coxph(Surv(time, status) ~ karno + celltype + age + offset(diagtime / 50), veteran),
  multistate = coxph(
    list(Surv(tstart, tstop, event) ~ trt + sex, 1:4 ~ trt / common), myeloid_states,
    id = id, istate = from
  )
)

# Both fits of one kind, and the frame with their data: `cases` are rows for which to
# predict, `model_rows` all rows of a fit that drops none. Made once.
downstream_fits <- local({
  made <- list()
  function(kind) {
    if (is.null(made[[kind]])) {
      frame <- model_data(globalenv())
      frame$deaths <- subset(colon, etype == 2)
      frame$model_rows <- switch(kind,
        complete = na.omit(subset(lung, ph.ecog < 3, -c(meal.cal, wt.loss))),
        offset = veteran
      )
      frame$cases <- switch(kind,
        complete = ,
        right = lung[c(1, 5, 20, 33, 12), ],
        counting = cgd[c(2, 9, 30, 77), ],
        weighted = frame$deaths[c(3, 50, 400), ],
        offset = veteran[c(1, 40, 60, 130), ],
        multistate = expand.grid(trt = c("A", "B"), sex = c("f", "m"))
      )
      fits <- fit_both(downstream_calls[[kind]], frame)
      made[[kind]] <<- list(
        ours = fits$ours$value, theirs = fits$theirs$value, frame = frame
      )
    }
    made[[kind]]
  }
})

# Vectors and matrices of numbers with those set to 0 that are 0 but for rounding: print()
# lets a single one of them choose the format of its column.
without_noise <- function(value) {
  if (is.numeric(value) && is.null(attr(value, "class"))) {
    largest <- max(abs(value[is.finite(value)]), 0)
    value[is.finite(value) & abs(value) < 1e-12 * largest] <- 0
  }
  value
}

# `use`, an expression in `fit`, gives the same value for both fits, the same warnings
# and, unless `printed` is FALSE, the same printed lines.
expect_same_use <- function(use, fits, label, tolerance = rounding_tolerance, printed = TRUE) {
  frame <- new.env(parent = fits$frame)
  evaluate <- function(fit) {
    assign("fit", fit, envir = frame)
    # for what simulates or resamples
    result <- NULL
    said <- capture.output(
      result <- withr::with_seed(1, with_warnings(eval(use, frame)))
    )
    result$said <- squeezed(said)
    read <- read_as_coxph(result$value, keep_class = TRUE)
    result$printed <- capture.output(print(without_noise(read)))
    result
  }
  ours <- evaluate(fits$ours)
  theirs <- evaluate(fits$theirs)
  expect_same_result(ours$value, theirs$value, tolerance, label)
  expect_identical(ours$warnings, theirs$warnings, label = paste(label, "warnings"))
  expect_identical(ours$said, theirs$said, label = paste(label, "output"))
  if (printed) {
    expect_identical(ours$printed, theirs$printed, label = paste(label, "printed"))
  }
}

expect_same_uses <- function(uses, kinds, ...) {
  for (kind in kinds) {
    fits <- downstream_fits(kind)
    for (use in uses) {
      label <- paste0(kind, ": ", paste(deparse(use), collapse = " "))
      expect_same_use(use, fits, label, ...)
    }
  }
}

# Kinds of fit that are not multi-state.
one_state <- c("right", "counting", "weighted", "offset")

# The lines of a plot's PDF file: its text, and the numbers in it. They are bytes: R's PDF
# files are not UTF-8.
drawn <- function(draw, fit) {
  file <- withr::local_tempfile()
  grDevices::pdf(file, compress = FALSE)
  draw(fit)
  grDevices::dev.off()
  page <- grep(
    "Date|^[0-9]{10}", readLines(file),
    value = TRUE, invert = TRUE, useBytes = TRUE
  )
  number <- "-?[0-9]+[.][0-9]+"
  list(
    text = gsub(number, "#", page, useBytes = TRUE),
    numbers = as.numeric(unlist(regmatches(page, gregexpr(number, page, useBytes = TRUE))))
  )
}

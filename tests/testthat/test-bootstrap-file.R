library(survival)

withr::local_options(
  survivalGPU.device = "cpu", survivalGPU.progress = FALSE,
  .local_envir = teardown_env()
)

# The next bootstraps stop after so many batches, as by Ctrl-C.
local_interruption <- function(after, frame = parent.frame()) {
  fit_batch <- bootstrap_fits
  batches <- 0
  local_package_function("bootstrap_fits", frame = frame, function(...) {
    batches <<- batches + 1
    if (batches > after) stop(structure(class = c("interrupt", "condition"), list()))
    fit_batch(...)
  })
}

interrupted <- function(expr) {
  tryCatch(
    {
      expr
      FALSE
    },
    interrupt = function(cnd) TRUE
  )
}

test_that("an interrupted bootstrap is taken up again", {
  skip_if_no_python()
  fit <- coxphGPU(Surv(time, status) ~ age + sex, lung)
  whole <- bootstrap(fit, R = 30, seed = 5, batchsize = 8)$bootstrap
  file <- withr::local_tempfile(fileext = ".rds")
  local({
    local_interruption(after = 2)
    expect_true(interrupted(bootstrap(fit, R = 30, seed = 5, batchsize = 8, file = file)))
  })
  expect_length(readRDS(file)$fits$loglik, 16L)
  batches <- list()
  fit_batch <- bootstrap_fits
  local_package_function("bootstrap_fits", function(resampler, first, number) {
    batches <<- c(batches, list(as.double(c(first, number))))
    fit_batch(resampler, first, number)
  })
  # the seed is the file's
  again <- bootstrap(fit, R = 30, batchsize = 8, file = file)$bootstrap
  expect_identical(batches, list(c(16, 8), c(24, 6)))
  expect_equal(again$coefficients, whole$coefficients, tolerance = 1e-12)
  expect_identical(again[c("status", "seed", "R")], whole[c("status", "seed", "R")])
  # nothing is left to do, for as many or fewer; more are added
  batches <- list()
  fewer <- bootstrap(fit, R = 10, file = file)$bootstrap
  expect_identical(fewer$coefficients, again$coefficients[1:10, ])
  expect_length(batches, 0L)
  more <- bootstrap(fit, R = 33, file = file, seed = 5)$bootstrap
  expect_identical(batches, list(c(30, 3)))
  expect_identical(more$coefficients[1:30, ], again$coefficients)
  expect_identical(list.files(dirname(file), "^bootstrap-"), character())
})

test_that("the session is as it was after an interruption", {
  skip_if_no_python()
  fit <- coxphGPU(Surv(time, status) ~ age, lung)
  local({
    local_interruption(after = 0)
    expect_true(interrupted(bootstrap(fit, R = 30, seed = 5)))
  })
  expect_identical(
    bootstrap(fit, R = 5, seed = 5)$bootstrap$R, 5L
  )
})

test_that("a file of another fit, of other resamples or of none is refused", {
  skip_if_no_python()
  fit <- coxphGPU(Surv(time, status) ~ age, lung)
  file <- withr::local_tempfile(fileext = ".rds")
  bootstrap(fit, R = 4, seed = 1, file = file)
  refused <- rlang::exprs(
    bootstrap(coxphGPU(Surv(time, status) ~ sex, lung), R = 4, seed = 1, file = file),
    bootstrap(coxphGPU(Surv(time, status) ~ age, lung[-1, ]), R = 4, seed = 1, file = file),
    bootstrap(update(fit, ties = "breslow"), R = 4, seed = 1, file = file),
    bootstrap(fit, R = 4, seed = 1, type = "bayesian", file = file),
    bootstrap(fit, R = 4, seed = 1, strata = sex, file = file),
    bootstrap(fit, R = 4, seed = 1, eps = 1e-6, file = file),
    bootstrap(fit, frequencies = matrix(1, 228, 2), file = file)
  )
  for (call in refused) {
    expect_error(eval(call), "file of another", class = "survivalGPU_invalid_file")
  }
  expect_error(
    bootstrap(fit, R = 4, seed = 2, file = file), "seed 1, not 2",
    class = "survivalGPU_invalid_file"
  )
  # half a file, text, and another object
  bytes <- readBin(file, "raw", 1e6)
  writeBin(head(bytes, length(bytes) %/% 2), file)
  expect_error(bootstrap(fit, R = 4, file = file), "damaged", class = "survivalGPU_invalid_file")
  writeLines("text", file)
  expect_error(bootstrap(fit, R = 4, file = file), "damaged", class = "survivalGPU_invalid_file")
  saveRDS(1:3, file)
  expect_error(bootstrap(fit, R = 4, file = file), "damaged", class = "survivalGPU_invalid_file")
})

test_that("given resamples are kept too", {
  skip_if_no_python()
  fit <- coxphGPU(Surv(time, status) ~ age, lung)
  copies <- drawn_copies(228, 6)
  file <- withr::local_tempfile(fileext = ".rds")
  first <- bootstrap(fit, frequencies = copies, file = file)$bootstrap
  again <- bootstrap(fit, frequencies = copies, file = file)$bootstrap
  expect_identical(again$coefficients, first$coefficients)
  expect_error(
    bootstrap(fit, frequencies = copies[, 6:1], file = file), "another",
    class = "survivalGPU_invalid_file"
  )
})

test_that("the progress bar is shown where it is asked for", {
  skip_if_no_python()
  fit <- coxphGPU(Surv(time, status) ~ age, lung)
  withr::local_options(
    survivalGPU.progress = TRUE, cli.progress_show_after = 0, cli.progress_handlers_only = "logger"
  )
  shown <- capture.output(type = "output", bootstrap(fit, R = 20, batchsize = 5, seed = 1))
  expect_match(shown, "updated", all = FALSE)
  withr::local_options(survivalGPU.progress = FALSE)
  expect_identical(capture.output(invisible(bootstrap(fit, R = 20, seed = 1))), character())
})

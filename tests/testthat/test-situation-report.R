test_that("the report never fails, whatever is missing", {
  local_package_function("python_report", function() stop("no Python {here}"))
  local_package_function("discovered_python", function() NULL)
  local_package_function("pinned_packages", function() c("torch", "numpy"))
  output <- capture.output(report <- survivalGPU_sitrep(), type = "message")
  expect_true(any(grepl("no Python that reticulate can start", output)))
  expect_true(any(grepl("RETICULATE_PYTHON", output)))
  expect_identical(report$python, c(interpreter = NA_character_, version = NA_character_))
  expect_false(report$cuda)
  expect_identical(report$auto_device, NA_character_)
  expect_snapshot(cat(report$problems, sep = "\n"))
})

test_that("each unfit Python is named with its remedy", {
  config <- function(version = "3.11", numpy = "1.26.4") {
    list(
      python = "/opt/py{3}", version = version,
      numpy = if (!is.null(numpy)) list(version = numeric_version(numpy))
    )
  }
  expect_null(python_problem(config()))
  expect_match(python_problem(config(version = "3.9")), "too old.*3.10 or later")
  expect_match(python_problem(config(numpy = NULL)), "/opt/py\\{3\\}.*has no")
  if (packageVersion("reticulate") < reticulate_with_numpy_2) {
    expect_match(python_problem(config(numpy = "2.1.0")), "cannot use NumPy 2.1.0")
  }
  expect_error(
    check_python("Python at /opt/py{3} is too old."),
    "/opt/py{3}", fixed = TRUE, class = "survivalGPU_unfit_python"
  )
  expect_null(check_python(NULL))
  expect_identical(pinned_packages("1.28"), c("torch", "numpy<2"))
  expect_identical(pinned_packages("1.41.0"), c("torch", "numpy"))
})

test_that("the report of a whole installation has no problem", {
  skip_if_no_python()
  capture.output(report <- survivalGPU_sitrep(), type = "message")
  expect_false(anyNA(report[c("torch", "numpy", "auto_device")]))
  expect_identical(report$auto_device == "cuda:0", use_cuda())
  expect_type(report$torch, "character")
  expect_true(report$threads >= 1L)
  expect_false(anyNA(report$python))
})

test_that("memory is told in GiB", {
  gpu <- list(name = "A GPU", total_memory = 2^33, free_memory = 2^32)
  expect_identical(describe_gpu(gpu), "A GPU, 4.0 GiB of 8.0 GiB free")
})

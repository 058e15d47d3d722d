library(survival)

test_that("an error of the core becomes a classed error with its three parts", {
  error <- expect_error(
    abort_python_error(list(
      type = "invalid_argument", argument = "weights",
      found = "row 3 has weight {-1}.", remedy = "Drop {it}."
    )),
    class = "survivalGPU_invalid_argument"
  )
  expect_s3_class(error, "survivalGPU_error")
  expect_snapshot(cat(conditionMessage(error)))
})

test_that("the core's argument names become the user's", {
  fail <- function(argument) {
    error <- rlang::catch_cnd(abort_python_error(
      list(type = "x", argument = argument, found = "wrong.", remedy = "Mend it.")
    ))
    conditionMessage(error)
  }
  expect_match(fail("iter_max"), "`control$iter.max`", fixed = TRUE)
  expect_match(fail("x"), "`formula`", fixed = TRUE)
  expect_match(fail("ties"), "`ties`", fixed = TRUE)
})

test_that("missing PyTorch is an error that names the interpreter and two ways out", {
  local_package_function("discovered_python", function() {
    list(python = "/opt/python/bin/python3", version = "3.11")
  })
  local_package_function("pinned_packages", function() c("torch", "numpy"))
  error <- expect_error(
    abort_python_error(list(
      type = "missing_torch", argument = "torch",
      found = "PyTorch cannot be loaded.", remedy = "pip install torch"
    )),
    class = "survivalGPU_missing_torch"
  )
  expect_snapshot(cat(conditionMessage(error)))
})

test_that("an unforeseen Python exception is chained, and leaves no handle", {
  skip_if_no_python()
  error <- expect_error(
    call_python("do it", function(api) api$no_such_function()),
    class = "survivalGPU_python_error"
  )
  expect_match(conditionMessage(error), "Python could not do it")
  expect_match(conditionMessage(error$parent), "no_such_function")
  expect_s3_class(error$parent, c("simpleError", "error", "condition"), exact = TRUE)
})

test_that("an unforeseen exception during a fit shows the user's call", {
  local_package_function("fit_cox", function(...) {
    abort_foreign_error(simpleError("ZeroDivisionError: division by zero"), "fit")
  })
  error <- expect_error(
    coxphGPU(Surv(time, status) ~ age, lung, device = "cpu"),
    class = "survivalGPU_python_error"
  )
  expect_identical(
    conditionCall(error),
    quote(coxphGPU(Surv(time, status) ~ age, lung, device = "cpu"))
  )
  expect_match(conditionMessage(error$parent), "ZeroDivisionError")
})

test_that("strata of any type cross as integers that tell them apart", {
  expect_null(stratum_codes(NULL))
  expect_identical(stratum_codes(c(3L, 3L, 7L)), c(3L, 3L, 7L))
  expect_identical(stratum_codes(factor(c("b", "a"))), 2:1)
  expect_identical(stratum_codes(c(1.5, 1.25, 1.5)), c(1L, 2L, 1L))
  expect_identical(stratum_codes(c("x", "x", "y")), c(1L, 1L, 2L))
})

test_that("arrays cross with their type and shape", {
  skip_if_no_python()
  start_python()
  shape <- function(x) unlist(reticulate::py_to_r(x$shape))
  type <- function(x) as.character(reticulate::py_str(x$dtype))

  y <- Surv(1:3, c(1, 0, 1))
  expect_identical(shape(numpy_matrix(y)), 3:2)
  expect_identical(type(numpy_matrix(y)), "float64")
  expect_identical(shape(numpy_matrix(matrix(0, 4, 0))), c(4L, 0L))
  expect_identical(type(numpy_matrix(matrix(1:4, 2))), "float64")
  expect_identical(shape(numpy_vector(1.5)), 1L)
  expect_identical(type(numpy_vector(c(a = 1L))), "int32")
  expect_identical(type(numpy_vector(logical())), "bool")
  expect_null(numpy_vector(NULL))
})

test_that("a matrix of doubles crosses without a copy", {
  skip_if_no_python()
  start_python()
  x <- matrix(as.double(1:6), 3)
  view <- numpy_matrix(x)
  expect_false(reticulate::py_to_r(view$flags$owndata))
  expect_true(reticulate::py_to_r(view$flags$f_contiguous))
  for (object in list(x, Surv(c(1, 2), c(3, 4), c(0, 1)))) {
    # as text: an address is too large for an R integer
    address <- reticulate::py_str(numpy_matrix(object)$ctypes$data)
    expect_identical(as.double(address), .Call(front_address, object))
  }
})

test_that("what a fit gives for each row is its own", {
  skip_if_no_python()
  first <- coxphGPU(Surv(time, status) ~ age, lung, device = "cpu")
  kept <- c(first$linear.predictors)
  second <- coxphGPU(Surv(time, status) ~ sex, lung, device = "cpu")
  expect_identical(c(first$linear.predictors), kept)
  expect_false(identical(first$residuals, second$residuals))
  expect_length(.Call(front_numbers, 0), 0)
})

test_that("zeros are told from other numbers, missing ones and nothing", {
  expect_true(all_zero(NULL))
  expect_true(all_zero(c(0L, 0L)))
  expect_false(all_zero(c(0, NA, 1)))
  expect_identical(all_zero(c(0, NA)), NA)
  expect_false(all_zero(cbind(0, 1:2), 2))
  expect_true(all_zero(cbind(0, 1:2), 1))
})

test_that("a fit holds plain R vectors and survives a file", {
  skip_if_no_python()
  fit <- coxphGPU(Surv(time, status) ~ age + strata(sex), lung, device = "cpu")
  file <- withr::local_tempfile()
  saveRDS(fit, file)
  expect_equal(readRDS(file), fit, ignore_formula_env = TRUE)
  numeric_parts <- unclass(fit)[c("var", "loglik", "score", "iter", "means")]
  for (part in numeric_parts) {
    expect_true(is.numeric(part) && is.null(attr(part, "class")))
  }
  expect_null(dim(fit$coefficients))
  expect_null(dim(fit$linear.predictors))
})

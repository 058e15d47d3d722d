library(survival)

test_that("valid devices pass", {
  for (device in c("auto", "cpu", "cuda", "cuda:0", "cuda:12")) {
    expect_identical(requested_device(device), device)
  }
})

test_that("NULL takes the option, and an option unset is auto", {
  withr::local_options(survivalGPU.device = "cuda:1")
  expect_identical(requested_device(NULL), "cuda:1")
  withr::local_options(survivalGPU.device = NULL)
  expect_identical(requested_device(NULL), "auto")
})

test_that("invalid devices are refused before anything else happens", {
  invalid <- list("gpu", "CUDA", "cuda:", "cuda:-1", "cuda:1 ", "", "cpu:0")
  for (device in c(invalid, list(1, NA_character_, c("cpu", "cuda"), TRUE, list()))) {
    expect_error(
      coxphGPU(stop("evaluated"), device = device),
      class = "survivalGPU_invalid_device"
    )
  }
})

test_that("messages about devices name what was found and what is valid", {
  message_for <- function(device) {
    cat(conditionMessage(rlang::catch_cnd(requested_device(device))))
  }
  expect_snapshot({
    message_for("gpu")
    message_for(c("cpu", "cuda"))
    message_for("mps")
  })
  withr::local_options(survivalGPU.device = "tpu")
  expect_snapshot(message_for(NULL))
})

test_that("an error about the device shows the user's call", {
  error <- rlang::catch_cnd(coxphGPU(Surv(time, status) ~ age, lung, device = "gpu"))
  expect_identical(
    conditionCall(error),
    quote(coxphGPU(Surv(time, status) ~ age, lung, device = "gpu"))
  )
})

test_that("only auto falls to the CPU, and says so once", {
  local_package_function("python_device", function(device) {
    list(ok = TRUE, device = "cpu", fell_back = device == "auto")
  })
  forget_message("fell_back")
  expect_message(device <- resolve_device("auto"), class = "survivalGPU_fell_back")
  expect_identical(device, "cpu")
  expect_message(resolve_device("auto"), NA)
})

test_that("the CPU needs no look at the devices", {
  local_package_function("python_device", function(device) stop("looked"))
  expect_identical(resolve_device("cpu"), "cpu")
})

test_that("a device that is not there is an error, not a fall to the CPU", {
  skip_if_no_python()
  error <- expect_error(
    coxphGPU(Surv(time, status) ~ age, lung, device = "cuda:99"),
    class = "survivalGPU_device_unavailable"
  )
  expect_match(conditionMessage(error), "cuda:99")
  expect_identical(conditionCall(error)[[1]], quote(coxphGPU))
})

test_that("use_cuda answers FALSE without a word where Python fails", {
  local_package_function("python_report", function() {
    warning("no")
    stop("no Python")
  })
  expect_silent(answer <- use_cuda())
  expect_false(answer)
})

test_that("use_cuda is what torch says", {
  local_package_function("python_report", function() list(cuda = TRUE))
  expect_true(use_cuda())
})

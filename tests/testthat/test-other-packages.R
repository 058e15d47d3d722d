library(survival)

withr::local_options(survivalGPU.device = "cpu", .local_envir = teardown_env())

test_that("as_coxph() gives what coxph() gives", {
  skip_if_no_python()
  calls <- rlang::exprs(
    plain = coxph(Surv(time, status) ~ age + sex, lung),
    null = coxph(Surv(time, status) ~ 1, lung),
    robust = coxph(Surv(tstart, tstop, status) ~ treat, cgd, cluster = id),
    penalised = coxph(Surv(time, status) ~ ridge(age), lung),
    classless = coxph(Surv(tstart, tstop, status) ~ treat, cgd, ties = "exact")
  )
  for (name in names(calls)) {
    fits <- fit_both(calls[[name]])
    ours <- as_coxph(fits$ours$value)
    expect_identical(class(ours), class(fits$theirs$value), label = name)
    expect_identical(ours$call, fits$theirs$value$call, label = name)
    expect_identical(as_coxph(ours), ours, label = name)
    expect_identical(ours$coefficients, fits$ours$value$coefficients, label = name)
    expect_identical(
      capture.output(print(ours)), capture.output(print(fits$theirs$value)),
      label = name
    )
  }
})

test_that("as_coxph() leaves survival's own fits alone and names what is no fit", {
  fit <- coxph(Surv(time, status) ~ age, lung)
  expect_identical(as_coxph(fit), fit)
  expect_error(as_coxph(lm(time ~ age, lung)), class = "survivalGPU_invalid_fit")
  expect_error(as_coxph(1), "not a number", class = "survivalGPU_invalid_fit")
})

test_that("the name in the call is survival's, however it was written", {
  skip_if_no_python()
  fit <- survivalGPU::coxphGPU(Surv(time, status) ~ age, lung, device = "cpu")
  expect_identical(
    as_coxph(fit)$call,
    quote(survival::coxph(formula = Surv(time, status) ~ age, data = lung))
  )
  expect_identical(
    survivals_call(quote(coxphGPU(a ~ b, device = "cpu", ties = "exact", concordance = FALSE))),
    quote(coxph(a ~ b, ties = "exact"))
  )
  refitted <- update(as_coxph(fit), ties = "breslow")
  expect_identical(refitted, survival::coxph(Surv(time, status) ~ age, lung, ties = "breslow"))
  expect_identical(survivals_name(quote(clogitGPU)), quote(clogit))
  expect_identical(survivals_name(quote(fits$mine)), quote(fits$mine))
})

test_that("S4 methods for coxph take a coxphGPU fit", {
  where <- new.env(parent = globalenv())
  methods::setGeneric("extracted", function(model) standardGeneric("extracted"), where = where)
  withr::defer(methods::removeGeneric("extracted", where = where))
  methods::setMethod(
    "extracted", methods::className("coxph", "survival"), function(model) class(model),
    where = where
  )
  for (classes in list("coxph", c("coxphGPU", "coxph"), c("coxphGPU", "coxph.penal", "coxph"))) {
    expect_identical(where$extracted(structure(list(), class = classes)), classes)
  }
})

test_that("a generic is repeated with survival's classes, under the name that was given", {
  seen <- function(model, level = 0.95, ...) UseMethod("seen")
  fit <- structure(list(), class = c("coxphGPU", "coxph"))
  delegated <- delegate("identity", "base", seen)
  expect_identical(names(formals(delegated)), c("model", "level", "..."))
  call_of <- function(model, ...) sys.call()
  value <- repeat_with_coxph(
    quote(seen(model = fit, 2)), fit, environment(), quote(list)
  )
  expect_identical(value, list(model = structure(list(), class = "coxph"), 2))
  shown <- repeat_with_coxph(quote(seen(fit)), fit, environment(), call_of)
  expect_identical(shown[[2L]], quote(fit))
  shown <- repeat_with_coxph(quote(seen(f(fit))), fit, environment(), call_of)
  expect_false(is.symbol(shown[[2L]]))
})

test_that("methods for packages are there whichever is loaded first", {
  skip_if_not_installed("insight")
  session <- fresh_session(c(
    "found <- function() 'get_df.coxphGPU' %in% names(methods)",
    "cat('insight' %in% loadedNamespaces(), '')",
    "methods <- asNamespace('insight')$.__S3MethodsTable__.",
    "cat(found(), '')",
    "rm('get_df.coxphGPU', envir = methods)",
    "asNamespace('survivalGPU')$register_delegates()",
    "cat(found())"
  ))
  expect_identical(session$out, "FALSE TRUE TRUE")
})

test_that("no method is registered for what a package does not have", {
  generics <- list(stats = c("no_such_function", "sd", "simulate"))
  withr::defer({
    setHook(packageEvent("stats", "onLoad"), NULL, "replace")
    rm("simulate.coxphGPU", envir = asNamespace("stats")$.__S3MethodsTable__.)
  })
  expect_silent(register_delegates(generics))
  registered <- names(asNamespace("stats")$.__S3MethodsTable__.)
  expect_true("simulate.coxphGPU" %in% registered)
  expect_false(any(c("sd.coxphGPU", "no_such_function.coxphGPU") %in% registered))
})

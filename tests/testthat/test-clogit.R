library(survival)

withr::local_options(survivalGPU.device = "cpu", .local_envir = teardown_env())

# `call`, a call of clogit, and the same call of clogitGPU.
clogit_both <- function(call, frame = parent.frame()) {
  swapped <- call
  swapped[[1L]] <- quote(clogitGPU)
  list(
    ours = with_warnings(eval(swapped, frame)), theirs = with_warnings(eval(call, frame))
  )
}

# The fits are equal; their calls name the function that made them.
expect_same_clogit <- function(call, frame = parent.frame(), label = deparse1(call)) {
  fits <- clogit_both(call, frame)
  ours <- fits$ours$value
  theirs <- fits$theirs$value
  expect_identical(fits$ours$warnings, fits$theirs$warnings, label = label)
  expect_identical(class(ours), append(class(theirs), "coxphGPU", after = 1L), label = label)
  expect_identical(names(ours), names(theirs), label = label)
  expect_lte(max(fit_differences(ours, theirs)), rounding_tolerance, label = label)
  same <- setdiff(names(theirs), c(names(fit_scales(theirs)), "call", "userCall"))
  expect_identical(unclass(ours)[same], unclass(theirs)[same], label = label)
  expect_identical(ours$call[[1L]], quote(coxphGPU), label = label)
  expect_identical(as.list(ours$call)[-1], as.list(theirs$call)[-1], label = label)
  expect_identical(as_coxph(ours)$userCall, theirs$userCall, label = label)
  invisible(fits)
}

test_that("conditional logistic models are clogit's", {
  skip_if_no_python()
  frame <- model_data(environment())
  for (model in rlang::exprs(
    clogit(case ~ spontaneous + induced + strata(stratum), data = infert),
    clogit(case ~ factor(induced) * age + strata(education), infert),
    clogit(case ~ spontaneous + strata(stratum), infert, subset = parity < 3),
    clogit(case ~ spontaneous + strata(stratum), infert, method = "efron"),
    clogit(case ~ spontaneous + strata(stratum), infert, method = "approximate", weights = age),
    clogit(case ~ spontaneous + strata(stratum), infert, weights = age),
    clogit(case ~ spontaneous + induced + strata(stratum), infert, method = "breslow", x = TRUE),
    clogit(case ~ spontaneous + offset(induced) + strata(stratum), infert, iter.max = 2),
    clogit(case ~ tocc + tocc:education + strata(id), choices),
    clogit(I(status == 2) ~ age + wt.loss + strata(sex), lung, na.action = na.exclude),
    clogit(status ~ trt + strata(id), retinopathy, subset = futime > 10)
  )) {
    expect_same_clogit(model, frame)
  }
})

test_that("one control for each case is a logistic regression of differences", {
  skip_if_no_python()
  data <- withr::with_seed(2, data.frame(
    pair = rep(1:150, each = 2), case = rep(1:0, 150), x = rnorm(300), z = rnorm(300)
  ))
  data$x <- data$x + data$case / 2
  fit <- clogitGPU(case ~ x + z + strata(pair), data, eps = 1e-11)
  difference <- subset(data, case == 1)[c("x", "z")] - subset(data, case == 0)[c("x", "z")]
  logistic <- glm(
    rep(1, 150) ~ x + z - 1, binomial, difference,
    control = glm.control(epsilon = 1e-14)
  )
  expect_equal(coef(fit), coef(logistic), tolerance = rounding_tolerance)
  expect_equal(fit$var, unname(vcov(logistic)), tolerance = 1e-7)
  expect_equal(fit$loglik[2], c(logLik(logistic)), tolerance = rounding_tolerance)
})

test_that("matched sets of many sizes, in any order of rows, are clogit's", {
  skip_if_no_python()
  sets <- withr::with_seed(7, {
    n_cases <- sample(0:4, 300, replace = TRUE)
    n_controls <- sample(0:9, 300, replace = TRUE)
    data <- data.frame(set = rep(1:300, n_cases + n_controls))
    data$case <- unlist(Map(function(a, b) rep(1:0, c(a, b)), n_cases, n_controls))
    data$x <- rnorm(nrow(data)) + data$case
    data$group <- sample(c("a", "b", "c"), nrow(data), replace = TRUE)
    data[sample(nrow(data)), ]
  })
  expect_same_clogit(quote(clogit(case ~ x + group + strata(set), sets)))
})

test_that("what follows a fit works as on clogit's", {
  skip_if_no_python()
  fits <- clogit_both(quote(clogit(case ~ spontaneous + induced + strata(stratum), infert)))
  ours <- fits$ours$value
  theirs <- fits$theirs$value
  renamed <- function(lines) gsub("coxphGPU", "coxph", gsub("clogitGPU", "clogit", lines))
  expect_identical(renamed(capture.output(print(ours))), capture.output(print(theirs)))
  # the longer name breaks the line of the call elsewhere
  printed <- function(fit) {
    fit$call[[1L]] <- quote(coxph)
    capture.output(print(summary(fit)))
  }
  expect_identical(printed(ours), printed(theirs))
  expect_equal(anova(ours), anova(theirs), tolerance = rounding_tolerance)
  for (type in c("lp", "risk", "expected", "terms")) {
    expect_equal(
      predict(ours, type = type), predict(theirs, type = type),
      tolerance = rounding_tolerance
    )
  }
  expect_equal(residuals(ours), residuals(theirs), tolerance = rounding_tolerance)
  expect_equal(residuals(ours, "deviance"), residuals(theirs, "deviance"), tolerance = 1e-7)
  smaller <- update(ours, . ~ . - induced)
  expect_equal(coef(smaller), coef(update(theirs, . ~ . - induced)))
  expect_s3_class(smaller, "coxphGPU")
  expect_equal(AIC(ours), AIC(theirs))
  expect_equal(model.matrix(ours), model.matrix(theirs))
})

test_that("the call is the user's, the device kept for update()", {
  skip_if_no_python()
  fit <- survivalGPU::clogitGPU(case ~ induced + strata(stratum), infert, device = "cpu")
  expect_identical(
    fit$userCall,
    quote(survivalGPU::clogitGPU(case ~ induced + strata(stratum), infert, device = "cpu"))
  )
  expect_identical(fit$call[[1L]], quote(survivalGPU::coxphGPU))
  expect_identical(fit$call$device, "cpu")
  inner <- function(d, ...) {
    local_data <- d
    clogitGPU(case ~ induced + strata(stratum), local_data, ...)
  }
  expect_equal(coef(inner(infert)), coef(fit))
  expect_match(capture.output(inner(infert, method = "efron"))[2], "local_data, ...", fixed = TRUE)
})

test_that("what clogit refuses is refused in its words", {
  skip_if_no_python()
  for (call in rlang::exprs(
    f(data = infert),
    f(case ~ induced + strata(stratum) + cluster(stratum), infert),
    f(case ~ induced + strata(stratum), infert, foo = 3),
    f(case ~ nothing + strata(stratum), infert),
    f(case ~ induced + strata(stratum), infert, method = "exactly")
  )) {
    message <- function(name) {
      call[[1L]] <- name
      conditionMessage(expect_error(eval(call)))
    }
    expect_identical(message(quote(clogitGPU)), message(quote(clogit)))
  }
  error <- expect_error(clogitGPU(case ~ induced, infert, device = "abacus"))
  expect_s3_class(error, "survivalGPU_invalid_device")
})

test_that("clogitGPU has the installed clogit's arguments, then its own", {
  own <- formals(clogitGPU)
  theirs <- formals(survival::clogit)
  expect_identical(as.list(own[seq_along(theirs)]), as.list(theirs))
  expect_identical(names(own)[-seq_along(theirs)], c("device", "concordance"))
})

test_that("the concordance can be left out, also of an updated fit", {
  skip_if_no_python()
  fit <- clogitGPU(case ~ induced + spontaneous + strata(stratum), infert, concordance = FALSE)
  whole <- clogitGPU(case ~ induced + spontaneous + strata(stratum), infert)
  expect_true(is.na(fit$concordance[["concordance"]]))
  expect_identical(coef(fit), coef(whole))
  expect_true(is.na(update(fit, . ~ . - induced)$concordance[["concordance"]]))
  expect_error(clogitGPU(case ~ induced, infert, concordance = NA), class = "survivalGPU_error")
})

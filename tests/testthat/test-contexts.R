library(survival)

withr::local_options(survivalGPU.device = "cpu", .local_envir = teardown_env())

# `code`, which calls coxph, gives the same with coxphGPU in its place.
expect_same_code <- function(code) {
  theirs <- deparse(substitute(code))
  ours <- gsub("\\bcoxph\\b(?![.])", "coxphGPU", theirs, perl = TRUE)
  run <- function(lines) eval(parse(text = lines, keep.source = FALSE), new.env())
  expect_false(identical(ours, theirs))
  expect_same_result(run(ours), run(theirs), rounding_tolerance, theirs[1])
}

test_that("lists of formulas or of data give coxph's lists of fits", {
  skip_if_no_python()
  expect_same_code({
    formulas <- list(Surv(time, status) ~ age, Surv(time, status) ~ sex + strata(inst))
    lapply(formulas, coxph, data = lung)
  })
  expect_same_code({
    formulas <- list(young = Surv(time, status) ~ sex, old = Surv(time, status) ~ ph.ecog)
    fits <- Map(coxph, formulas, split(lung, lung$age > 60))
    # the call has the function itself in it
    lapply(fits, function(fit) replace(fit, "call", list(NULL)))
  })
  expect_same_code(lapply(
    c("age", "sex", "wt.loss"),
    function(name) coxph(reformulate(name, "Surv(time, status)"), data = lung)
  ))
  expect_same_code(
    lapply(split(lung, lung$sex), function(rows) coxph(Surv(time, status) ~ age, data = rows))
  )
})

test_that("do.call gives coxph's fit", {
  skip_if_no_python()
  expect_same_code(
    do.call("coxph", list(Surv(time, status) ~ age + sex, quote(lung), weights = quote(age)))
  )
  expect_same_code({
    fit <- do.call(coxph, list(Surv(time, status) ~ age + sex, data = lung, ties = "breslow"))
    # the call has the function itself in it
    fit$call <- NULL
    fit
  })
})

test_that("variables of a with() are found", {
  skip_if_no_python()
  expect_same_code(with(lung, coxph(Surv(time, status) ~ age + sex)))
  expect_same_code(with(lung, coxph(Surv(time, status) ~ age, weights = age, subset = sex == 1)))
  expect_same_code(within(list(cut = 60), {
    fit <- coxph(Surv(time, status) ~ I(age > cut), lung)
  }))
})

test_that("a fit made in a function of its own data can be updated and asked there", {
  skip_if_no_python()
  expect_same_code({
    analyse <- function(rows, limit) {
      rows$old <- rows$age > limit
      weight <- rows$ph.karno / 100
      fit <- coxph(Surv(time, status) ~ old + sex, rows, weights = weight, robust = FALSE)
      smaller <- update(fit, . ~ . - old)
      list(
        fit, smaller, anova(smaller, fit), survfit(fit, newdata = rows[1:2, ]),
        model.frame(fit), cox.zph(fit), predict(fit, rows[1:3, ], type = "expected")
      )
    }
    analyse(subset(lung, !is.na(ph.karno)), limit = 60)
  })
})

test_that("a formula made in one function and fitted in another keeps its variables", {
  skip_if_no_python()
  expect_same_code({
    make <- function() {
      limit <- 60
      Surv(time, status) ~ I(age > limit) + sex
    }
    fit_to_lung <- function(model, ...) {
      fit <- coxph(model, lung, ...)
      list(fit, model.frame(fit), predict(fit, lung[1:3, ]))
    }
    fit_to_lung(make(), ties = "breslow")
  })
})

test_that("a fit returned by a function is updated with data of the caller", {
  skip_if_no_python()
  expect_same_code({
    fit_to <- function(data) coxph(Surv(time, status) ~ age + sex, data = data)
    fit <- fit_to(lung)
    data <- subset(lung, sex == 1)
    update(fit, . ~ . - sex)
  })
})

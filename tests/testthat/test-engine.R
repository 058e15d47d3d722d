library(survival)

test_that("coxphGPU has the installed coxph's arguments, in order, then its own", {
  own <- as.list(formals(coxphGPU))
  survivals <- seq_along(formals(survival::coxph))
  expect_identical(own[survivals], as.list(formals(survival::coxph)))
  ours <- list(device = NULL, concordance = TRUE, bootstrap = NULL, batchsize = 0, seed = NULL)
  expect_identical(own[-survivals], ours)
})

test_that("arguments of a newer coxph are adopted before the dots", {
  newer <- function(formula, data, fresh = 3, ...) NULL
  target <- function(formula, data, ..., device = NULL) NULL
  expect_identical(
    names(formals(adopt_formals(target, newer))),
    c("formula", "data", "fresh", "...", "device")
  )
  expect_identical(adopt_formals(target, target), target)
})

test_that("the installed survival can be driven", {
  expect_null(survival_mismatch())
  expect_null(check_survival())
})

test_that("a coxph that no longer calls the fitters is refused by version", {
  doctored <- survival::coxph
  body(doctored) <- quote(coxph.fit() + coxpenal.fit() + coxexact.fit())
  mismatch <- survival_mismatch(doctored)
  expect_identical(mismatch, "its coxph() no longer calls agreg.fit(), agexact.fit()")
  error <- expect_error(check_survival(mismatch), class = "survivalGPU_survival_version")
  expect_match(conditionMessage(error), as.character(packageVersion("survival")), fixed = TRUE)
  expect_match(conditionMessage(error), "no longer calls agreg.fit()", fixed = TRUE)
})

test_that("a fitter with other arguments is refused", {
  other <- list2env(as.list(asNamespace("survival"), all.names = TRUE))
  other$agreg.fit <- function(x, y, strata) NULL
  expect_identical(
    survival_mismatch(namespace = other),
    "the arguments of its agreg.fit() have changed"
  )
})

test_that("the mismatch reaches the user at the fit, with the call", {
  local_package_function("installed_mismatch", "its coxph() is new")
  error <- expect_error(
    coxphGPU(Surv(time, status) ~ age, lung),
    class = "survivalGPU_survival_version"
  )
  expect_identical(
    conditionCall(error), quote(coxphGPU(Surv(time, status) ~ age, lung))
  )
})

test_that("survival is left as it was", {
  namespace <- asNamespace("survival")
  before <- as.list(namespace, all.names = TRUE)
  engine <- coxph_engine("cpu")
  expect_identical(as.list(namespace, all.names = TRUE), before)
  expect_identical(environment(survival::coxph), namespace)
  expect_identical(parent.env(parent.env(environment(engine))), namespace)
  expect_false(identical(environment(engine), environment(coxph_engine("cpu"))))
})

test_that("our fitters have the arguments of survival's", {
  engine <- environment(coxph_engine("cpu"))
  for (name in c("coxph.fit", "agreg.fit", "coxexact.fit", "agexact.fit")) {
    expect_identical(
      formals(engine[[name]]), formals(asNamespace("survival")[[name]])
    )
  }
})

test_that("deferred models are survival's, said once for each feature", {
  forget_message("deferred_penalised")
  sparse <- quote(coxphGPU(Surv(time, status) ~ age + frailty(inst), lung))
  message <- expect_message(fit <- eval(sparse), class = "survivalGPU_deferred")
  expect_match(conditionMessage(message), "sparse penalised term")
  expect_message(eval(sparse), NA)
  expect_s3_class(fit, c("coxphGPU", "coxph.penal", "coxph"), exact = TRUE)
  expect_equal(coef(fit), coef(coxph(Surv(time, status) ~ age + frailty(inst), lung)))
})

test_that("a fitter's error shows the call survival shows", {
  failing <- function(fit) {
    data <- transform(lung, w = 2)
    suppressMessages(expect_error(
      fit(Surv(time, status) ~ age, data, weights = w, ties = "exact")
    ))
  }
  expect_identical(conditionCall(failing(coxphGPU)), conditionCall(failing(coxph)))
})

test_that("uncentred columns are those made of nocenter values only", {
  x <- cbind(c(0, 1, 1), c(0, 2, 1), c(-1, 0, 1), c(-0, 0, 0))
  reference <- function(x, nocenter) {
    apply(x, 2, function(z) all(z %in% nocenter))
  }
  for (nocenter in list(c(-1, 0, 1), NULL, 2, c(0, 1, 2), c("0", "1"))) {
    expect_identical(uncentred_columns(x, nocenter), reference(x, nocenter))
  }
  late <- matrix(rep(c(0, 5), c(2000, 1)))
  expect_false(uncentred_columns(late, c(-1, 0, 1)))
  expect_identical(uncentred_columns(x[, 0], 1), logical())
})

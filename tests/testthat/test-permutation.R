# Permutation tests: against survival on permuted data, and what is said of them.

library(survival)

withr::local_options(
  survivalGPU.device = "cpu", survivalGPU.progress = FALSE,
  .local_envir = teardown_env()
)

# Permutations of `n` subjects in columns, within groups.
draw_donors <- function(n, number, groups = rep(1, n)) {
  withr::with_seed(7, vapply(seq_len(number), FUN.VALUE = numeric(n), function(b) {
    donors <- seq_len(n)
    for (group in unique(groups)) {
      own <- which(groups == group)
      donors[own] <- own[sample.int(length(own))]
    }
    donors
  }))
}

# `data` with the values of the donors in some columns; `subject` numbers rows by first
# appearance.
permute_data <- function(data, columns, donors, subject = seq_len(nrow(data))) {
  first <- match(seq_along(donors), subject)
  data[columns] <- lapply(data[columns], function(x) x[first[donors]][subject])
  data
}

# survival's score test of a term: at the fit without it, 0 for the term.
survival_score <- function(formula, without, data) {
  null <- coxph(without, data, eps = 1e-12, toler.chol = 1e-14, iter.max = 50)
  full <- coxph(formula, data, iter.max = 0)
  start <- stats::setNames(rep(0, length(full$coefficients)), names(full$coefficients))
  start[names(null$coefficients)] <- null$coefficients
  coxph(formula, data, init = start, iter.max = 0)$score
}

test_that("the statistic of a single term is survival's score test", {
  skip_if_no_python()
  for (ties in c("efron", "breslow")) {
    fit <- coxph(Surv(time, status) ~ sex, lung, ties = ties)
    test <- permutation_test(fit, R = 2, seed = 1)
    expect_equal(test$statistic[["sex"]], fit$score, tolerance = 1e-10)
    expect_equal(test$p.chisq[["sex"]], summary(fit)$sctest[["pvalue"]], tolerance = 1e-8)
  }
})

test_that("score statistics are survival's of permuted data", {
  skip_if_no_python()
  data <- na.omit(lung[c("time", "status", "age", "sex", "ph.ecog", "wt.loss")])
  data$ph <- factor(pmin(data$ph.ecog, 2))
  donors <- draw_donors(nrow(data), 4)
  fit <- coxph(Surv(time, status) ~ age + ph + wt.loss, data)
  test <- permutation_test(fit, c("age", "ph"), permutations = donors)
  expect_identical(test$R, 4L)
  expect_null(test$seed)
  expected <- t(apply(donors, 2, function(d) {
    of_age <- permute_data(data, "age", d)
    of_ph <- permute_data(data, "ph", d)
    c(
      age = survival_score(fit$formula, Surv(time, status) ~ ph + wt.loss, of_age),
      ph = survival_score(fit$formula, Surv(time, status) ~ age + wt.loss, of_ph)
    )
  }))
  expect_equal(test$null, expected, tolerance = 1e-8)
  expect_identical(test$df, c(age = 1L, ph = 2L))
})

test_that("likelihood ratio and Wald statistics are survival's of permuted data", {
  skip_if_no_python()
  data <- na.omit(lung[c("time", "status", "age", "sex", "inst")])
  donors <- draw_donors(nrow(data), 3, data$sex)
  fit <- coxph(Surv(time, status) ~ age + inst + strata(sex), data)
  null <- coxph(Surv(time, status) ~ inst + strata(sex), data)
  refits <- apply(donors, 2, function(d) coxph(fit$formula, permute_data(data, "age", d)))
  lrt <- permutation_test(fit, "age", statistic = "lrt", permutations = donors)
  expect_equal(
    lrt$null[, "age"],
    vapply(refits, function(refit) 2 * (refit$loglik[2] - null$loglik[2]), 0),
    tolerance = 1e-7
  )
  wald <- permutation_test(fit, "age", statistic = "wald", permutations = donors)
  expect_equal(
    wald$null[, "age"],
    vapply(refits, function(refit) (refit$coefficients[["age"]]^2 / refit$var[1, 1]), 0),
    tolerance = 1e-6
  )
  expect_true(lrt$stratified)
})

test_that("subjects are permuted with all their rows", {
  skip_if_no_python()
  subject <- match(cgd$id, unique(cgd$id))
  donors <- draw_donors(max(subject), 3)
  fit <- coxph(Surv(tstart, tstop, status) ~ treat + age, cgd, id = id)
  test <- permutation_test(fit, "treat", permutations = donors)
  expected <- apply(donors, 2, function(d) {
    survival_score(
      Surv(tstart, tstop, status) ~ treat + age, Surv(tstart, tstop, status) ~ age,
      permute_data(cgd, "treat", d, subject)
    )
  })
  expect_equal(test$null[, "treat"], expected, tolerance = 1e-8)
  expect_identical(test$n_subjects, max(subject))
  # the same subjects by the cluster, and by `id`
  clustered <- coxph(Surv(tstart, tstop, status) ~ treat + age, cgd, cluster = id)
  plain <- coxph(Surv(tstart, tstop, status) ~ treat + age, cgd)
  by_cluster <- permutation_test(clustered, "treat", permutations = donors)
  by_id <- permutation_test(plain, "treat", id = id, permutations = donors)
  expect_equal(by_cluster$null, test$null)
  expect_equal(by_id$null, test$null)
})

test_that("subjects with a row in each stratum change places with all others", {
  skip_if_no_python()
  data <- bladder
  subject <- match(data$id, unique(data$id))
  donors <- draw_donors(max(subject), 3)
  fit <- coxph(Surv(stop, event) ~ rx + size + strata(enum), data, cluster = id)
  test <- permutation_test(fit, c("rx", "size"), permutations = donors)
  expected <- apply(donors, 2, function(d) {
    survival_score(
      Surv(stop, event) ~ rx + size + strata(enum), Surv(stop, event) ~ size + strata(enum),
      permute_data(data, "rx", d, subject)
    )
  })
  expect_equal(test$null[, "rx"], expected, tolerance = 1e-8)
  drawn <- permutation_test(fit, "rx", R = 5, seed = 1)
  expect_identical(drawn$n_subjects, 85L)
})

test_that("all orders of a small sample give the exact test", {
  skip_if_no_python()
  data <- data.frame(time = 1:5, status = 1, x = c(1, 1, 0, 0, 0))
  # the extreme ones have no finite coefficient, which score tests do without
  fit <- coxph(Surv(time, status) ~ x, data, iter.max = 0)
  orders <- as.matrix(expand.grid(rep(list(1:5), 5)))
  orders <- t(orders[apply(orders, 1, function(order) length(unique(order)) == 5), ])
  test <- permutation_test(fit, permutations = unname(orders))
  expect_identical(ncol(orders), 120L)
  choices <- utils::combn(5, 2, function(exposed) {
    chosen <- transform(data, x = as.numeric(1:5 %in% exposed))
    coxph(Surv(time, status) ~ x, chosen, iter.max = 0)$score
  })
  expect_equal(sort(unique(round(test$null, 8))), sort(unique(round(as.vector(choices), 8))))
  share <- mean(choices >= fit$score - 1e-8)
  expect_equal(test$p.value[["x"]], (1 + 120 * share) / 121)
})

test_that("set.seed() governs, and a seed gives the same test again", {
  skip_if_no_python()
  fit <- coxph(Surv(time, status) ~ age + sex, lung)
  draw <- function() permutation_test(fit, R = 40)
  first <- withr::with_seed(3, draw())
  expect_equal(withr::with_seed(3, draw()), first)
  expect_false(identical(withr::with_seed(4, draw())$null, first$null))
  again <- permutation_test(fit, R = 40, seed = first$seed)
  expect_equal(again$null, first$null)
  fewer <- permutation_test(fit, R = 15, seed = first$seed)
  expect_identical(fewer$null, first$null[1:15, ])
})

test_that("Python draws and computes the same", {
  skip_if_no_python()
  fit <- coxphGPU(Surv(tstart, tstop, status) ~ treat + age + strata(sex), cgd, id = id)
  ours <- permutation_test(fit, R = 30, seed = 12, strata = hos.cat)
  core <- reticulate::import("survivalgpu", convert = FALSE)
  made <- core$CoxPH(device = "cpu")$permutation_test(
    numpy_matrix(model.matrix(fit)),
    reticulate::tuple(cgd$tstart, cgd$tstop, cgd$status),
    id = numpy_vector(cgd$id), strata = numpy_vector(as.integer(cgd$sex)),
    permutation_strata = numpy_vector(as.integer(cgd$hos.cat)),
    n_permutations = 30L, seed = 12L
  )
  expect_equal(unname(ours$null), reticulate::py_to_r(made$null), tolerance = 1e-10)
  expect_equal(unname(ours$p.value), as.double(reticulate::py_to_r(made$p_values)))
  expect_equal(unname(ours$p.adjusted), as.double(reticulate::py_to_r(made$adjusted)))
  expect_equal(unname(ours$p.stepdown), as.double(reticulate::py_to_r(made$stepdown)))
})

test_that("terms are tested as drop1() has them, or jointly", {
  skip_if_no_python()
  fit <- coxph(Surv(time, status) ~ age * sex + ph.ecog, lung)
  test <- permutation_test(fit, R = 3, seed = 1)
  expect_identical(names(test$statistic), c("ph.ecog", "age:sex"))
  joint <- permutation_test(
    fit, list(age = c("age", "age:sex"), "ph.ecog"),
    R = 3, seed = 1
  )
  expect_identical(joint$df, c(age = 2L, ph.ecog = 1L))
  expect_equal(joint$null[, "ph.ecog"], test$null[, "ph.ecog"])
  expect_error(permutation_test(fit, "age"), "cannot be tested while", class = "survivalGPU_error")
})

test_that("a redundant column is no part of a test", {
  skip_if_no_python()
  data <- transform(lung, twice = 2 * age)
  fit <- coxph(Surv(time, status) ~ age + twice + sex, data)
  test <- permutation_test(fit, "sex", R = 3, seed = 1)
  without <- coxph(Surv(time, status) ~ age + sex, data)
  expect_equal(
    test$null, permutation_test(without, "sex", R = 3, seed = 1)$null,
    tolerance = 1e-8
  )
  expect_error(
    permutation_test(fit, "twice"), "no coefficient of its own",
    class = "survivalGPU_error"
  )
})

test_that("a permutation test prints and converts", {
  skip_if_no_python()
  fit <- coxph(Surv(time, status) ~ age + sex, lung)
  test <- permutation_test(fit, R = 99, seed = 1)
  expect_snapshot(print(test))
  expect_snapshot(print(permutation_test(
    coxph(Surv(time, status) ~ age + strata(sex), lung),
    R = 9, seed = 2, statistic = "lrt"
  )))
  long <- as.data.frame(test)
  expect_identical(dim(long), c(198L, 3L))
  expect_equal(long$statistic[long$term == "sex"], unname(test$null[, "sex"]))
  skip_if_not_installed("generics")
  tidied <- generics::tidy(test)
  expect_identical(tidied$term, c("age", "sex"))
  expect_equal(tidied$p.adjusted, unname(test$p.adjusted))
})

test_that("a permutation test is plotted", {
  skip_if_no_python()
  fit <- coxph(Surv(time, status) ~ age + sex, lung)
  test <- permutation_test(fit, R = 99, seed = 1)
  withr::with_pdf(withr::local_tempfile(fileext = ".pdf"), {
    expect_identical(plot(test, col = "grey"), test)
  })
  skip_if_not_installed("ggplot2")
  drawn <- ggplot2::ggplot_build(ggplot2::autoplot(test))
  expect_identical(unname(drawn$data[[3]]$xintercept), unname(test$statistic))
})

test_that("no Python object is kept", {
  skip_if_no_python()
  fit <- coxph(Surv(time, status) ~ age + sex, lung)
  test <- permutation_test(fit, R = 9, seed = 1)
  file <- withr::local_tempfile()
  saveRDS(test, file)
  expect_equal(readRDS(file), test, ignore_formula_env = TRUE)
})

test_that("what is not valid is refused with the reason", {
  skip_if_no_python()
  fit <- coxph(Surv(time, status) ~ age + sex, lung)
  counting <- coxph(Surv(start, stop, event) ~ transplant + age, heart)
  weighted <- coxph(Surv(time, status) ~ age, lung, weights = rep(1:2, 114))
  expect_snapshot(error = TRUE, {
    permutation_test(1)
    permutation_test(fit, "weight")
    permutation_test(fit, 2)
    permutation_test(fit, character())
    permutation_test(fit, c("age", "age"))
    permutation_test(fit, R = 0)
    permutation_test(fit, R = 2.5)
    permutation_test(fit, seed = 1.5)
    permutation_test(fit, seed = -1)
    permutation_test(fit, strata = 1:3)
    permutation_test(fit, permutations = matrix(1, 228, 2))
    permutation_test(fit, foo = 1)
    permutation_test(counting, "age")
    permutation_test(counting, "transplant", id = id)
    permutation_test(weighted)
    permutation_test(coxph(Surv(time, status) ~ age, lung, ties = "exact"))
    permutation_test(coxph(Surv(time, status) ~ ridge(age), lung))
    permutation_test(coxph(Surv(time, status) ~ tt(age), lung, tt = function(x, t, ...) x * t))
  })
  by_weight <- permutation_test(weighted, R = 3, seed = 1, strata = rep(1:2, 114))
  expect_true(by_weight$stratified)
})

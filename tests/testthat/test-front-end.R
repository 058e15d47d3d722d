library(survival)

# The helpers of the front end have the results of the functions whose place they take:
# values, attributes, warnings and errors, and the calls that these show.

all_that_comes_of <- function(expr) {
  warnings <- list()
  value <- tryCatch(
    withCallingHandlers(expr, warning = function(cnd) {
      warnings[[length(warnings) + 1L]] <<- list(conditionMessage(cnd), conditionCall(cnd))
      invokeRestart("muffleWarning")
    }),
    error = function(cnd) list("error", conditionMessage(cnd), conditionCall(cnd))
  )
  list(value = value, warnings = warnings)
}

# `call` with the functions of `ours` for those of the same names
expect_same_with <- function(ours, call, frame = parent.frame()) {
  quick <- list2env(ours, parent = frame)
  theirs <- all_that_comes_of(eval(call, new.env(parent = frame)))
  expect_identical(
    all_that_comes_of(eval(call, quick)), theirs,
    label = paste(deparse(call), collapse = " ")
  )
  invisible(theirs)
}

expect_same_frame <- function(call, frame = parent.frame()) {
  expect_identical(
    all_that_comes_of(evaluate_front_end(call, frame)),
    all_that_comes_of(eval(call, frame)),
    label = paste(deparse(call), collapse = " ")
  )
}

response <- function(...) suppressWarnings(Surv(...))

test_that("times are rounded as aeqSurv rounds them", {
  withr::local_seed(1)
  x <- cumsum(runif(300))
  near <- sample(c(x, x * (1 + 1e-9), x + 4e-9, x + 3e-8))
  responses <- list(
    days = response(c(5, 3, 3, 9, 0), c(1, 0, 1, 1, 0)),
    integers = response(5:1, c(1, 0, 1, 1, 0)),
    negative_days = response(c(-5, 3), c(4, 9), c(1, 0)),
    huge_days = response(c(1e8, 1e8 + 1, 5e8), c(1, 0, 1)),
    large_days = response(c(3e7, 3e7 + 1, 5e7), c(1, 0, 1)),
    large_ties = response(c(1, 1 + 1e-9, 3e12, 3e12 + 1), c(1, 0, 1, 1)),
    small_numbers = response(c(1, 2, 3, 3 + 1e-9) * 1e-7, c(1, 0, 1, 1)),
    one = response(2.5, 1),
    zeros = response(c(0, -0, 1e-9, 2.5), c(1, 1, 1, 0)),
    chain = response(1 + (0:50) * 1e-8, rep(1, 51)),
    near = response(near, rep(0:1, length.out = length(near))),
    negative = response(-near, rep(0:1, length.out = length(near))),
    entry = response(near - 0.5, near, rep(0:1, length.out = length(near))),
    continuous = response(rexp(5000), rbinom(5000, 1, 0.5)),
    crowded = response(1e6 + runif(3000) * 1e-3, rbinom(3000, 1, 0.5)),
    lost_length = response(c(1, 2), c(1 + 1e-9, 3), c(1, 1)),
    no_length = response(c(1, 2, 2 + 1e-9), c(5, 3, 4), c(1, 1, 0)),
    missing = response(c(1, NA, 1 + 1e-9), c(1, 1, 0)),
    missing_apart = response(c(1, NA, 2), c(1, 1, NA)),
    infinite = response(c(1, Inf, 2.5), c(1, 1, 0)),
    infinite_ties = response(c(1, Inf, 1 + 1e-9), c(1, 1, 0)),
    from_minus_infinity = response(c(-Inf, 1, 1 + 1e-9), c(1, 2, 3), c(1, 1, 0)),
    missing_status = response(c(1, 1 + 1e-9), c(1, NA)),
    states = response(c(1, 1 + 1e-9, 4), factor(c(0, 2, 1))),
    named = response(c(a = 1, b = 1 + 1e-9), c(1, 0)),
    dates = response(as.Date("2020-01-01") + 1:3 - as.Date("2019-05-01"), c(1, 0, 1)),
    interval = response(c(1, 2), c(3, 4), type = "interval2"),
    left = response(c(1, 1 + 1e-9), c(1, 0), type = "left"),
    none = response(numeric(), numeric())
  )
  for (name in names(responses)) {
    y <- responses[[name]]
    ours <- list(aeqSurv = quick_aeqSurv())
    expect_same_with(ours, quote(aeqSurv(y)))
    expect_same_with(ours, quote(aeqSurv(y, tolerance = 0.5)))
    rownames(y) <- if (nrow(y)) paste0("r", seq_len(nrow(y)))
    expect_same_with(ours, quote(aeqSurv(y)))
  }
  expect_same_with(ours, quote(aeqSurv(y, -1)))
  expect_same_with(ours, quote(aeqSurv(y, "a")))
  expect_same_with(ours, quote(aeqSurv(lung)))
  whole <- responses$days
  expect_true(identical(round_times(whole, 1e-8), whole))
  storage.mode(whole) <- "integer"
  expect_same_with(ours, quote(aeqSurv(whole)))
})

test_that("responses are what Surv makes of the same vectors", {
  ours <- list(Surv = quick_Surv())
  vectors <- list(
    time = c(3, 1, 4.5), integer = 3:1, zero = c(0, 0, 0), missing = c(1, NA, NaN),
    infinite = c(1, Inf, -Inf), one = 2, none = numeric(), named = c(a = 1, b = 2, c = 3),
    date = as.Date("2020-01-01") + 1:3, spell = as.difftime(1:3, units = "days"),
    text = letters[1:3], group = factor(1:3), logical = c(TRUE, FALSE, NA),
    labelled = structure(1:3, label = "months"), later = c(5, 6, 7), list = list(1, 2, 3),
    matrix = matrix(c(4, 5, 6)), one_two = c(2, 1, 2), twos = c(2, 2, 2), ones = c(1L, 1L, 1L),
    zero_one = c(1, 0, NA), nothing = c(NA, NA, NA), unknown = c(NA_real_, NaN, NA),
    zero_two = c(0, 2, 1), half = c(0, 0.5, 1), negative = c(-1, 0, 1), longer = c(1, 1, 0, 0)
  )
  attach_vectors <- list2env(vectors)
  names <- lapply(names(vectors), as.name)
  for (time in names) {
    expect_same_with(ours, bquote(Surv(.(time))), attach_vectors)
    for (event in names) {
      expect_same_with(ours, bquote(Surv(.(time), .(event))), attach_vectors)
      expect_same_with(ours, bquote(Surv(.(time), later, .(event))), attach_vectors)
    }
  }
  for (call in expression(
    Surv(time, event = zero_one), Surv(event = zero_one, time), Surv(time = time, later, ones),
    Surv(time, zero_one, type = "right"), Surv(time, zero_one, origin = 1), Surv(),
    Surv(time, zero_one, type = "left"), Surv(time, later, type = "interval2"),
    Surv(time, integer, zero_one), Surv(zero, missing, zero_one), Surv(missing, later, ones),
    Surv(time, absent), Surv(text, absent), Surv(time, later, absent), Surv(absent, zero_one),
    Surv(text, later, absent), Surv(time, group, type = "mstate"), Surv(event = ones)
  )) {
    expect_same_with(ours, call, attach_vectors)
  }
})

test_that("factors, distinct values and matches of numbers are R's", {
  withr::local_seed(2)
  ours <- list(
    factor = quick_factor(), as.factor = quick_as_factor(), unique = quick_unique(),
    match = quick_match()
  )
  vectors <- list(
    c(3L, 1L, 3L, NA, 2L), c(3, 1, 3, NaN, NA), c(-2, 0, -0, 7), c(1e5, 2, 1e5), 5L, 0.5,
    c(1, 1.5, 1), c(Inf, 1, 2), c(1e12, 1), c(2e9, 1, 2e9), integer(), numeric(), NA_real_,
    c(NA, NA_integer_), c(a = 3, b = 1, c = 3), c(a = 3L, b = NA), c(TRUE, FALSE, NA),
    c("b", "a", NA), factor(c("u", "v", "u")), factor(c(2, 1, 2), levels = 3:1),
    as.Date("2020-01-01") + c(3, 1, 3), matrix(c(1, 2, 1, 2), 2), 1:3 + 2i, list(1, 2, 1),
    sample.int(1000, 5000, TRUE), as.double(sample.int(1000, 300, TRUE)), NULL,
    c(.Machine$integer.max, -.Machine$integer.max), structure(c(2, 1, 2), levels = c("a", "b")),
    array(c(2, 1, 2)), c(100000L, 100001L)
  )
  for (x in vectors) {
    for (call in expression(
      factor(x), as.factor(x), unique(x), factor(x, labels = c("p", "q")), factor(x, "a"),
      factor(x, levels = 1:2), factor(x, labels = "p"), factor(x, labels = c("p", "p")),
      factor(x, exclude = 1), unique(x, fromLast = TRUE), sort(unique(x)), match(x, 1:3),
      match(x, c(3, 1, 1)), match(x, c(1, NA)), match(x, 0.5), match(x, c(2, 1e12)),
      match(x, "a"), match(x, c("u", "b")), match(x, numeric()), match(x, 1:3, nomatch = 0L)
    )) {
      expect_same_with(ours, call)
    }
    for (y in vectors) expect_same_with(ours, quote(match(x, y)))
  }
})

test_that("strata are survival's", {
  ours <- list(strata = quick_strata())
  g <- c(3, 1, 1, NA, 7)
  k <- c(2L, 2L, 1L, 1L, 2L)
  f <- factor(c("b", "a", "b", "a", NA), levels = c("c", "b", "a"))
  s <- c("x", "y", "y", "x", "x")
  half <- g / 2
  data <- data.frame(g, k)
  for (call in expression(
    strata(g), strata(k), strata(f), strata(s), strata(half), strata(g, k), strata(f, s),
    strata(g, f), strata(group = g, k), strata(g, na.group = TRUE), strata(f, na.group = TRUE),
    strata(g, k, shortlabel = TRUE), strata(g, sep = "/"), strata(k, s, f, sep = ":"),
    strata(g > 1), strata(data), strata(list(g, k)), strata(g, 1:3), strata(I(g)),
    strata(as.Date("2020-01-01") + k), strata(), strata(g, mean), strata(interaction(k, s))
  )) {
    expect_same_with(ours, call)
  }
})

frame_calls <- expression(
  stats::model.frame(formula = Surv(time, status) ~ age + strata(sex), data = data),
  stats::model.frame(formula = Surv(time, status) ~ age + factor(sex), data = data,
    subset = age > 60, weights = age, id = inst, cluster = ph.ecog),
  stats::model.frame(formula = Surv(time, status == 2) ~ poly(age, 2) + I(age / 10), data = data),
  stats::model.frame(formula = Surv(time, status) ~ splines::ns(age, 3) + offset(age), data = data),
  stats::model.frame(formula = Surv(time - 5, time, status) ~ log(ph.karno), data = data),
  stats::model.frame(formula = Surv(time, status) ~ age, data = data, na.action = na.pass),
  stats::model.frame(formula = Surv(time, status) ~ meal.cal, data = data, na.action = na.exclude),
  stats::model.frame(formula = Surv(time, status) ~ meal.cal, data = data, na.action = na.fail),
  stats::model.frame(formula = Surv(time, status) ~ meal.cal, data = data, na.action = na.omit),
  stats::model.frame(formula = Surv(time, status) ~ meal.cal, data = data, na.action = "na.omit"),
  stats::model.frame(formula = Surv(time, status) ~ meal.cal, data = data, na.action = NULL),
  stats::model.frame(formula = Surv(time, status) ~ cbind(age, sex), data = data[data$age > 60, ]),
  stats::model.frame(formula = Surv(time, status) ~ as.character(sex), data = as.list(data)),
  stats::model.frame(formula = Surv(time, status) ~ pspline(age) + ridge(sex), data = data),
  stats::model.frame(formula = Surv(time, status) ~ nobody, data = data),
  stats::model.frame(formula = Surv(time, status) ~ age, data = data, weights = 1:3),
  stats::model.frame(formula = Surv(time, status) ~ mean, data = data),
  stats::model.frame(formula = Surv(time, status) ~ age, data = data, subset = nobody),
  stats::model.frame(formula = Surv(time, status) ~ age, data = array(1, c(2, 2))),
  stats::model.frame(formula = Surv(-time, time - 2000, status) ~ age, data = data),
  stats::model.frame(formula = Surv(time, sex * 3) ~ age, data = data),
  stats::model.frame(formula = survival::Surv(time, status) ~ survival::strata(sex), data = data),
  stats::model.frame(formula = survival::Surv(time, status) ~ survival::nobody(sex), data = data),
  stats::model.frame(formula = survival::Surv(time, status) ~ nobody::nothing(sex), data = data),
  stats::model.frame(formula = local_function(time, status) ~ age, data = data),
  stats::model.frame(formula = Surv(time, status) ~ 1, data = data),
  stats::model.frame(formula = ~age, data = data),
  stats::model.frame(formula = time ~ age, data = data, subset = FALSE),
  stats::model.frame(formula = Surv(age, sex) ~ missed, data = transform(data, missed = NA))
)

test_that("model frames are stats', row names, attributes and complaints too", {
  frames <- list(
    lung = lung, complete = stats::na.omit(lung),
    some = lung[c(5, 9, 2), ], one = lung[7, ],
    named = stats::setNames(lung, names(lung))[1:20, ],
    none = lung[0, ]
  )
  rownames(frames$named) <- paste0("p", 1:20)
  local_function <- function(time, status) Surv(time, status)
  for (name in names(frames)) {
    data <- frames[[name]]
    for (call in frame_calls) expect_same_frame(call)
  }
})

test_that("columns of every type are omitted from as stats omits them", {
  withr::local_seed(3)
  n <- 12
  gap <- function(x) {
    x[c(2, 7)] <- NA
    x
  }
  data <- list2env(list(
    y = response(1:n, rep(0:1, 6)), x = gap(rnorm(n)), k = gap(1:n), b = gap(rep(c(TRUE, NA), 6)),
    s = gap(letters[1:n]), f = gap(factor(letters[1:n])), o = gap(factor(1:n, ordered = TRUE)),
    d = gap(as.Date("2020-01-01") + 1:n), p = gap(as.POSIXct("2020-01-01", tz = "UTC") + 1:n),
    u = gap(as.difftime(1:n, units = "hours")), m = rbind(NA, matrix(rnorm(2 * n - 2), n - 1)),
    z = gap(1:n + 1i), r = as.raw(1:n), whole = as.double(1:n), named = c(a = NA, 2:n),
    column = array(c(NA, 2:n)), contrasted = stats::C(factor(rep(1:3, 4)), contr.sum),
    dimmed = matrix(1:(2 * n), n, dimnames = list(letters[1:n], c("u", "v"))),
    series = stats::ts(c(NA, 2:n)), label = structure(as.double(1:n), label = "age"),
    custom = structure(1:n, class = "mine"), infinite = rep(Inf, n), nan = c(NaN, 2:n),
    zone = as.POSIXlt("2020-01-01", tz = "UTC") + 1:n
  ))
  for (name in setdiff(ls(data), "y")) {
    formula <- stats::as.formula(paste("y ~", name), env = data)
    for (call in expression(
      stats::model.frame(formula = formula),
      stats::model.frame(formula = formula, subset = 3:12),
      stats::model.frame(formula = formula, weights = whole, cluster = k),
      stats::model.frame(formula = formula, data = as.data.frame(as.list(data)[c("y", name)]))
    )) {
      expect_same_frame(call)
    }
  }
})

test_that("a formula's own Surv and strata are left alone, and its environment too", {
  scope <- list2env(list(Surv = function(time, status) survival::Surv(time / 2, status)))
  formula <- Surv(time, status) ~ age
  environment(formula) <- scope
  frame <- evaluate_front_end(
    quote(stats::model.frame(formula = formula, data = lung)), environment()
  )
  expect_equal(unclass(frame[[1]])[, 1], lung$time / 2)
  expect_identical(environment(attr(frame, "terms")), scope)
  expect_identical(ls(scope), "Surv")
  expect_setequal(names(front_end_mask(formula)), c("strata", "::"))
})

test_that("numeric designs are stats', without the intercept", {
  data <- stats::na.omit(lung)
  data$big <- data$age > 60
  data$dim <- cbind(u = data$age, v = data$sex)
  data$bare <- cbind(data$age, data$sex)
  data$single <- cbind(one = data$age)
  data[["a b"]] <- data$age
  data$date <- as.Date("2020-01-01") + data$age
  formulas <- list(
    ~age, ~ age + sex, ~ age + I(age^2) + log(time), ~ dim + age, ~ bare + sex, ~single,
    ~ `a b` + age, ~ poly(age, 2) + sex, ~ splines::ns(age, 3), ~ age + factor(sex), ~big,
    ~ age * sex, ~ age:sex, ~1, ~ age + offset(sex), ~ age + offset(big), ~ sex + strata(inst),
    ~ date + age, ~ age - 1, ~ as.integer(age) + sex, ~ cut(age, 3), ~ as.character(sex),
    ~ age + age, ~ sex + Surv(age, sex)
  )
  ours <- quick_model_matrix()
  quick <- 0
  for (formula in formulas) {
    formula <- stats::update(formula, Surv(time, status) ~ .)
    frame <- stats::model.frame(formula, data)
    terms <- attr(frame, "terms")
    attr(terms, "intercept") <- 1
    theirs <- stats::model.matrix(terms, frame, contrasts.arg = NULL)
    design <- ours(terms, frame, contrasts.arg = NULL)
    if (!inherits(design, "survivalGPU_design")) {
      expect_identical(design, theirs)
      next
    }
    quick <- quick + 1
    expect_identical(attr(design, "assign"), attr(theirs, "assign"))
    expect_null(attr(design, "contrasts"))
    for (keep in list(
      colnames(theirs) != "(Intercept)", rep(TRUE, ncol(theirs)), seq_len(ncol(theirs)) == 2
    )) {
      expect_identical(select_design_columns(design, , keep), theirs[, keep, drop = FALSE])
    }
  }
  expect_gte(quick, 11)
})

test_that("designs that cannot be are refused in the same words", {
  ours <- list(model.matrix = quick_model_matrix())
  frame <- stats::model.frame(Surv(time, status) ~ age + sex, lung)
  terms <- stats::terms(Surv(time, status) ~ age + ph.ecog, data = lung)
  attr(terms, "intercept") <- 1
  complaint <- expect_same_with(ours, quote(model.matrix(terms, frame, contrasts.arg = NULL)))
  expect_identical(complaint$value[[1]], "error")
  expect_same_with(ours, quote(model.matrix(terms, lung)))
  expect_same_with(ours, quote(model.matrix(~ age + nobody, lung)))
  expect_same_with(ours, quote(model.matrix(Surv(time, status) ~ age, lung)))
})

test_that("one answer stands for all elements of a matrix", {
  for (x in list(
    matrix(1:6 / 2, 3), matrix(c(1, NA, 3)), matrix(c(Inf, 1, 2, 3, 4)), matrix(c(-Inf, 1, NaN)),
    matrix(1:4), matrix(c(TRUE, NA)), c(1, Inf, NA), numeric(), matrix(0, 0, 3), "a",
    matrix(rep(.Machine$double.xmax, 9), 3)
  )) {
    expect_identical(all(all_finite(x)), all(is.finite(x)))
  }
})

test_that("a response and its columns are taken out as stats and survival do", {
  ours <- list(model.response = quick_model_response(), "[.Surv" = quick_surv_column())
  states <- transform(lung, status = factor(status, labels = c("alive", "dead")))
  rownames(states) <- paste("row", seq_len(nrow(states)))
  frames <- list(
    stats::model.frame(Surv(time, status) ~ age, lung),
    stats::model.frame(Surv(time, status) ~ age, lung[c(9, 3, 4), ]),
    stats::model.frame(Surv(time, status) ~ age, lung[5, ]),
    suppressWarnings(stats::model.frame(Surv(time, status) ~ age, lung[0, ])),
    stats::model.frame(Surv(time, status) ~ age, states),
    stats::model.frame(Surv(age, age + time, status == 2) ~ sex, lung),
    stats::model.frame(Surv(c(a = 1, b = 2), c(1, 0)) ~ 1),
    stats::model.frame(Surv(time, time + 1, type = "interval2") ~ age, lung),
    stats::model.frame(time ~ age, lung), stats::model.frame(~age, lung),
    stats::model.frame(cbind(time, age) ~ 1, lung), stats::model.frame(I(time) ~ 1, lung)
  )
  for (frame in frames) {
    y <- expect_same_with(ours, quote(model.response(frame)))$value
    expect_same_with(ours, quote(model.response(frame, "numeric")))
    if (!is.Surv(y)) next
    for (call in expression(
      y[, 1], y[, 2], y[, ncol(y)], y[, 3], y[, 4], y[, 1.9], y[, 0], y[, -1], y[, "status"],
      y[, 1:2], y[, 1, drop = FALSE], y[1:2, 1], y[1:2], y[, NA], y[], y[, TRUE], y[1, ]
    )) {
      expect_same_with(ours, call)
    }
    y <- unname(y)
    expect_same_with(ours, quote(y[, 1]))
  }
  expect_same_with(ours, quote(model.response(list(1))))
})

test_that("the checks of the fitters are R's", {
  y <- cbind(c(1, 2, NA), c(2, Inf, 3), c(0, 0, 1))
  expect_identical(no_events(y), FALSE)
  expect_identical(no_events(y[1:2, ]), TRUE)
  expect_identical(no_events(cbind(1, c(0, NA))), NA)
  expect_identical(no_events(cbind(1:2, c(0L, 1L))), FALSE)
  expect_identical(finite_column(y, 1L), FALSE)
  expect_identical(finite_column(y, 2L), FALSE)
  expect_identical(finite_column(y, 3L), TRUE)
  x <- cbind(c(-1, 0, 1), c(0, 0.5, 1), c(2, 2, 2), c(0, -0, 0))
  for (nocenter in list(c(-1, 0, 1), NULL, 2L, c(2, NA), "2", c(0.5, 0, 1), 0)) {
    expect_identical(
      uncentred_columns(x, nocenter), apply(x, 2, function(column) all(column %in% nocenter))
    )
  }
  expect_identical(uncentred_columns(x[, 0], 1), logical())
  storage.mode(x) <- "integer"
  expect_identical(uncentred_columns(x, c(-1, 0, 1)), c(TRUE, TRUE, FALSE, TRUE))
})

test_that("codes of factors and other numbers are as.integer()'s", {
  for (x in list(
    factor(c(a = "u", b = NA, c = "v")), factor(character()), factor(3:1, ordered = TRUE),
    c(a = 1.5, b = NA), "3", TRUE, NULL
  )) {
    expect_identical(factor_codes(x), as.integer(x))
  }
})

test_that("a model without missing values does not copy its columns", {
  skip_if_no_python()
  fit <- coxphGPU(Surv(time, status) ~ age + sex, lung, device = "cpu", x = TRUE, model = TRUE)
  theirs <- coxph(Surv(time, status) ~ age + sex, lung, x = TRUE, model = TRUE)
  expect_identical(fit$model, theirs$model)
  expect_identical(fit$x, theirs$x)
  expect_identical(fit$y, theirs$y)
  expect_identical(fit$terms, theirs$terms)
})

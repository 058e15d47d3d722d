library(survival)

withr::local_options(survivalGPU.device = "cpu", .local_envir = teardown_env())

not_robust <- c("right", "offset")

test_that("what a fit says of itself is what coxph's says", {
  skip_if_no_python()
  expect_same_uses(
    rlang::exprs(
      coef(fit), vcov(fit), confint(fit), confint(fit, level = 0.9), logLik(fit), AIC(fit),
      BIC(fit), nobs(fit), extractAIC(fit), summary(fit)$coefficients, summary(fit)$conf.int,
      summary(fit, conf.int = 0.8, scale = 10)
    ),
    c(one_state, "multistate")
  )
  expect_same_uses(
    rlang::exprs(
      formula(fit), terms(fit), model.frame(fit), model.matrix(fit), weights(fit),
      deviance(fit), df.residual(fit), case.names(fit), labels(fit)
    ),
    one_state
  )
  expect_same_uses(rlang::exprs(formula(fit), terms(fit), model.frame(fit)), "multistate")
})

test_that("predictions are coxph's", {
  skip_if_no_python()
  expect_same_uses(
    rlang::exprs(
      predict(fit), predict(fit, se.fit = TRUE),
      predict(fit, type = "risk", se.fit = TRUE),
      predict(fit, type = "expected", se.fit = TRUE),
      predict(fit, type = "terms", se.fit = TRUE),
      predict(fit, type = "survival", se.fit = TRUE),
      predict(fit, type = "lp", reference = "sample", se.fit = TRUE),
      predict(fit, type = "risk", reference = "zero", se.fit = TRUE),
      predict(fit, type = "terms", reference = "zero", terms = 1),
      predict(fit, newdata = cases, se.fit = TRUE),
      predict(fit, newdata = cases, type = "risk", reference = "sample"),
      predict(fit, newdata = cases, type = "expected", se.fit = TRUE),
      predict(fit, newdata = cases, type = "survival", se.fit = TRUE),
      predict(fit, newdata = cases, type = "terms", se.fit = TRUE),
      predict(fit, newdata = cases, collapse = rep(1:2, length.out = nrow(cases)))
    ),
    one_state
  )
  expect_same_uses(
    rlang::exprs(
      predict(fit, collapse = cgd$id), predict(fit, type = "expected", collapse = cgd$id)
    ),
    "counting"
  )
})

test_that("residuals are coxph's", {
  skip_if_no_python()
  types <- c(
    "martingale", "deviance", "score", "schoenfeld", "dfbeta", "dfbetas", "scaledsch", "partial"
  )
  by_type <- lapply(types, function(type) bquote(residuals(fit, .(type))))
  weighted <- lapply(types[c(1, 3:6)], function(type) bquote(resid(fit, .(type), weighted = TRUE)))
  expect_same_uses(c(by_type, weighted), one_state)
  collapsed <- lapply(
    types[c(1:3, 5, 6)], function(type) bquote(resid(fit, .(type), collapse = cgd$id))
  )
  expect_same_uses(collapsed, "counting")
  expect_same_uses(rlang::exprs(residuals(fit)), "multistate")
})

test_that("survival curves and baseline hazards are coxph's", {
  skip_if_no_python()
  expect_same_uses(
    rlang::exprs(
      survfit(fit), summary(survfit(fit)), survfit(fit, newdata = cases),
      survfit(fit, newdata = cases, se.fit = FALSE),
      survfit(fit, newdata = cases, conf.type = "log-log", conf.int = 0.9),
      survfit(fit, stype = 1, ctype = 1), survfit(fit, stype = 2, ctype = 1, conf.type = "plain"),
      survfit(fit, stype = 1, ctype = 2, censor = FALSE),
      survfit(fit, start.time = 60), quantile(survfit(fit), c(0.1, 0.3)),
      summary(survfit(fit, newdata = cases), times = c(50, 100, 200), extend = TRUE),
      basehaz(fit), basehaz(fit, centered = FALSE), survfit(fit, newdata = cases)[1]
    ),
    one_state
  )
  expect_same_uses(
    rlang::exprs(
      survfit(fit, newdata = transform(cases, id = 1, tstart = 0:3 * 100, tstop = 1:4 * 100,
        hos.cat = cgd$hos.cat[1]
      ), id = id)
    ),
    "counting"
  )
  expect_same_uses(
    rlang::exprs(
      survfit(fit, newdata = cases, se.fit = FALSE),
      summary(survfit(fit, newdata = cases), times = c(100, 500)),
      survfit(fit, newdata = cases[1, ], p0 = c(1, 0, 0, 0))
    ),
    "multistate"
  )
})

test_that("tests of proportional hazards are coxph's", {
  skip_if_no_python()
  expect_same_uses(
    rlang::exprs(
      cox.zph(fit), cox.zph(fit, transform = "rank"), cox.zph(fit, transform = "identity"),
      cox.zph(fit, transform = function(time) log(time + 1)),
      cox.zph(fit, terms = FALSE), cox.zph(fit, singledf = TRUE, global = FALSE), cox.zph(fit)[1]
    ),
    one_state
  )
  expect_same_uses(rlang::exprs(cox.zph(fit)), "multistate")
})

test_that("plots of fits draw what coxph's draw", {
  skip_if_no_python()
  # a PDF file has hundredths of a point, which rounding may turn either way
  written <- 0.01 + rounding_tolerance
  for (kind in one_state) {
    fits <- downstream_fits(kind)
    for (draw in list(function(fit) plot(cox.zph(fit)), function(fit) plot(survfit(fit)))) {
      ours <- drawn(draw, fits$ours)
      theirs <- drawn(draw, fits$theirs)
      expect_identical(ours$text, theirs$text, label = kind)
      expect_gt(length(theirs$numbers), 100)
      expect_lte(max(abs(ours$numbers - theirs$numbers)), written, label = kind)
    }
  }
})

test_that("what cannot be had from a coxph fit cannot from coxphGPU's, in the same words", {
  skip_if_no_python()
  refused <- list(
    weighted = rlang::exprs(
      anova(fit), predict(fit, newdata = cases["age"]), residuals(fit, "pearson"),
      survfit(fit, newdata = 3), cox.zph(fit, transform = 1:3), update(fit, . ~ . + nothing)
    ),
    multistate = rlang::exprs(anova(fit), royston(fit))
  )
  message_of <- function(use, fit) {
    frame <- list2env(list(fit = fit), parent = downstream_fits("weighted")$frame)
    tryCatch(
      {
        eval(use, frame)
        NA_character_
      },
      error = conditionMessage
    )
  }
  for (kind in names(refused)) {
    fits <- downstream_fits(kind)
    for (use in refused[[kind]]) {
      expected <- message_of(use, fits$theirs)
      expect_false(is.na(expected), label = deparse(use))
      expect_identical(message_of(use, fits$ours), expected, label = deparse(use))
    }
  }
})

# Analyses as their authors write them, with coxph and with coxphGPU in its place.

library(survival)

withr::local_options(survivalGPU.device = "cpu", .local_envir = teardown_env())

test_that("a tutorial of univariable and multivariable models", {
  expect_same_script(quote({
    covariates <- c("age", "sex", "ph.karno", "ph.ecog", "wt.loss")
    formulas <- sapply(covariates, function(x) as.formula(paste("Surv(time, status) ~", x)))
    models <- lapply(formulas, function(x) coxph(x, data = lung))
    table <- sapply(models, function(model) {
      x <- summary(model)
      interval <- signif(x$conf.int[, c("lower .95", "upper .95")], 2)
      c(
        beta = signif(x$coef[1], 2), HR = signif(x$coef[2], 2), interval,
        wald = signif(x$wald["test"], 2), p = signif(x$wald["pvalue"], 2)
      )
    })
    print(t(table))
    fit <- coxph(Surv(time, status) ~ age + sex + ph.ecog, data = lung)
    print(summary(fit))
    typical <- with(lung, data.frame(sex = 1:2, age = mean(age), ph.ecog = 1))
    list(table, fit, survfit(fit, newdata = typical), cox.zph(fit))
  }))
})

test_that("weights of inverse propensities, and matched pairs", {
  expect_same_script(quote({
    propensity <- fitted(glm(sex == "female" ~ age + ecog, binomial, patients))
    patients$w <- with(patients, ifelse(sex == "female", 1 / propensity, 1 / (1 - propensity)))
    patients$id <- seq_len(nrow(patients))
    fit <- coxph(Surv(time, dead) ~ sex, patients, weights = w, robust = TRUE)
    clustered <- coxph(Surv(time, dead) ~ sex + cluster(id), patients, weights = w)
    curves <- survfit(clustered, newdata = data.frame(sex = c("male", "female")))
    list(summary(fit), summary(clustered), confint(fit), vcov(clustered), curves)
  }))
  expect_same_script(quote({
    pairs <- match.data(matchit(I(sex == "female") ~ age + ecog, patients, method = "nearest"))
    summary(coxph(Surv(time, dead) ~ sex, pairs,
      weights = weights, robust = TRUE, cluster = subclass
    ))
  }), "MatchIt")
})

test_that("covariates and effects that change with time", {
  expect_same_script(quote({
    base <- subset(pbc, id <= 312, c("id", "time", "status", "age", "edema", "bili", "protime"))
    visits <- tmerge(base, base, id = id, death = event(time, status))
    visits <- tmerge(visits, pbcseq, id = id, bili = tdc(day, bili), protime = tdc(day, protime))
    fit <- coxph(Surv(tstart, tstop, death == 2) ~ log(bili) + log(protime), visits)
    by_subject <- update(fit, cluster = id)
    list(fit, summary(by_subject), cox.zph(fit))
  }))
  expect_same_script(quote({
    halves <- survSplit(Surv(time, status) ~ ., veteran, cut = c(90, 180), episode = "part")
    stepwise <- coxph(Surv(tstart, time, status) ~ trt + prior + karno:strata(part), halves)
    smooth <- coxph(Surv(time, status) ~ trt + prior + karno + tt(karno), veteran,
      tt = function(x, t, ...) x * log(t + 20)
    )
    list(summary(stepwise), cox.zph(stepwise), smooth)
  }))
})

test_that("competing risks", {
  expect_same_script(quote({
    progressed <- mgus2$pstat == 1
    rows <- transform(mgus2,
      etime = ifelse(progressed, ptime, futime),
      event = factor(ifelse(progressed, 1, 2 * death), 0:2, c("censored", "pcm", "death"))
    )
    weighted <- finegray(Surv(etime, event) ~ ., data = rows)
    subdistribution <- coxph(Surv(fgstart, fgstop, fgstatus) ~ age + sex, weighted, weights = fgwt)
    cause <- coxph(Surv(etime, event == "pcm") ~ age + sex, rows)
    both <- coxph(Surv(etime, event) ~ age + sex, rows, id = id)
    someone <- data.frame(age = 70, sex = "F")
    list(
      subdistribution, survfit(subdistribution, newdata = someone), summary(cause), both,
      summary(survfit(both, newdata = someone), times = c(12, 120))$pstate
    )
  }))
})

test_that("landmarks, each and all in one", {
  expect_same_script(quote({
    landmarks <- c(90, 180, 365)
    each <- lapply(landmarks, function(from) {
      coxph(Surv(time, dead) ~ age + sex + ecog, data = subset(patients, time > from))
    })
    rows <- do.call(rbind, lapply(landmarks, function(from) {
      transform(subset(patients, time > from),
        id = seq_along(time)[time > from], from = from, end = pmin(time, from + 365),
        event = dead * (time <= from + 365)
      )
    }))
    all <- coxph(Surv(from, end, event) ~ age + sex + strata(from) + cluster(id), rows)
    drifting <- coxph(Surv(from, end, event) ~ age + sex * from, rows,
      cluster = id, ties = "breslow"
    )
    list(lapply(each, summary), summary(all), summary(drifting))
  }))
})

test_that("splines", {
  expect_same_script(quote({
    linear <- coxph(Surv(time, status) ~ age + sex, lung)
    natural <- coxph(Surv(time, status) ~ ns(age, df = 4) + sex, lung)
    basis <- coxph(Surv(time, status) ~ bs(age, knots = c(50, 60, 70)) + sex, lung)
    square <- coxph(Surv(time, status) ~ poly(age, 2) + sex, lung)
    penalised <- coxph(Surv(time, status) ~ pspline(age, df = 3) + sex, lung)
    ages <- data.frame(age = 45:75, sex = 1)
    print(anova(linear, natural))
    list(
      predict(natural, ages, se.fit = TRUE), predict(basis, ages, type = "risk"),
      predict(square, ages, se.fit = TRUE), termplot(natural, terms = 1, se = TRUE, plot = FALSE),
      penalised, termplot(penalised, se = TRUE, plot = FALSE), AIC(linear, natural, basis, square)
    )
  }), "splines")
  expect_same_script(quote({
    fit <- coxph(Surv(time, status) ~ rcs(age, 4) + sex, lung)
    list(summary(fit), anova(fit), predict(fit, data.frame(age = 45:50, sex = 1)))
  }), c("Hmisc", "rms"))
})

test_that("strata, matched sets and nested controls", {
  expect_same_script(quote({
    fit <- coxph(Surv(time, status) ~ age + strata(sex) + ph.karno, lung)
    within <- coxph(Surv(time, status) ~ age:strata(sex) + strata(sex), lung)
    list(fit, within, survfit(fit), basehaz(fit), cox.zph(fit), predict(fit, type = "survival"))
  }))
  expect_same_script(quote({
    list(
      coxph(Surv(rep(1, nrow(infert)), case) ~ spontaneous + induced + strata(stratum), infert,
        ties = "exact"
      ),
      coxph(Surv(rep(1, nrow(infert)), case) ~ spontaneous + induced + strata(stratum), infert)
    )
  }))
  expect_same_script(quote({
    sets <- lapply(which(patients$dead == 1), function(case) {
      at_risk <- setdiff(which(patients$time >= patients$time[case]), case)
      chosen <- at_risk[sample.int(length(at_risk), min(3, length(at_risk)))]
      transform(patients[c(case, chosen), ], set = case, case = c(1, 0 * chosen), one = 1)
    })
    sampled <- do.call(rbind, sets)
    coxph(Surv(one, case) ~ age + sex + ecog + strata(set), sampled)
  }))
})

test_that("recurrent events and frailties", {
  expect_same_script(quote({
    list(
      andersen_gill = coxph(Surv(start, stop, event) ~ number + rx + cluster(id), bladder2),
      ordered = coxph(Surv(start, stop, event) ~ rx + strata(enum), bladder2, cluster = id),
      gaps = coxph(Surv(stop - start, event) ~ rx + strata(enum) + cluster(id), bladder2),
      marginal = coxph(Surv(stop, event) ~ rx * strata(enum) + cluster(id), bladder),
      frailty = coxph(Surv(start, stop, event) ~ rx + frailty(id), bladder2),
      gaussian = coxph(Surv(time, status) ~ age + frailty(id, distribution = "gaussian"), kidney)
    )
  }))
})

test_that("models made by groups, by names, in functions and in pipes", {
  expect_same_script(quote({
    by_sex <- lapply(split(lung, lung$sex), function(x) coxph(Surv(time, status) ~ age, data = x))
    formula <- Surv(time, status) ~ age + sex
    chosen <- coxph(formula, lung, subset = age > 60)
    model <- function(data, variables, ...) {
      coxph(reformulate(variables, quote(Surv(time, status))), data = data, ...)
    }
    lung$outcome <- with(lung, Surv(time, status))
    of_column <- coxph(outcome ~ ., lung[c("outcome", "age", "sex", "wt.loss")])
    list(
      by_sex, chosen, update(chosen, . ~ . + ph.karno), model(lung, "age", ties = "breslow"),
      model(lung, c("age", "strata(sex)"), x = TRUE), of_column, update(of_column, ~ . - wt.loss),
      with(lung, coxph(Surv(time, status) ~ age)),
      do.call(coxph, list(Surv(time, status) ~ age, quote(lung)))$coefficients
    )
  }))
  expect_same_script(quote({
    pipe <- lung %>%
      filter(!is.na(ph.ecog)) %>%
      coxph(Surv(time, status) ~ age + ph.ecog, data = .)
    groups <- lung %>%
      nest_by(sex) %>%
      mutate(model = list(coxph(Surv(time, status) ~ age, data = data))) %>%
      summarise(glance(model), .groups = "drop")
    tables <- lung %>%
      group_by(sex) %>%
      do(tidy(coxph(Surv(time, status) ~ age, data = .), conf.int = TRUE))
    list(pipe, tidy(pipe), groups, tables)
  }), c("tidyr", "dplyr", "broom"))
  expect_same_script(quote({
    rows <- as.data.table(lung)
    list(
      rows[, as.list(coef(coxph(Surv(time, status) ~ age))), by = sex],
      rows[sex == 1, coxph(Surv(time, status) ~ age, data = .SD)],
      coxph(Surv(time, status) ~ age, rows[age > 50])
    )
  }), "data.table")
})

test_that("validation, and risks standardised to the sample", {
  expect_same_script(quote({
    fold <- sample(rep(1:5, length.out = nrow(patients)))
    agreement <- sapply(1:5, function(k) {
      fit <- coxph(Surv(time, dead) ~ age + sex + ecog, patients[fold != k, ])
      left_out <- patients[fold == k, ]
      left_out$risk <- predict(fit, left_out)
      concordance(Surv(time, dead) ~ risk, left_out, reverse = TRUE)$concordance
    })
    fit <- coxph(Surv(time, dead) ~ sex + age + ecog, patients)
    curves <- lapply(levels(patients$sex), function(sex) {
      everyone <- transform(patients, sex = factor(sex, levels(patients$sex)))
      rowMeans(survfit(fit, newdata = everyone)$surv)
    })
    list(agreement, curves)
  }))
})

test_that("a script that tells the two apart is found out", {
  skip_if_no_python()
  expect_true(fails(expect_same_script(quote({
    length(class(coxph(Surv(time, status) ~ age, lung)))
  }))))
  expect_true(fails(expect_same_script(quote({
    cat(inherits(coxph(Surv(time, status) ~ age, lung), "coxphGPU"))
  }))))
  expect_true(fails(expect_same_script(quote({
    if (inherits(coxph(Surv(time, status) ~ age, lung), "coxphGPU")) warning("mine")
  }))))
})

# Models on survival's own data sets, as calls of coxph: by data set, each with a name
# that a failure shows.
#
# Data that a call needs beyond survival's own are made by model_data().

right_censored_models <- list(
  lung = rlang::exprs(
    "three covariates, missing rows" =
      coxph(Surv(time, status) ~ age + sex + ph.ecog, data = lung),
    "factor, Breslow, na.exclude" =
      coxph(
        Surv(time, status) ~ factor(ph.ecog) + wt.loss, lung,
        ties = "breslow", na.action = na.exclude
      ),
    "ordered factor, na.omit" =
      coxph(Surv(time, status) ~ ordered(ph.ecog) + sex, lung, na.action = na.omit),
    "subset with a log and I()" =
      coxph(
        Surv(time, status == 2) ~ log(age) + I(age > 60) + I(wt.loss^2), lung,
        subset = sex == 1
      ),
    "orthogonal polynomial" = coxph(Surv(time, status) ~ poly(age, 3) + sex, lung),
    "natural spline" = coxph(Surv(time, status) ~ splines::ns(age, df = 3) + sex, lung),
    "B-spline" = coxph(Surv(time, status) ~ splines::bs(age, df = 5), lung),
    "spline with knots as coefficients" = coxph(Surv(time, status) ~ nsk(age, df = 3), lung),
    "strata of institution" =
      coxph(Surv(time, status) ~ age + sex + strata(inst), lung),
    "several strata" =
      coxph(Surv(time, status) ~ age + wt.loss + strata(sex, ph.ecog), lung),
    "strata by covariate" = coxph(Surv(time, status) ~ age * strata(sex) + ph.karno, lung),
    "integer weights" =
      coxph(Surv(time, status) ~ age + sex, lung, weights = as.integer(1 + inst %% 3)),
    "fractional weights, robust by default" =
      coxph(Surv(time, status) ~ age + sex, lung, weights = age / 60),
    "fractional weights, not robust" =
      coxph(
        Surv(time, status) ~ age + sex, lung,
        weights = age / 60, robust = FALSE, ties = "breslow"
      ),
    "offset" = coxph(Surv(time, status) ~ sex + ph.ecog + offset(age / 50), lung),
    "cluster as an argument" =
      coxph(Surv(time, status) ~ age + sex, lung, cluster = inst),
    "cluster in the formula, strata" =
      coxph(Surv(time, status) ~ age + ph.karno + cluster(inst) + strata(sex), lung),
    "robust without a cluster" =
      coxph(Surv(time, status) ~ age + sex + wt.loss, lung, robust = TRUE),
    "id and weights" =
      coxph(
        Surv(time, status) ~ age + sex, lung,
        id = seq_along(age), weights = ph.karno / 80
      ),
    "no iterations at a start" =
      coxph(Surv(time, status) ~ age + sex, lung, init = c(0.01, -0.5), iter.max = 0),
    "one iteration" = coxph(Surv(time, status) ~ age + sex, lung, iter.max = 1),
    "too few iterations" =
      coxph(
        Surv(time, status) ~ age + sex + I(age^2), lung,
        control = coxph.control(iter.max = 2)
      ),
    "a far start" = coxph(Surv(time, status) ~ age + sex, lung, init = c(0.5, 3)),
    "collinear columns" = coxph(Surv(time, status) ~ age + I(2 * age) + sex, lung),
    "collinear columns, robust" =
      coxph(Surv(time, status) ~ sex + I(3 - sex) + age, lung, cluster = inst),
    "nocenter = NULL" = coxph(Surv(time, status) ~ age + I(sex == 2), lung, nocenter = NULL),
    "nocenter of sex" = coxph(Surv(time, status) ~ age + sex, lung, nocenter = 1:2),
    "tt() by a function" =
      coxph(
        Surv(time, status) ~ sex + tt(age), lung,
        tt = function(x, t, ...) x * log(t + 20)
      ),
    "tt() by a list, strata" =
      coxph(
        Surv(time, status) ~ tt(age) + tt(ph.ecog) + strata(sex), lung,
        tt = list(function(x, t, ...) x + t / 365, function(x, t, ...) x * (t > 200))
      ),
    "model and x kept, y not" =
      coxph(
        Surv(time, status) ~ age + factor(ph.ecog) + strata(sex), lung,
        model = TRUE, x = TRUE, y = FALSE
      ),
    "times not fixed" =
      coxph(Surv(time, status) ~ age + sex, lung, control = coxph.control(timefix = FALSE)),
    "null" = coxph(Surv(time, status) ~ 1, lung),
    "null with an offset" = coxph(Surv(time, status) ~ offset(age / 50), lung),
    "null with strata" = coxph(Surv(time, status) ~ strata(sex), lung, ties = "breslow"),
    "exact ties" = coxph(Surv(time, status) ~ age + sex, lung, ties = "exact"),
    "exact ties in months, strata, offset" =
      coxph(
        Surv(ceiling(time / 30), status) ~ age + factor(ph.ecog) + strata(sex) +
          offset(wt.loss / 99),
        lung, ties = "exact"
      ),
    "ridge()" = coxph(Surv(time, status) ~ ridge(age, ph.karno, theta = 1) + sex, lung),
    "ridge() by degrees of freedom, strata, Breslow" =
      coxph(
        Surv(time, status) ~ ridge(age, ph.karno, wt.loss, df = 2) + strata(sex), lung,
        ties = "breslow"
      ),
    "pspline()" = coxph(Surv(time, status) ~ pspline(age, df = 3) + sex, lung),
    "frailty()" = coxph(Surv(time, status) ~ age + frailty(inst), lung)
  ),
  veteran = rlang::exprs(
    "factor by treatment" = coxph(Surv(time, status) ~ trt * celltype + karno, veteran),
    "sum contrasts" = coxph(Surv(time, status) ~ celltype + karno + age, veteran_sum),
    "factor by strata" =
      coxph(Surv(time, status) ~ karno + celltype:strata(prior) + strata(prior), veteran),
    "everything" = coxph(Surv(time, status) ~ ., veteran),
    "start and stop by survSplit, strata by covariate" =
      coxph(Surv(tstart, time, status) ~ trt + prior + karno:strata(tgroup), veteran_split)
  ),
  ovarian = rlang::exprs(
    "small data" = coxph(Surv(futime, fustat) ~ age + ecog.ps + rx, ovarian),
    "infinite coefficients" =
      coxph(Surv(futime, fustat) ~ age + rx + factor(resid.ds) * factor(ecog.ps), ovarian)
  ),
  pbc = rlang::exprs(
    "logarithms and a factor" =
      coxph(
        Surv(time, status == 2) ~ log(bili) + log(protime) + age + albumin + factor(edema),
        pbc
      ),
    "strata and factors with missing rows" =
      coxph(Surv(time, status > 0) ~ factor(stage) + sex + strata(trt) + log(copper), pbc)
  ),
  colon = rlang::exprs(
    "two endpoints by patient" =
      coxph(
        Surv(time, status) ~ rx + sex + age + node4 + strata(etype) + cluster(id), colon
      ),
    "effects by endpoint" =
      coxph(
        Surv(time, status) ~ strata(etype) / (rx + surg), colon,
        cluster = id, ties = "breslow"
      ),
    "ordered and factor, deaths" =
      coxph(
        Surv(time, status) ~ ordered(extent) + factor(differ) + nodes, colon,
        subset = etype == 2
      )
  ),
  flchain = rlang::exprs(
    "log light chains, strata" =
      coxph(
        Surv(futime, death) ~ log(kappa) + log(lambda) + age + strata(sex, mgus),
        flchain, weights = 1 + (flc.grp > 8)
      ),
    "deaths of one chapter, splines" =
      coxph(
        Surv(futime, chapter %in% "Circulatory") ~ splines::ns(age, 4) * sex + creatinine,
        flchain, ties = "breslow"
      )
  ),
  kidney = rlang::exprs(
    "paired times" = coxph(Surv(time, status) ~ age + sex + disease, kidney, cluster = id),
    "gamma frailty" = coxph(Surv(time, status) ~ age + sex + frailty(id), kidney)
  ),
  rats = rlang::exprs(
    "matched litters" = coxph(Surv(time, status) ~ rx + strata(litter), rats),
    "litters of females, robust" =
      coxph(Surv(time, status) ~ rx, rats, subset = sex == "f", cluster = litter),
    "no treated male with a tumour" =
      coxph(Surv(time, status) ~ rx, rats, subset = sex == "m")
  ),
  rotterdam = rlang::exprs(
    "prognostic index" =
      coxph(
        Surv(pmin(rtime, dtime), pmax(recur, death)) ~ meno + size + factor(grade) +
          sqrt(nodes) + log(er + 1) + hormon * chemo,
        rotterdam
      )
  ),
  gbsg = rlang::exprs(
    "external index as an offset" =
      coxph(Surv(rfstime, status) ~ size + offset(log(nodes)) + strata(grade), gbsg)
  ),
  retinopathy = rlang::exprs(
    "paired eyes" = coxph(Surv(futime, status) ~ trt * type + risk, retinopathy, cluster = id),
    "each patient a stratum" =
      coxph(Surv(futime, status) ~ trt + trt:type + strata(id), retinopathy)
  ),
  diabetic = rlang::exprs(
    "laser by age" =
      coxph(
        Surv(time, status) ~ trt + laser:trt + I(age < 20), diabetic,
        cluster = id, ties = "breslow"
      )
  ),
  leukemia = rlang::exprs(
    "two groups" = coxph(Surv(time, status) ~ x, leukemia),
    "null" = coxph(Surv(time, status) ~ 1, leukemia, ties = "breslow")
  ),
  nwtco = rlang::exprs(
    "case-cohort weights" =
      coxph(
        Surv(edrel, rel) ~ factor(stage) + I(histol == 2) + I(age / 12),
        nwtco,
        subset = in.subcohort | rel == 1, weights = ifelse(rel == 1, 1, 4028 / 668),
        id = seqno, robust = TRUE
      ),
    "hundreds of ties" =
      coxph(Surv(ceiling(edrel / 365), rel) ~ factor(stage) * factor(histol), nwtco)
  ),
  logan = rlang::exprs(
    "conditional logistic" =
      coxph(Surv(rep(1, nrow(choices)), case) ~ tocc + tocc:education + strata(id),
        choices,
        ties = "breslow"
      ),
    "conditional logistic, exact" =
      coxph(
        Surv(rep(1, nrow(choices)), case) ~ tocc + tocc:education + strata(id), choices,
        ties = "exact"
      )
  )
)

counting_models <- list(
  cgd = rlang::exprs(
    "recurrent infections" =
      coxph(Surv(tstart, tstop, status) ~ treat + inherit + steroids, cgd, cluster = id),
    "hospital strata, id" =
      coxph(
        Surv(tstart, tstop, status) ~ treat + age + strata(hos.cat), cgd,
        id = id, ties = "breslow"
      ),
    "by episode, weights" =
      coxph(
        Surv(tstart, tstop, status) ~ treat * sex + poly(weight, 2) + strata(pmin(enum, 4)),
        cgd, weights = age
      ),
    "a centre without infections" =
      coxph(Surv(tstart, tstop, status) ~ treat + center, cgd, ties = "breslow"),
    "frailty()" = coxph(Surv(tstart, tstop, status) ~ treat + frailty(id), cgd)
  ),
  heart = rlang::exprs(
    "transplant by year" =
      coxph(Surv(start, stop, event) ~ (age + surgery) * transplant, heart),
    "Breslow, model kept" =
      coxph(
        Surv(start, stop, event) ~ year + strata(surgery) + age, heart,
        ties = "breslow", model = TRUE, x = TRUE
      ),
    "offset, a start" =
      coxph(
        Surv(start, stop, event) ~ transplant + offset(age / 20), heart,
        init = 0.4
      ),
    "collinear columns" =
      coxph(Surv(start, stop, event) ~ age + year + I(age + year) + transplant, heart),
    "no iterations" =
      coxph(Surv(start, stop, event) ~ age + year, heart, iter.max = 0),
    "null with an offset" = coxph(Surv(start, stop, event) ~ offset(age / 20), heart),
    "null with strata" = coxph(Surv(start, stop, event) ~ strata(transplant), heart),
    "exact ties" = coxph(Surv(start, stop, event) ~ age + transplant, heart, ties = "exact")
  ),
  jasa1 = rlang::exprs(
    "transplant and waiting" =
      coxph(Surv(start, stop, event) ~ transplant + age + surgery, jasa1, nocenter = NULL),
    "tt() with entry" =
      coxph(
        Surv(start, stop, event) ~ age + tt(year), jasa1,
        tt = function(x, t, ...) x * (t > 30)
      )
  ),
  bladder = rlang::exprs(
    "marginal model of Wei, Lin and Weissfeld" =
      coxph(Surv(stop, event) ~ (rx + size + number) * strata(enum), bladder, cluster = id),
    "Andersen and Gill" =
      coxph(Surv(start, stop, event) ~ rx + size + number, bladder2, cluster = id),
    "gap times" =
      coxph(
        Surv(stop - start, event) ~ rx + size + number + strata(enum) + cluster(id), bladder2
      ),
    "three treatments, spans of no length dropped" =
      coxph(
        Surv(start, stop, status == 1) ~ treatment + number, bladder1,
        subset = stop > start, cluster = id
      )
  ),
  pbcseq = rlang::exprs(
    "time-dependent bilirubin" =
      coxph(
        Surv(tstart, tstop, death) ~ log(bili) + albumin + factor(edema) + age, pbc_visits,
        id = id
      )
  ),
  nafld1 = rlang::exprs(
    "age as the time scale" =
      coxph(
        Surv(age, age + futime / 365.25, status) ~ male + bmi, nafld1,
        subset = futime > 0 & id %% 4 == 0
      )
  ),
  stanford2 = rlang::exprs(
    "quadratic age" = coxph(Surv(time, status) ~ age + I(age^2) + t5, stanford2)
  ),
  myeloma = rlang::exprs(
    "delayed entry" =
      coxph(Surv(entry, futime, death) ~ I(year - 80), myeloma, subset = entry < futime)
  )
)

multistate_models <- list(
  mgus2 = rlang::exprs(
    "competing risks" = coxph(Surv(t, event) ~ age + sex, mgus_competing, id = id),
    "formulas by transition" =
      coxph(
        list(Surv(t, event) ~ sex, 1:2 ~ age + hgb, 1:3 ~ age + log(creat)),
        mgus_competing, id = id, ties = "breslow"
      ),
    "a common coefficient and weights" =
      coxph(
        list(Surv(t, event) ~ sex, 1:2 + 1:3 ~ age / common),
        mgus_competing, id = id, weights = 1 + (age > 70)
      )
  ),
  myeloid = rlang::exprs(
    "illness and death" =
      coxph(Surv(tstart, tstop, event) ~ trt + sex, myeloid_states, id = id),
    "starting states given, strata" =
      coxph(
        Surv(tstart, tstop, event) ~ trt + strata(sex), myeloid_states,
        id = id, istate = from
      ),
    "statedata" =
      coxph(
        list(Surv(tstart, tstop, event) ~ trt, progressed("yes"):death(1) ~ sex),
        myeloid_states, id = id, istate = from, statedata = myeloid_statedata
      ),
    "a shared baseline" =
      coxph(
        list(Surv(tstart, tstop, event) ~ trt, 1:4 + 2:4 ~ trt / shared),
        myeloid_states, id = id, istate = from
      )
  ),
  transplant = rlang::exprs(
    "waiting list" =
      coxph(Surv(futime, event) ~ age + abo, waiting_list, id = id)
  )
)

all_models <- c(right_censored_models, counting_models, multistate_models)

# Models whose likelihood rises for ever in some direction, so that the iteration ends at
# its eps and not at a limit: their variance magnifies rounding, in coxph as here.
divergent_models <- c("infinite coefficients", "a centre without infections")

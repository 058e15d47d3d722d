# glmnet with no penalty: coordinate descent, so agreement is as good as its threshold. It has
# Breslow's rule for ties only, and no standard errors. Where a death and a censoring share a day,
# it takes the censored out first, all others last: half a day more for the censored mends that.

adapter <- list(
  name = "glmnet",
  start = function() {
    suppressPackageStartupMessages(library(glmnet))
    # its rule to stop for (start, stop] rows and strata, by default too loose to compare with
    glmnet.control(epsnr = 1e-13, mxitnr = 100)
  },
  version = function() paste("glmnet", utils::packageVersion("glmnet")),
  threads = function() 1L,
  cannot = function(case) {
    if (case$task != "fit") {
      "no function of its own for this"
    } else if (case$cluster) {
      "no robust variance"
    } else if (case$tied && case$ties == "efron") {
      "Breslow's rule for ties only"
    }
  },
  prepare = function(case, rows) {
    covariates <- grep("^x[0-9]+$", names(rows), value = TRUE)
    # its interface takes a matrix; a second column keeps it from refusing just one
    x <- as.matrix(rows[covariates])
    if (ncol(x) == 1) x <- cbind(x, zero = 0)
    y <- if (case$counting) {
      survival::Surv(rows$start, rows$stop, rows$status)
    } else {
      survival::Surv(rows$time + if (case$tied) 0.5 * (rows$status == 0) else 0, rows$status)
    }
    if (case$strata) y <- stratifySurv(y, rows$stratum)
    function() {
      fit <- glmnet(x, y, family = "cox", lambda = 0, thresh = 1e-14)
      as.double(fit$beta)[seq_along(covariates)]
    }
  },
  outcome = function(task, value) list(coefficients = value),
  tolerance = c(default = 1e-5)
)

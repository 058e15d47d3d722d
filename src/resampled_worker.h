/* What the passes over the rows, compiled once for each kind of processor, share. */
#ifndef SURVIVALGPU_RESAMPLED_WORKER_H
#define SURVIVALGPU_RESAMPLED_WORKER_H

#include "lane_moments.h"
#include "resampled_cox.h"

/* What one worker has for the eight problems in hand. */
typedef struct {
    const Resampled *job;
    const CoxData *data;
    const uint8_t *bytes;  /* n_subjects x 8 numbers of copies, or NULL */
    const double *doubles; /* n_subjects x 8 weights where they are not */
    Lanes *beta, *s, *tied, *own, *score, *mean;
    Lanes *table;           /* K x (1 + p): what enters and leaves ((start, stop] only) */
    Lanes *hazard, *spared; /* K */
    Lanes *second, *outer;  /* padded_width(p) squared */
    Lanes *coefficients, *vectors; /* a panel of terms of `outer` */
    int n_terms;
    double *rows; /* a panel of padded rows */
    Lanes risk[PANEL_ROWS];
    int64_t panel_start, panel_end;
    LaneBits limit, beyond; /* the sign bit of `beyond`: some |linear predictor| > limit */
    Lanes loglik, smallest, most;
} Worker;

/* Evaluate the problems in hand: log-likelihood, score and, if wanted, information. */
void resampled_pass_plain(Worker *worker);
void resampled_pass_avx2(Worker *worker);
void resampled_pass_avx512(Worker *worker);

#endif

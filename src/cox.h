/* What the kernels of the partial likelihood share: the data, and one event time's terms. */
#ifndef SURVIVALGPU_COX_H
#define SURVIVALGPU_COX_H

#include <math.h>

#include "kernels.h"
#include "rank_update.h"

/*
 * One data set, in the order of its risk sets (survivalgpu/risk_sets.py). Python builds
 * this struct field by field; its layout is part of the kernels' version.
 */
typedef struct {
    int64_t n;                    /* rows */
    int64_t p;                    /* covariates, at most MAX_COVARIATES */
    int64_t n_groups;             /* G */
    int64_t n_times;              /* K event times */
    const double *x1;             /* n x (1 + p), row-major, first column 1 */
    const double *offset;         /* n, or NULL */
    const double *weights;        /* n, or NULL */
    const int64_t *group_offsets; /* G + 1: rows of each group */
    const int64_t *group_lo;      /* G: first event time at risk */
    const int64_t *group_hi;      /* G: one past the last */
    const int64_t *event_offsets; /* K + 1: events of each time in event_rows */
    const int64_t *event_rows;    /* rows with an event */
    const int64_t *event_strata;  /* K: stratum of each event time */
    /* (start, stop] data only: the groups whose last (first) event time is k, for each k */
    const int64_t *last_offsets;  /* K + 1 */
    const int64_t *last_groups;   /* G */
    const int64_t *first_offsets; /* K + 1 */
    const int64_t *first_groups;  /* G */
    int64_t efron;
    int64_t n_threads;
} CoxData;

/* What an evaluation leaves behind. */
typedef struct {
    double *risk;        /* n: w exp(eta) */
    double *cumulative;  /* G: cumulative hazard of a risk of 1 over each group's range */
    double *spared;      /* K: what the tied events of a time are spared of it (Efron) */
    double *score;       /* p: without the events' own covariates */
    double *second;      /* p x p: sum of v x x' */
    double *outer;       /* p x p: what the means of the risk sets take from it */
    double *group_sums;  /* G x (1 + p), (start, stop] data only: for the kernel's own use, */
    double *changes;     /* K x (1 + p) x 2: as is this */
    /* By event time, for score residuals; all NULL where they are not wanted, and otherwise
     * the sum of second moments is left out. */
    double *hazard_means; /* K x p: the hazard increment times the mean covariates */
    double *event_means;  /* K x p: the mean that an event's covariates are compared with */
    double *spared_means; /* K x p: what tied events are spared of hazard_means */
    double log_terms;
    double largest;      /* largest |eta| */
    double smallest;     /* smallest total risk of a risk set */
    double spread;       /* largest total risk over the smallest ((start, stop] data only) */
} CoxResult;

/* One block's share of the sums over event times. */
typedef struct {
    RankUpdate second, outer;
    double *score;
    double log_terms, smallest;
} Share;

INLINE double weight_of(const CoxData *data, int64_t row)
{
    return data->weights ? data->weights[row] : 1.0;
}

/* Linear predictor of a row. */
INLINE double predictor(const CoxData *data, const double *restrict beta, int64_t row)
{
    const double *restrict x = data->x1 + row * (data->p + 1) + 1;
    double eta = data->offset ? data->offset[row] : 0.0;
    for (int64_t j = 0; j < data->p; j++) eta += x[j] * beta[j];
    return eta;
}

/*
 * Add the terms of event time k to a share. `s` is the risk set's total and its sums of
 * covariates (1 + p). Returns the hazard increment of a risk of 1.
 *
 * With h_l = 1 - f_l E0 / S0, all terms are kept relative to S0, as in ties.py. The tied
 * events' part of the information is a square completed in the mean m of the risk set:
 *   a mm' - b (me' + em') + c ee' = a (m - (b/a) e)(m - (b/a) e)' + (c - b^2/a) ee'.
 */
INLINE double add_event_time(const CoxData *data, const double *risk, int64_t k,
                             const double *restrict s, Share *share, const CoxResult *result)
{
    double *spared = result->spared + k;
    const int64_t first = data->event_offsets[k], d = data->event_offsets[k + 1] - first;
    const int p = (int)data->p;
    const double s0 = s[0];
    double mean[MAX_COVARIATES], tied[MAX_COVARIATES + 1];
    double weight = 0.0;
    for (int64_t e = first; e < first + d; e++) weight += weight_of(data, data->event_rows[e]);
    if (s0 < share->smallest) share->smallest = s0;
    for (int j = 0; j < p; j++) mean[j] = s[1 + j] / s0;
    *spared = 0.0;
    if (d == 1 || !data->efron) {
        share->log_terms += weight * log(s0);
        for (int j = 0; j < p; j++) share->score[j] -= weight * mean[j];
        add_outer(&share->outer, weight, mean);
        if (result->hazard_means)
            for (int j = 0; j < p; j++) {
                result->hazard_means[k * p + j] = weight / s0 * mean[j];
                result->event_means[k * p + j] = mean[j];
                result->spared_means[k * p + j] = 0.0;
            }
        return weight / s0;
    }
    for (int j = 0; j <= p; j++) tied[j] = 0.0;
    for (int64_t e = first; e < first + d; e++) {
        const double *restrict x1 = data->x1 + data->event_rows[e] * (p + 1);
        double r = risk[data->event_rows[e]];
        for (int j = 0; j <= p; j++) tied[j] += r * x1[j];
    }
    for (int j = 0; j <= p; j++) tied[j] /= s0;
    double phi = 0.0, excess = 0.0, a = 0.0, b = 0.0, c = 0.0, logs = 0.0;
    const double share_of_each = weight / (double)d, log_s0 = log(s0);
    for (int64_t l = 0; l < d; l++) {
        double f = (double)l / (double)d, h = 1.0 - f * tied[0], inverse = 1.0 / h;
        logs += log(h) + log_s0;
        phi += inverse;
        excess += f * inverse;
        a += inverse * inverse;
        b += f * inverse * inverse;
        c += f * f * inverse * inverse;
    }
    share->log_terms += share_of_each * logs;
    for (int j = 0; j < p; j++)
        share->score[j] += share_of_each * (excess * tied[1 + j] - phi * mean[j]);
    if (result->hazard_means)
        for (int j = 0; j < p; j++) {
            const double each = share_of_each / s0, e = tied[1 + j];
            result->hazard_means[k * p + j] = each * (a * mean[j] - b * e);
            result->event_means[k * p + j] = (phi * mean[j] - excess * e) / (double)d;
            result->spared_means[k * p + j] = each * (b * mean[j] - c * e);
        }
    for (int j = 0; j < p; j++) mean[j] -= b / a * tied[1 + j];
    add_outer(&share->outer, share_of_each * a, mean);
    add_outer(&share->outer, share_of_each * (c - b * b / a), tied + 1);
    *spared = share_of_each * excess / s0;
    for (int64_t e = first; e < first + d; e++) {
        int64_t row = data->event_rows[e];
        add_outer(&share->second, -*spared * risk[row], data->x1 + row * (p + 1) + 1);
    }
    return share_of_each * phi / s0;
}

/* Memory of one block's share: score, then the two squares. */
INLINE int64_t share_size(int p) { return p + 2 * (int64_t)padded(p) * padded(p); }

INLINE void start_share(Share *share, double *memory, int p)
{
    share->score = memory;
    start_update(&share->second, memory + p, p);
    start_update(&share->outer, memory + p + padded(p) * padded(p), p);
    share->log_terms = 0.0;
    share->smallest = INFINITY;
}

/* Add the memory of the blocks' shares up, in their order, into the result. */
void sum_shares(const double *memory, int64_t n_shares, int p, CoxResult *result);

#endif

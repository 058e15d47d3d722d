/* Concordance of a predictor with survival times, all time weights 1. */
#ifndef SURVIVALGPU_CONCORDANCE_H
#define SURVIVALGPU_CONCORDANCE_H

#include "kernels.h"

/* Python builds this struct field by field; its layout is part of the kernels' version. */
typedef struct {
    int64_t n;              /* rows, fewer than 2^29 */
    int64_t n_strata;       /* S */
    int64_t n_clusters;     /* 0 without clusters */
    const double *x;        /* n */
    const double *stop;     /* n */
    const double *start;    /* n, or NULL */
    const uint8_t *event;   /* n */
    const int64_t *strata;  /* n codes 0 .. S - 1, or NULL */
    const int64_t *cluster; /* n codes, or NULL */
    const int64_t *weights; /* n positive numbers of units, or NULL for 1; start is NULL then */
    double unit;            /* what a unit of the weights is worth */
    int64_t n_threads;
} ConcordanceData;

/*
 * Counts (S x 5: concordant, discordant, tied on x, on y, on both), Cox variance (S), sum of
 * squared influences on Somers' d (1), and each row's (n, or NULL). Returns 1 if memory ran out.
 */
int concordance_counts(const ConcordanceData *data, double *counts, double *cox_variance,
                       double *squares, double *dfbeta);

/* The same where data->start is NULL; the results are set to 0 before. */
int count_right_censored(const ConcordanceData *data, double *counts, double *cox_variance,
                         double *squares, double *dfbeta);

#endif

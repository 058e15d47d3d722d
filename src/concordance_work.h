/* What the two ways of counting pairs of (start, stop] rows share. */
#ifndef SURVIVALGPU_CONCORDANCE_WORK_H
#define SURVIVALGPU_CONCORDANCE_WORK_H

#include "concordance.h"

#define UNUSED UINT32_MAX
#define BLOCKS 64

/* Event times are numbered k = 0 .. K - 1, strata one after another. A row's code is 2 k for an
 * event at k, 2 k + 1 for a row that ends after k without one, before k + 1. */
typedef struct {
    const ConcordanceData *data;
    int64_t n_times, n_records;
    uint32_t *code;       /* n */
    uint32_t *lo;         /* n: first event time after the start */
    uint32_t *first_time; /* S + 1: first event time of each stratum */
    double *time;         /* K */
    uint32_t *dying;      /* K: events */
    int64_t *at_risk;     /* K + 1 */
    int64_t *until;       /* K + 1: events before each event time */
    uint32_t *row_at;     /* 2 n at most: the row of each place */
    int32_t *discordant;  /* n */
    int32_t *tied;        /* n, or NULL if no x is tied */
    int64_t *all;         /* n: pairs of each row, ties on y left out */
    double *cubes;        /* 2 K + 1: change of the sum of cubes, by code; NULL likewise */
    double *counts;
    double somers, pairs, *dfbeta;
    double partial[BLOCKS];
} Work;

INLINE int64_t stratum_of(const ConcordanceData *data, int64_t row)
{
    return data->strata ? data->strata[row] : 0;
}

INLINE int is_event(uint32_t code) { return !(code & 1); }

/* Event times and codes of rows without strata. Returns 1 if memory ran out. */
int number_rows_by_grid(Work *work);

/* Whether count_few_times() is the cheaper way to count. */
int has_few_times(const Work *work);

/* Discordant and tied pairs of each row, from the rows in the order of x. 1: no memory. */
int count_few_times(Work *work, const uint32_t *order, const uint32_t *rank);

#endif

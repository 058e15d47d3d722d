/* Sums for the test of proportional hazards (survivalgpu/proportional_hazards.py). */
#include <stdlib.h>
#include <string.h>

#include "kernels.h"
#include "rank_update.h"

#define MOST_BLOCKS 64
#define FEWEST_ROWS 4096

typedef struct {
    const double *x, *weights;
    int64_t n, stride, p, m, step;
    double *totals; /* n_blocks x m x padded(p) x padded(p) */
} Squares;

VECTORISED static void squares_of_block(void *context, int64_t block)
{
    const Squares *s = context;
    const int64_t start = block * s->step, square = (int64_t)padded((int)s->p) * padded((int)s->p);
    const int64_t end = start + s->step < s->n ? start + s->step : s->n;
    for (int64_t j = 0; j < s->m; j++) {
        RankUpdate update;
        start_update(&update, s->totals + (block * s->m + j) * square, (int)s->p);
        for (int64_t i = start; i < end; i++)
            add_outer(&update, s->weights[i * s->m + j], s->x + i * s->stride);
        flush_update(&update);
    }
}

/*
 * squares[j] = sum over the rows i of weights[i, j] x_i x_i', for j = 0 .. m - 1 (m x p x p).
 * Row i of `x` starts at i * stride; `weights` is n x m, row-major; p is at most
 * MAX_COVARIATES. Returns 1 if memory ran out.
 */
int weighted_squares(const double *x, int64_t n, int64_t stride, int64_t p, const double *weights,
                     int64_t m, double *squares, int n_threads)
{
    Squares s = {x, weights, n, stride, p, m, n / MOST_BLOCKS + 1, NULL};
    if (s.step < FEWEST_ROWS) s.step = FEWEST_ROWS;
    const int64_t n_blocks = (n + s.step - 1) / s.step, width = padded((int)p);
    s.totals = calloc((size_t)(n_blocks * m * width * width) + 1, sizeof(double));
    if (!s.totals) return 1;
    run_blocks(squares_of_block, &s, n_blocks, n_threads);
    memset(squares, 0, (size_t)(m * p * p) * sizeof(double));
    for (int64_t block = 0; block < n_blocks; block++)
        for (int64_t j = 0; j < m; j++) {
            const double *total = s.totals + (block * m + j) * width * width;
            for (int64_t a = 0; a < p; a++)
                for (int64_t b = a; b < p; b++)
                    squares[(j * p + a) * p + b] += total[p == 1 ? 0 : a * width + b];
        }
    for (int64_t j = 0; j < m; j++)
        for (int64_t a = 0; a < p; a++)
            for (int64_t b = 0; b < a; b++)
                squares[(j * p + a) * p + b] = squares[(j * p + b) * p + a];
    free(s.totals);
    return 0;
}

/*
 * sums[k] (n_times x p, row-major) = sum of risk[i] x_i over the rows of the groups k' >= k in
 * the stratum of k: the risk sets of right-censored data, from the last event time to the
 * first.
 */
VECTORISED void right_censored_sums(const double *x, int64_t stride, int64_t p, const double *risk,
                                    const int64_t *group_offsets, const int64_t *event_strata,
                                    int64_t n_times, double *sums)
{
    for (int64_t k = n_times - 1; k >= 0; k--) {
        double *restrict total = sums + k * p;
        if (k + 1 < n_times && event_strata[k] == event_strata[k + 1])
            memcpy(total, total + p, (size_t)p * sizeof(double));
        else
            memset(total, 0, (size_t)p * sizeof(double));
        for (int64_t i = group_offsets[k]; i < group_offsets[k + 1]; i++) {
            const double *restrict row = x + i * stride;
            for (int64_t j = 0; j < p; j++) total[j] += risk[i] * row[j];
        }
    }
}

/* The design matrix: column statistics, and rows gathered, centred and scaled. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels.h"

#define BLOCK_ROWS 16384

/* A matrix in any memory order. */
typedef struct {
    const double *x;
    int64_t n, p, row_stride, column_stride;
    const double *weights; /* n, or NULL */
    const double *centre;  /* p, or NULL for plain sums */
    double *sums;          /* n_blocks x p */
} Columns;

VECTORISED static void sum_block(void *context, int64_t block)
{
    const Columns *c = context;
    const int64_t start = block * BLOCK_ROWS, stride = c->row_stride;
    const int64_t end = start + BLOCK_ROWS < c->n ? start + BLOCK_ROWS : c->n;
    for (int64_t j = 0; j < c->p; j++) {
        const double *restrict column = c->x + j * c->column_stride;
        const double centre = c->centre ? c->centre[j] : 0.0;
        double sums[4] = {0};
        int64_t i = start;
        for (; i + 4 <= end; i += 4)
            for (int64_t lane = 0; lane < 4; lane++) {
                double value = column[(i + lane) * stride];
                if (c->centre) value = fabs(value - centre);
                sums[lane] += c->weights ? c->weights[i + lane] * value : value;
            }
        for (; i < end; i++) {
            double value = column[i * stride];
            if (c->centre) value = fabs(value - centre);
            sums[0] += c->weights ? c->weights[i] * value : value;
        }
        c->sums[block * c->p + j] = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    }
}

/* Add the sums of the blocks (n_blocks x p) up, in their order. */
static void add_blocks(const double *sums, int64_t n_blocks, int64_t p, double *totals)
{
    memset(totals, 0, (size_t)p * sizeof(double));
    for (int64_t block = 0; block < n_blocks; block++)
        for (int64_t j = 0; j < p; j++) totals[j] += sums[block * p + j];
}

/*
 * totals[j] = sum over i of w[i] x[i, j], or of w[i] |x[i, j] - centre[j]| where a centre is
 * given. Strides are in elements. Returns 1 if memory ran out.
 */
int column_sums(const double *x, int64_t n, int64_t p, int64_t row_stride, int64_t column_stride,
                const double *weights, const double *centre, double *totals, int n_threads)
{
    const int64_t n_blocks = (n + BLOCK_ROWS - 1) / BLOCK_ROWS;
    Columns c = {x, n, p, row_stride, column_stride, weights, centre, NULL};
    c.sums = malloc((size_t)(n_blocks * p + 1) * sizeof(double));
    if (!c.sums) return 1;
    run_blocks(sum_block, &c, n_blocks, n_threads);
    add_blocks(c.sums, n_blocks, p, totals);
    free(c.sums);
    return 0;
}

typedef struct {
    const double *x;
    int64_t row_stride, column_stride, n, p;
    const int64_t *order;
    double *x1;
} Gathering;

#define GATHERED_ROWS 1024

static void gather_block(void *context, int64_t block)
{
    const Gathering *g = context;
    const int64_t start = block * GATHERED_ROWS, q = g->p + 1;
    const int64_t end = start + GATHERED_ROWS < g->n ? start + GATHERED_ROWS : g->n;
    for (int64_t i = start; i < end; i++) g->x1[i * q] = 1.0;
    for (int64_t j = 0; j < g->p; j++) {
        const double *restrict column = g->x + j * g->column_stride;
        for (int64_t i = start; i < end; i++)
            g->x1[i * q + 1 + j] = column[g->order[i] * g->row_stride];
    }
}

/* x1[i] = (1, x[order[i]]), row-major, n x (1 + p). */
void gather_rows(const double *x, int64_t row_stride, int64_t column_stride, const int64_t *order,
                 int64_t n, int64_t p, double *x1, int n_threads)
{
    Gathering g = {x, row_stride, column_stride, n, p, order, x1};
    run_blocks(gather_block, &g, (n + GATHERED_ROWS - 1) / GATHERED_ROWS, n_threads);
}

/*
 * Sum, smallest and largest value of each covariate of x1 in each stratum (n_strata x p each,
 * given as 0, Inf and -Inf). `strata` is NULL where there is one.
 */
VECTORISED void stratum_ranges(const double *x1, int64_t n, int64_t p, const int64_t *strata,
                               double *sums, double *low, double *high)
{
    for (int64_t i = 0; i < n; i++) {
        const int64_t s = strata ? strata[i] : 0;
        const double *restrict x = x1 + i * (p + 1) + 1;
        double *restrict sum = sums + s * p, *restrict least = low + s * p,
                         *restrict most = high + s * p;
        for (int64_t j = 0; j < p; j++) {
            sum[j] += x[j];
            least[j] = x[j] < least[j] ? x[j] : least[j];
            most[j] = x[j] > most[j] ? x[j] : most[j];
        }
    }
}

typedef struct {
    double *x1;
    int64_t n, p;
    const int64_t *strata;
    const double *centres, *scale;
} Scaling;

VECTORISED static void scale_block(void *context, int64_t block)
{
    const Scaling *s = context;
    const int64_t start = block * BLOCK_ROWS, p = s->p;
    const int64_t end = start + BLOCK_ROWS < s->n ? start + BLOCK_ROWS : s->n;
    for (int64_t i = start; i < end; i++) {
        double *restrict x = s->x1 + i * (p + 1) + 1;
        const double *restrict centre = s->centres + (s->strata ? s->strata[i] * p : 0);
        for (int64_t j = 0; j < p; j++) x[j] = (x[j] - centre[j]) * s->scale[j];
    }
}

/* Subtract the centre of each row's stratum (n_strata x p), then multiply by `scale` (p). */
void centre_and_scale(double *x1, int64_t n, int64_t p, const int64_t *strata,
                      const double *centres, const double *scale, int n_threads)
{
    Scaling s = {x1, n, p, strata, centres, scale};
    run_blocks(scale_block, &s, (n + BLOCK_ROWS - 1) / BLOCK_ROWS, n_threads);
}

typedef struct {
    const double *x;
    int64_t q, n;
    const int64_t *rows;
    const double *weights;
    double *sums; /* n_blocks x q */
} RowSums;

VECTORISED static void add_rows(void *context, int64_t block)
{
    const RowSums *r = context;
    const int64_t start = block * BLOCK_ROWS, q = r->q;
    const int64_t end = start + BLOCK_ROWS < r->n ? start + BLOCK_ROWS : r->n;
    double *restrict sums = r->sums + block * q;
    for (int64_t j = 0; j < q; j++) sums[j] = 0.0;
    for (int64_t i = start; i < end; i++) {
        const double *restrict x = r->x + r->rows[i] * q;
        const double weight = r->weights ? r->weights[r->rows[i]] : 1.0;
        for (int64_t j = 0; j < q; j++) sums[j] += weight * x[j];
    }
}

/* totals (q) = sum over n chosen rows of w x, of a row-major matrix. 1: no memory. */
int chosen_row_sums(const double *x, int64_t q, const int64_t *rows, int64_t n,
                    const double *weights, double *totals, int n_threads)
{
    const int64_t n_blocks = (n + BLOCK_ROWS - 1) / BLOCK_ROWS;
    RowSums r = {x, q, n, rows, weights, malloc((size_t)(n_blocks * q + 1) * sizeof(double))};
    if (!r.sums) return 1;
    run_blocks(add_rows, &r, n_blocks, n_threads);
    add_blocks(r.sums, n_blocks, q, totals);
    free(r.sums);
    return 0;
}

typedef struct {
    const double *x;
    int64_t n, p, row_stride, column_stride;
    const double *beta, *offset;
    double constant, *predictors;
} Predictors;

static void predict_block(void *context, int64_t block)
{
    const Predictors *c = context;
    const int64_t start = block * GATHERED_ROWS;
    const int64_t end = start + GATHERED_ROWS < c->n ? start + GATHERED_ROWS : c->n;
    double *restrict eta = c->predictors;
    for (int64_t i = start; i < end; i++) eta[i] = 0.0;
    for (int64_t j = 0; j < c->p; j++) {
        const double *restrict column = c->x + j * c->column_stride;
        const double beta = c->beta[j];
        for (int64_t i = start; i < end; i++) eta[i] += beta * column[i * c->row_stride];
    }
    for (int64_t i = start; i < end; i++)
        eta[i] = eta[i] + (c->offset ? c->offset[i] : 0.0) - c->constant;
}

/* predictors[i] = sum over j of beta[j] x[i, j], plus the offset, less a constant. */
void linear_predictors(const double *x, int64_t n, int64_t p, int64_t row_stride,
                       int64_t column_stride, const double *beta, const double *offset,
                       double constant, double *predictors, int n_threads)
{
    Predictors c = {x, n, p, row_stride, column_stride, beta, offset, constant, predictors};
    run_blocks(predict_block, &c, (n + GATHERED_ROWS - 1) / GATHERED_ROWS, n_threads);
}

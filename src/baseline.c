/*
 * Increments of a baseline hazard at few event times, as days: one pass over right-censored
 * rows in any order. Formulas and the twin: survivalgpu/baseline.py.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sorting.h"

/* The rows are cut into this many parts, each with sums of its own. */
#define PARTS 16
#define SMALLEST_PART 16384
#define CHUNK_ROWS 64
#define CHUNK_CELLS 64

typedef struct {
    const double *x;
    int64_t n, p, row_stride, column_stride;
    const double *center;  /* p */
    const double *risk;    /* n */
    const double *weights; /* n, or NULL */
    const double *stop;    /* n */
    const uint8_t *event;  /* n */
    const int64_t *strata; /* n, or NULL */
    Grid grid;
    int64_t n_strata, n_times;
    int efron;
    int64_t part_rows, part_size;
    double *parts;      /* n_parts x part_size: rows of one chunk, then a record per cell */
    double *increments; /* n_strata x n_times x (2 + p) */
} Baseline;

/* A cell is a stratum and an event time of any stratum. Its record: sums of w r and
 * w r (x - c) over the rows that leave there, the same over its events, W and d. */
INLINE int64_t record_size(const Baseline *b) { return 2 * (1 + b->p) + 2; }

INLINE double *records_of(const Baseline *b, int64_t part)
{
    return b->parts + part * b->part_size + CHUNK_ROWS * (1 + b->p);
}

/* The covariates of some rows, centred, row by row after a 1. */
static void gather_chunk(const Baseline *b, int64_t first, int64_t last, double *restrict rows)
{
    const int64_t q = 1 + b->p;
    for (int64_t i = first; i < last; i++) rows[(i - first) * q] = 1.0;
    for (int64_t j = 0; j < b->p; j++) {
        const double *restrict column = b->x + j * b->column_stride;
        const double center = b->center[j];
        for (int64_t i = first; i < last; i++)
            rows[(i - first) * q + 1 + j] = column[i * b->row_stride] - center;
    }
}

VECTORISED static void add_row(double *restrict record, const double *restrict row, int64_t q,
                               double risk, double weight, int event)
{
    for (int64_t j = 0; j < q; j++) record[j] += risk * row[j];
    if (!event) return;
    double *restrict tied = record + q;
    for (int64_t j = 0; j < q; j++) tied[j] += risk * row[j];
    tied[q] += weight;
    tied[q + 1] += 1.0;
}

static void add_part(void *context, int64_t part)
{
    const Baseline *b = context;
    const int64_t q = 1 + b->p, start = part * b->part_rows;
    const int64_t end = start + b->part_rows < b->n ? start + b->part_rows : b->n;
    double *rows = b->parts + part * b->part_size, *records = records_of(b, part);
    memset(records, 0, (size_t)(b->part_size - CHUNK_ROWS * q) * sizeof *records);
    for (int64_t first = start; first < end; first += CHUNK_ROWS) {
        const int64_t last = first + CHUNK_ROWS < end ? first + CHUNK_ROWS : end;
        gather_chunk(b, first, last, rows);
        for (int64_t i = first; i < last; i++) {
            const int64_t time = times_at_most(&b->grid, b->stop[i]) - 1;
            if (time < 0) continue; /* at risk at no event time */
            const int64_t cell = (b->strata ? b->strata[i] * b->n_times : 0) + time;
            const double weight = b->weights ? b->weights[i] : 1.0;
            add_row(records + cell * record_size(b), rows + (i - first) * q, q,
                    weight * b->risk[i], weight, b->event[i]);
        }
    }
}

/* Add the parts up, in their order, into the first, and cumulate each stratum's risk sets
 * from its last event time. */
VECTORISED static void cumulate(const Baseline *b, int64_t n_parts)
{
    const int64_t q = 1 + b->p, size = record_size(b);
    double *total = records_of(b, 0);
    for (int64_t part = 1; part < n_parts; part++) {
        const double *restrict records = records_of(b, part);
        for (int64_t i = 0; i < b->n_strata * b->n_times * size; i++) total[i] += records[i];
    }
    for (int64_t s = 0; s < b->n_strata; s++)
        for (int64_t k = (s + 1) * b->n_times - 2; k >= s * b->n_times; k--) {
            double *restrict record = total + k * size;
            for (int64_t j = 0; j < q; j++) record[j] += record[size + j];
        }
}

/* h, v and m of one cell. */
static void add_terms(const Baseline *b, const double *restrict s, double *restrict out)
{
    const int64_t q = 1 + b->p;
    const double *restrict e = s + q;
    const double s0 = s[0], weight = e[q], d = e[q + 1];
    const int64_t terms = b->efron ? (int64_t)d : 1;
    const double each = weight / (double)terms, share = e[0] / s0;
    double phi = 0.0, a = 0.0, f_a = 0.0;
    for (int64_t l = 0; l < terms; l++) {
        const double f = (double)l / d, inverse = 1.0 / (1.0 - f * share);
        phi += inverse;
        a += inverse * inverse;
        f_a += f * inverse * inverse;
    }
    out[0] = each * phi / s0;
    out[1] = each * a / s0 / s0;
    for (int64_t j = 1; j < q; j++)
        out[1 + j] = each * (a * (s[j] / s0) - f_a * (e[j] / s0)) / s0;
}

static void add_terms_of_cells(void *context, int64_t block)
{
    const Baseline *b = context;
    const int64_t n_cells = b->n_strata * b->n_times, size = record_size(b), width = 2 + b->p;
    const double *records = records_of(b, 0);
    for (int64_t k = block * CHUNK_CELLS; k < (block + 1) * CHUNK_CELLS && k < n_cells; k++) {
        const double *record = records + k * size;
        double *out = b->increments + k * width;
        if (record[size - 1] > 0)
            add_terms(b, record, out);
        else
            memset(out, 0, (size_t)width * sizeof *out);
    }
}

/*
 * Hazard increments h, their variances v and the means m of covariates less `center` for
 * each stratum and each of the ascending distinct event times of all strata, into
 * `increments` (n_strata x n_times x (2 + p)), and the number of events of each into
 * `counts`. Strides are in elements. Returns 1 if memory ran out.
 */
int baseline_increments(const double *x, int64_t n, int64_t p, int64_t row_stride,
                        int64_t column_stride, const double *center, const double *risk,
                        const double *weights, const double *stop, const uint8_t *event,
                        const int64_t *strata, int64_t n_strata, const double *times,
                        int64_t n_times, int efron, int64_t *counts, double *increments,
                        int n_threads)
{
    Baseline b = {x, n, p, row_stride, column_stride, center, risk, weights, stop, event, strata,
                  .n_strata = n_strata, .n_times = n_times, .efron = efron,
                  .increments = increments};
    const int64_t n_cells = n_strata * n_times;
    b.part_rows = (n + PARTS - 1) / PARTS;
    if (b.part_rows < SMALLEST_PART) b.part_rows = SMALLEST_PART;
    b.part_size = CHUNK_ROWS * (1 + p) + n_cells * record_size(&b);
    const int64_t n_parts = n > 0 ? (n + b.part_rows - 1) / b.part_rows : 1;
    b.parts = malloc((size_t)(n_parts * b.part_size) * sizeof *b.parts);
    if (!b.parts || make_grid(&b.grid, times, n_times)) {
        free(b.parts);
        return 1;
    }
    run_blocks(add_part, &b, n_parts, n_threads);
    cumulate(&b, n_parts);
    run_blocks(add_terms_of_cells, &b, (n_cells + CHUNK_CELLS - 1) / CHUNK_CELLS, n_threads);
    for (int64_t k = 0; k < n_cells; k++)
        counts[k] = (int64_t)records_of(&b, 0)[(k + 1) * record_size(&b) - 1];
    free(b.grid.first);
    free(b.parts);
    return 0;
}

/*
 * Hazards of new rows, and their variances, looked up in the tables of a baseline hazard.
 * The twin: survivalgpu/expected.py.
 */
#include <stdlib.h>

#include "kernels.h"

#define PARTS 64
#define CHUNK_ROWS 256

typedef struct {
    const double *x;
    int64_t n, p, row_stride, column_stride;
    const double *center;                      /* p */
    const double *values, *vectors;            /* p; p x p: the variance's quadratic form */
    int64_t n_places;                          /* rows of the tables, K + 1 */
    const double *hazard, *variance, *rotated; /* K + 1 each; p x (K + 1) */
    const int64_t *place;                      /* n: in `hazard` */
    const int64_t *variance_place;             /* n: in the other two */
    int64_t part_rows;
    double *chunks; /* n_parts x (p + 1) x CHUNK_ROWS */
    double *out;    /* n */
} Prediction;

/* Add value (H x'q - R)^2 for one column q of the form's vectors to the rows of a chunk. */
VECTORISED static void add_square(const Prediction *f, int64_t first, int64_t m, int64_t c,
                                  const double *restrict centred, double *restrict product)
{
    const double *restrict rotated = f->rotated + c * f->n_places, value = f->values[c];
    const int64_t *restrict place = f->place + first, *restrict at = f->variance_place + first;
    double *restrict out = f->out + first;
    for (int64_t i = 0; i < m; i++) product[i] = 0.0;
    for (int64_t j = 0; j < f->p; j++) {
        const double weight = f->vectors[j * f->p + c];
        for (int64_t i = 0; i < m; i++) product[i] += weight * centred[j * CHUNK_ROWS + i];
    }
    for (int64_t i = 0; i < m; i++) {
        const double d = product[i] * f->hazard[place[i]] - rotated[at[i]];
        out[i] += value * d * d;
    }
}

static void predict_part(void *context, int64_t part)
{
    const Prediction *f = context;
    const int64_t start = part * f->part_rows;
    const int64_t end = start + f->part_rows < f->n ? start + f->part_rows : f->n;
    double *centred = f->chunks + part * (f->p + 1) * CHUNK_ROWS;
    for (int64_t first = start; first < end; first += CHUNK_ROWS) {
        const int64_t m = end - first < CHUNK_ROWS ? end - first : CHUNK_ROWS;
        for (int64_t j = 0; j < f->p; j++) {
            const double *restrict column = f->x + j * f->column_stride;
            const double center = f->center[j];
            for (int64_t i = 0; i < m; i++)
                centred[j * CHUNK_ROWS + i] = column[(first + i) * f->row_stride] - center;
        }
        for (int64_t i = 0; i < m; i++) f->out[first + i] = f->variance[f->variance_place[first + i]];
        for (int64_t c = 0; c < f->p; c++)
            add_square(f, first, m, c, centred, centred + f->p * CHUNK_ROWS);
    }
}

/*
 * out[i] = V[u] + sum over c of values[c] (H[k] (x_i - center)'q_c - R[c, u])^2 with the places
 * k = place[i] and u = variance_place[i]. Strides are in elements. Returns 1 if memory ran out.
 */
int hazard_variances(const double *x, int64_t n, int64_t p, int64_t row_stride,
                     int64_t column_stride, const double *center, const double *values,
                     const double *vectors, int64_t n_places, const double *hazard,
                     const double *variance, const double *rotated, const int64_t *place,
                     const int64_t *variance_place, double *out, int n_threads)
{
    Prediction f = {x, n, p, row_stride, column_stride, center, values, vectors, n_places, hazard,
                    variance, rotated, place, variance_place, .out = out};
    f.part_rows = ((n + PARTS - 1) / PARTS + CHUNK_ROWS - 1) / CHUNK_ROWS * CHUNK_ROWS;
    const int64_t n_parts = f.part_rows ? (n + f.part_rows - 1) / f.part_rows : 0;
    f.chunks = malloc((size_t)(n_parts * (p + 1) * CHUNK_ROWS + 1) * sizeof *f.chunks);
    if (!f.chunks) return 1;
    run_blocks(predict_part, &f, n_parts, n_threads);
    free(f.chunks);
    return 0;
}

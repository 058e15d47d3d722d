/* Score residuals from the tables by event time that an evaluation left behind. */
#include <stdlib.h>
#include <string.h>

#include "cox.h"
#include "pair.h"

#define BLOCKS 64

typedef struct {
    const CoxData *data;
    const CoxResult *result;
    const int64_t *order;
    const Pair *before; /* (K + 1) x p: hazard_means of all earlier event times */
    double *residuals;
    int64_t group_step, time_step;
} Work;

/* What all rows at risk share: -r (x Lambda - Q), Q the sum of hazard_means over the range. */
VECTORISED static void groups_of_block(void *context, int64_t block)
{
    const Work *work = context;
    const CoxData *data = work->data;
    const int64_t p = data->p, start = block * work->group_step;
    const int64_t end =
        start + work->group_step < data->n_groups ? start + work->group_step : data->n_groups;
    double sums[MAX_COVARIATES];
    for (int64_t g = start; g < end; g++) {
        const Pair *restrict from = work->before + data->group_lo[g] * p;
        const Pair *restrict to = work->before + data->group_hi[g] * p;
        const double hazard = work->result->cumulative[g];
        for (int64_t j = 0; j < p; j++)
            sums[j] = add_pair(to[j], (Pair){-from[j].high, -from[j].low}).high;
        for (int64_t i = data->group_offsets[g]; i < data->group_offsets[g + 1]; i++) {
            const double *restrict x = data->x1 + i * (p + 1) + 1;
            double *restrict residual = work->residuals + work->order[i] * p;
            const double r = work->result->risk[i] / weight_of(data, i);
            for (int64_t j = 0; j < p; j++) residual[j] = -r * (x[j] * hazard - sums[j]);
        }
    }
}

/* What the events add: x - mean, and what ties spare them. */
VECTORISED static void events_of_block(void *context, int64_t block)
{
    const Work *work = context;
    const CoxData *data = work->data;
    const CoxResult *result = work->result;
    const int64_t p = data->p, start = block * work->time_step;
    const int64_t end =
        start + work->time_step < data->n_times ? start + work->time_step : data->n_times;
    for (int64_t k = start; k < end; k++) {
        const double *restrict mean = result->event_means + k * p;
        const double *restrict spared = result->spared_means + k * p;
        for (int64_t e = data->event_offsets[k]; e < data->event_offsets[k + 1]; e++) {
            const int64_t i = data->event_rows[e];
            const double *restrict x = data->x1 + i * (p + 1) + 1;
            double *restrict residual = work->residuals + work->order[i] * p;
            const double r = result->risk[i] / weight_of(data, i);
            for (int64_t j = 0; j < p; j++)
                residual[j] += x[j] - mean[j] + r * (x[j] * result->spared[k] - spared[j]);
        }
    }
}

/*
 * residuals[order[i]] (p each, row-major) of the rows ever at risk; the others are left alone.
 * `result` is of an evaluation that was asked for the tables by event time. Returns 1 if
 * memory ran out.
 */
int cox_score_residuals(const CoxData *data, const CoxResult *result,
                        const int64_t *order, double *residuals)
{
    const int64_t p = data->p, n_times = data->n_times;
    Pair *before = malloc((size_t)((n_times + 1) * p + 1) * sizeof *before);
    if (!before) return 1;
    for (int64_t j = 0; j < p; j++) before[j] = (Pair){0.0, 0.0};
    for (int64_t k = 0; k < n_times; k++)
        for (int64_t j = 0; j < p; j++)
            before[(k + 1) * p + j] =
                add_double(before[k * p + j], result->hazard_means[k * p + j]);
    Work work = {data, result, order, before, residuals, data->n_groups / BLOCKS + 1,
                 n_times / BLOCKS + 1};
    run_blocks(groups_of_block, &work, (data->n_groups + work.group_step - 1) / work.group_step,
               (int)data->n_threads);
    run_blocks(events_of_block, &work, (n_times + work.time_step - 1) / work.time_step,
               (int)data->n_threads);
    free(before);
    return 0;
}

/* totals[codes[i]] += rows[i], p each, in the order of the rows. */
VECTORISED void add_rows_by_code(const double *rows, int64_t n, int64_t p, const int64_t *codes,
                                 double *totals)
{
    for (int64_t i = 0; i < n; i++) {
        double *restrict total = totals + codes[i] * p;
        for (int64_t j = 0; j < p; j++) total[j] += rows[i * p + j];
    }
}

/* Martingale residuals from what an evaluation left behind. */
#include "cox.h"

typedef struct {
    const CoxData *data;
    const CoxResult *result;
    const int64_t *order;
    double *residuals;
    int64_t step;
} Work;

static void rows_of_block(void *context, int64_t block)
{
    const Work *work = context;
    const CoxData *data = work->data;
    const int64_t start = block * work->step;
    const int64_t end = start + work->step < data->n_groups ? start + work->step : data->n_groups;
    for (int64_t g = start; g < end; g++)
        for (int64_t i = data->group_offsets[g]; i < data->group_offsets[g + 1]; i++)
            work->residuals[work->order[i]] =
                -(work->result->risk[i] / weight_of(data, i)) * work->result->cumulative[g];
}

/*
 * residuals[order[i]] = delta_i - r_i Lambda_i for the rows ever at risk; the others are
 * left alone.
 */
void cox_martingale(const CoxData *data, const CoxResult *result, const int64_t *order,
                    double *residuals)
{
    Work work = {data, result, order, residuals, data->n_groups / 64 + 1};
    run_blocks(rows_of_block, &work, (data->n_groups + work.step - 1) / work.step,
               (int)data->n_threads);
    for (int64_t k = 0; k < data->n_times; k++)
        for (int64_t e = data->event_offsets[k]; e < data->event_offsets[k + 1]; e++) {
            int64_t i = data->event_rows[e];
            residuals[order[i]] +=
                1.0 + result->risk[i] / weight_of(data, i) * result->spared[k];
        }
}

/*
 * Partial likelihood of one data set under many sets of weights of its subjects.
 *
 * As many sets of weights as fit a vector of the processor, one to a lane, are carried over
 * all rows by one worker; nothing depends on which others share the vector, nor on the number
 * of workers. First the event times are passed from the last to the first, with the sums over
 * the risk sets (right-censored data: cumulated; (start, stop] data: tables by event time of
 * what enters and leaves, then cumulated). If the information is wanted, the second moments
 * follow from the cumulative hazard. Risks are computed again for that: reading them back
 * would take longer. The formulas are those of survivalgpu/partial_likelihood.py.
 */
#include "resampled_cox.h"

#include <stdlib.h>

#include "lane_moments.h"

/* Fewer workers take more time, not more memory. */
#define MOST_MEMORY ((int64_t)1 << 30)
/* Memory is aligned to, and a multiple of, the longest vector. */
#define LONGEST (SIDE_BY_SIDE * sizeof(double))

/* The worker for the processor that this runs on. */
static void (*best_worker(void))(void *, int64_t)
{
#ifdef PASS_BY_PROCESSOR
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
        return resampled_work_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return resampled_work_avx2;
#endif
    return resampled_work_plain;
}

/* Bytes of one worker's tables (see set_up() in resampled_worker.h), with longest vectors. */
static int64_t memory_of_worker(const CoxData *data)
{
    const int64_t width = padded_width((int)data->p), q = data->p + 1;
    const int64_t table = data->last_offsets ? data->n_times * q : 0;
    const int64_t vectors =
        6 * q + table + 2 * data->n_times + 2 * width * width + PANEL_ROWS * (width + 1);
    return (vectors + PANEL_ROWS * width / SIDE_BY_SIDE) * (int64_t)LONGEST;
}

int cox_resampled(Resampled *job)
{
    int64_t n_workers = job->data->n_threads < job->n_tasks ? job->data->n_threads : job->n_tasks;
    job->memory_size = memory_of_worker(job->data);
    if (n_workers > MOST_MEMORY / job->memory_size) n_workers = MOST_MEMORY / job->memory_size;
    if (n_workers < 1) n_workers = 1;
    char *memory = malloc((size_t)(n_workers * job->memory_size) + LONGEST);
    if (!memory) return 1;
    job->memory = memory + LONGEST - (uintptr_t)memory % LONGEST;
    job->next = 0;
    run_blocks(best_worker(), job, n_workers, (int)n_workers);
    free(memory);
    return 0;
}

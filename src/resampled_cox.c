/*
 * Partial likelihood of one data set under many sets of weights of its subjects.
 *
 * Eight sets of weights at a time, one to a lane, are carried over all rows by one worker;
 * nothing depends on which others share the lanes, nor on the number of workers. First the
 * event times are passed from the last to the first, with the sums over the risk sets
 * (right-censored data: cumulated; (start, stop] data: tables by event time of what enters
 * and leaves, then cumulated). If the information is wanted, the second moments follow from
 * the cumulative hazard. Risks are computed again for that: reading them back would take
 * longer. The formulas are those of survivalgpu/partial_likelihood.py.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "resampled_worker.h"

/* A risk set's total below this has no reciprocal. */
#define SMALLEST_TOTAL 1e-300
/* Largest |linear predictor|: where survival recentres, and where sums could overflow. */
#define LARGEST_COUNTING 200.0
#define LARGEST_RIGHT_CENSORED 600.0
/* Sums of (start, stop] data lose too many digits beyond this ratio of totals. */
#define LARGEST_SPREAD 0x1p24
/* A diagonal element below this share of its second moment is what cancellation left. */
#define CANCELLED 1e-13
/* ---- eight problems, and all of them ---------------------------------------------------- */

static int64_t lanes_of_worker(const CoxData *data)
{
    const int64_t width = padded_width((int)data->p), q = data->p + 1;
    const int64_t table = data->last_offsets ? data->n_times * q : 0;
    return 6 * q + table + 2 * data->n_times + 2 * width * width + PANEL_ROWS * (width + 1) +
           PANEL_ROWS * width / N_LANES + 1;
}

static void set_up(Worker *worker, const Resampled *job, Lanes *memory)
{
    const CoxData *data = job->data;
    const int64_t width = padded_width((int)data->p), q = data->p + 1;
    worker->job = job;
    worker->data = data;
    worker->beta = memory;
    worker->s = worker->beta + q;
    worker->tied = worker->s + q;
    worker->own = worker->tied + q;
    worker->score = worker->own + q;
    worker->mean = worker->score + q;
    worker->hazard = worker->mean + q;
    worker->spared = worker->hazard + data->n_times;
    worker->second = worker->spared + data->n_times;
    worker->outer = worker->second + width * width;
    worker->coefficients = worker->outer + width * width;
    worker->vectors = worker->coefficients + PANEL_ROWS;
    worker->rows = (double *)(worker->vectors + PANEL_ROWS * width);
    Lanes *end = worker->vectors + PANEL_ROWS * width + PANEL_ROWS * width / N_LANES + 1;
    worker->table = data->last_offsets ? end : NULL;
    /* the padding of vectors stays 0 */
    memset(worker->vectors, 0, (size_t)(end - worker->vectors) * sizeof *end);
}

static void start_problems(Worker *worker, int64_t task)
{
    const Resampled *job = worker->job;
    const int p = (int)worker->data->p, width = padded_width(p);
    const int64_t subjects = task * job->n_subjects * N_LANES;
    worker->bytes = job->bytes ? job->bytes + subjects : NULL;
    worker->doubles = job->doubles ? job->doubles + subjects : NULL;
    for (int j = 0; j < p; j++) {
        for (int lane = 0; lane < N_LANES; lane++)
            worker->beta[j][lane] = job->beta[(task * N_LANES + lane) * p + j];
        worker->own[j] = worker->score[j] = ALL(0.0);
    }
    memset(worker->second, 0, 2 * (size_t)(width * width) * sizeof *worker->second);
    worker->n_terms = 0;
    worker->loglik = worker->most = ALL(0.0);
    worker->beyond = (LaneBits){0};
    worker->limit =
        (LaneBits)ALL(worker->table ? LARGEST_COUNTING : LARGEST_RIGHT_CENSORED);
    worker->smallest = ALL(INFINITY);
}

static void store_information(const Worker *worker, int lane, double *information)
{
    const int p = (int)worker->data->p, width = padded_width(p);
    for (int i = 0; i < p; i++)
        for (int j = i; j < p; j++) {
            const double second = worker->second[i * width + j][lane];
            double left = second - worker->outer[i * width + j][lane];
            if (i == j && fabs(left) < CANCELLED * second) left = 0.0;
            information[i * p + j] = information[j * p + i] = left;
        }
}

static void store_problems(const Worker *worker, int64_t task)
{
    const Resampled *job = worker->job;
    const int p = (int)worker->data->p, counting = worker->table != NULL;
    for (int lane = 0; lane < N_LANES; lane++) {
        const int64_t problem = task * N_LANES + lane;
        const double smallest = worker->smallest[lane];
        double loglik = worker->loglik[lane];
        for (int j = 0; j < p; j++) {
            loglik += worker->own[j][lane] * worker->beta[j][lane];
            job->score[problem * p + j] = worker->own[j][lane] + worker->score[j][lane];
        }
        job->loglik[problem] = loglik;
        job->sound[problem] = smallest >= SMALLEST_TOTAL && worker->beyond[lane] >= 0 &&
                              (!counting || worker->most[lane] <= LARGEST_SPREAD * smallest);
        if (job->information)
            store_information(worker, lane, job->information + problem * p * p);
    }
}

/* The pass for the processor that this runs on. */
static void (*best_pass(void))(Worker *)
{
#ifdef PASS_BY_PROCESSOR
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
        return resampled_pass_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return resampled_pass_avx2;
#endif
    return resampled_pass_plain;
}

static void work(void *context, int64_t number)
{
    Resampled *job = context;
    void (*const pass)(Worker *) = best_pass();
    Worker worker;
    set_up(&worker, job, (Lanes *)job->memory + number * lanes_of_worker(job->data));
    for (;;) {
        const int64_t task = __atomic_fetch_add(&job->next, 1, __ATOMIC_RELAXED);
        if (task >= job->n_tasks) return;
        start_problems(&worker, task);
        pass(&worker);
        store_problems(&worker, task);
    }
}

int cox_resampled(Resampled *job)
{
    int64_t n_workers = job->data->n_threads < job->n_tasks ? job->data->n_threads : job->n_tasks;
    if (n_workers < 1) n_workers = 1;
    const size_t size = (size_t)(n_workers * lanes_of_worker(job->data)) * sizeof(Lanes);
    char *memory = malloc(size + sizeof(Lanes));
    if (!memory) return 1;
    /* Lanes want to be aligned to their size */
    job->memory = memory + sizeof(Lanes) - (uintptr_t)memory % sizeof(Lanes);
    job->next = 0;
    run_blocks(work, job, n_workers, (int)n_workers);
    free(memory);
    return 0;
}

/*
 * Random draws of replicates: bootstrap counts, exponential weights, permutations.
 *
 * Draw i of replicate b is a function of (seed, purpose, b, i) alone, by the mixing function
 * of SplitMix64 (Steele, Lea and Flood 2014), so that draws are the same in any order, on any
 * number of threads, and in the twin in survivalgpu/resampling/random_bits.py.
 */
#include "draws.h"
#include "large.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One cache line of counts: replicates are drawn one by one and written side by side. */
#define SIDE_BY_SIDE 16

typedef struct {
    uint64_t base;
    int64_t first, n_replicates, n_subjects;
    Strata strata;
    int64_t n_tasks, next;
    char *scratch; /* scratch_size bytes to each worker */
    int64_t scratch_size;
    void *out;
} Draws;

/* Each worker has its own scratch and takes tasks until there are none. */
INLINE int64_t next_task(Draws *draws)
{
    return __atomic_fetch_add(&draws->next, 1, __ATOMIC_RELAXED);
}

/* Replicates of the task that starts at one. */
INLINE int64_t width_of(const Draws *draws, int64_t start)
{
    const int64_t left = draws->n_replicates - start;
    return left < SIDE_BY_SIDE ? left : SIDE_BY_SIDE;
}

static int run_workers(void (*work)(void *, int64_t), Draws *draws, int n_threads)
{
    int64_t n_workers = n_threads < draws->n_tasks ? n_threads : draws->n_tasks;
    if (n_workers < 1) n_workers = 1;
    draws->scratch = large_malloc((size_t)(n_workers * draws->scratch_size));
    if (!draws->scratch) return 1;
    run_blocks(work, draws, n_workers, (int)n_workers);
    free(draws->scratch);
    return 0;
}

/* Draw i falls on a subject of the stratum of subject i. */
VECTORISED static void count_draws(const Draws *draws, uint64_t key, int32_t *restrict counts)
{
    const Strata *strata = &draws->strata;
    const int64_t n = draws->n_subjects;
    memset(counts, 0, (size_t)n * sizeof *counts);
    if (!strata->codes) {
        const double size = (double)n;
        for (int64_t i = 0; i < n; i++) counts[(int64_t)(uniform(key, i) * size)]++;
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        const int32_t *range = strata->offsets + strata->codes[i];
        int64_t drawn = range[0] + (int64_t)(uniform(key, i) * (double)(range[1] - range[0]));
        counts[strata->members[drawn]]++;
    }
}

static void count_replicates(void *context, int64_t worker)
{
    Draws *draws = context;
    const int64_t n = draws->n_subjects, n_replicates = draws->n_replicates;
    int32_t *counts = (int32_t *)(draws->scratch + worker * draws->scratch_size);
    for (int64_t task; (task = next_task(draws)) < draws->n_tasks;) {
        const int64_t start = task * SIDE_BY_SIDE, width = width_of(draws, start);
        for (int64_t b = 0; b < width; b++)
            count_draws(draws, stream(draws->base, draws->first + start + b), counts + b * n);
        for (int64_t i = 0; i < n; i++) {
            int32_t *restrict row = (int32_t *)draws->out + i * n_replicates + start;
            for (int64_t b = 0; b < width; b++) row[b] = counts[b * n + i];
        }
    }
}

/* counts (n_subjects x n_replicates): how often each subject is drawn. 1: no memory. */
int draw_counts(int64_t base, int64_t first, int64_t n_replicates, int64_t n_subjects,
                const int32_t *codes, const int32_t *offsets, const int32_t *members,
                int32_t *counts, int n_threads)
{
    Draws draws = {.base = (uint64_t)base, .first = first, .n_replicates = n_replicates,
                   .n_subjects = n_subjects, .strata = {codes, offsets, members},
                   .n_tasks = (n_replicates + SIDE_BY_SIDE - 1) / SIDE_BY_SIDE, .out = counts};
    draws.scratch_size = SIDE_BY_SIDE * n_subjects * (int64_t)sizeof(int32_t);
    return run_workers(count_replicates, &draws, n_threads);
}

static void write_exponentials(void *context, int64_t worker)
{
    Draws *draws = context;
    const int64_t n = draws->n_subjects, n_replicates = draws->n_replicates;
    double *values = (double *)(draws->scratch + worker * draws->scratch_size);
    for (int64_t task; (task = next_task(draws)) < draws->n_tasks;) {
        const int64_t start = task * SIDE_BY_SIDE, width = width_of(draws, start);
        for (int64_t b = 0; b < width; b++) {
            const uint64_t key = stream(draws->base, draws->first + start + b);
            for (int64_t i = 0; i < n; i++)
                values[b * n + i] = -log(open_uniform(key, i));
        }
        for (int64_t i = 0; i < n; i++) {
            double *restrict row = (double *)draws->out + i * n_replicates + start;
            for (int64_t b = 0; b < width; b++) row[b] = values[b * n + i];
        }
    }
}

/* values (n_subjects x n_replicates): independent exponentials of mean 1. 1: no memory. */
int draw_exponentials(int64_t base, int64_t first, int64_t n_replicates, int64_t n_subjects,
                      double *values, int n_threads)
{
    Draws draws = {.base = (uint64_t)base, .first = first, .n_replicates = n_replicates,
                   .n_subjects = n_subjects, .out = values,
                   .n_tasks = (n_replicates + SIDE_BY_SIDE - 1) / SIDE_BY_SIDE};
    draws.scratch_size = SIDE_BY_SIDE * n_subjects * (int64_t)sizeof(double);
    return run_workers(write_exponentials, &draws, n_threads);
}

static void permute_replicates(void *context, int64_t worker)
{
    Draws *draws = context;
    const int64_t n = draws->n_subjects;
    char *scratch = draws->scratch + worker * draws->scratch_size;
    for (int64_t b; (b = next_task(draws)) < draws->n_tasks;)
        permute(stream(draws->base, draws->first + b), n, &draws->strata, scratch,
                (int32_t *)draws->out + b * n);
}

/* donors (n_replicates x n_subjects): see permute(). 1: no memory. */
int draw_permutations(int64_t base, int64_t first, int64_t n_replicates, int64_t n_subjects,
                      int64_t n_strata, const int32_t *offsets, const int32_t *members,
                      int32_t *donors, int n_threads)
{
    Draws draws = {.base = (uint64_t)base, .first = first, .n_replicates = n_replicates,
                   .n_subjects = n_subjects, .strata = {NULL, offsets, members, n_strata},
                   .n_tasks = n_replicates, .out = donors};
    draws.scratch_size = permutation_scratch(n_subjects);
    return run_workers(permute_replicates, &draws, n_threads);
}

/*
 * Score statistics of permuted covariates.
 *
 * Risks and hazards are those of the null model and stay as they are: a permutation takes
 * one pass over the rows. In right-censored data it goes from the last risk set to the first,
 * which grows row by row. In (start, stop] data rows are summed by group, which enters the
 * risk sets, seen from the last, at its last event time and leaves them before its first.
 * LANES permutations share a
 * pass, one to a lane of the vector registers, so that rows are read and event times are
 * recognised once for all of them.
 */
#include <stdlib.h>
#include <string.h>

#include "draws.h"
#include "large.h"

#define LANES 8
#define BLOCK_ROWS 128

/* One term; Python builds this field by field, see survivalgpu/resampling/compiled_scores.py. */
typedef struct {
    int64_t q;                   /* columns */
    int64_t n_loads;             /* what each column is multiplied with and summed */
    const double *values;        /* n_subjects x q */
    const double *loads;         /* n x n_loads */
    const double *weighted_risk; /* n */
    const double *expected;      /* n: weighted expected events */
    const double *tied_risk;     /* n: weighted risk of tied events, else 0; or NULL */
    const double *tables;        /* n_times x 4: 1 / S0, and a, b, c of ties.py */
    double *sums;                /* n_replicates x q x n_loads */
    double *squares;             /* n_replicates x q x q */
} PermutedTerm;

typedef struct {
    int64_t n, n_times, n_groups, n_subjects, n_terms, n_strata, n_replicates, n_threads;
    const int64_t *group_offsets, *event_strata;
    const int64_t *group_lo, *group_hi; /* (start, stop] data, else NULL */
    const int32_t *subject_of_row; /* n, or NULL where row i is subject i */
    const int32_t *offsets, *members; /* of the strata within which to permute: draws.h */
    const int32_t *donors;            /* n_replicates x n_subjects, or NULL to draw them */
    const PermutedTerm *terms;
} PermutedRows;

typedef struct {
    const PermutedRows *rows;
    uint64_t base;
    int64_t first, n_tasks, next, scratch_size;
    char *scratch;
} Work;

/* Sums of one task's lanes; each number is LANES numbers. */
typedef struct {
    double *x;       /* BLOCK_ROWS x q: the permuted values of a block of rows */
    double *sums;    /* q x n_loads */
    double *squares; /* q x q */
    double *at_risk; /* q: sum over the risk set, or over a group */
    double *tied;    /* q: sum over the tied events */
    double *changes; /* n_times x 2 q, (start, stop] data: of the two above */
} Lanes;

/* Numbers, but for x, that start as 0. */
INLINE int64_t sums_size(const PermutedRows *rows, int64_t q, int64_t n_loads)
{
    return LANES * (q * n_loads + q * q + 2 * q + (rows->group_hi ? 2 * q * rows->n_times : 0));
}

INLINE int64_t lanes_size(const PermutedRows *rows, int64_t q, int64_t n_loads)
{
    return LANES * q * BLOCK_ROWS + sums_size(rows, q, n_loads);
}

INLINE void set_lanes(const PermutedRows *rows, Lanes *lanes, double *memory, int64_t q,
                      int64_t n_loads)
{
    lanes->x = memory;
    lanes->sums = lanes->x + LANES * q * BLOCK_ROWS;
    lanes->squares = lanes->sums + LANES * q * n_loads;
    lanes->at_risk = lanes->squares + LANES * q * q;
    lanes->tied = lanes->at_risk + LANES * q;
    lanes->changes = lanes->tied + LANES * q;
    memset(lanes->sums, 0, (size_t)sums_size(rows, q, n_loads) * sizeof(double));
}

/* The values of rows first .. first + size - 1 under each lane's permutation. */
INLINE void gather_values(const PermutedRows *rows, const PermutedTerm *term, int64_t first,
                          int64_t size, const int32_t *const *donors, double *restrict x)
{
    const int64_t q = term->q;
    const int32_t *restrict subjects = rows->subject_of_row;
    const double *restrict values = term->values;
    int32_t from[BLOCK_ROWS];
    for (int b = 0; b < LANES; b++) {
        const int32_t *restrict donor = donors[b];
        /* the next block, which stands before this one: processors look ahead only forwards */
        if (!subjects && first >= BLOCK_ROWS)
            for (int64_t i = 0; i < BLOCK_ROWS; i += 16)
                __builtin_prefetch(donor + first - BLOCK_ROWS + i);
        if (subjects)
            for (int64_t i = 0; i < size; i++) from[i] = donor[subjects[first + i]];
        else
            for (int64_t i = 0; i < size; i++) from[i] = donor[first + i];
        if (q == 1) {
            for (int64_t i = 0; i < size; i++) x[i * LANES + b] = values[from[i]];
            continue;
        }
        for (int64_t i = 0; i < size; i++)
            for (int64_t j = 0; j < q; j++)
                x[(i * q + j) * LANES + b] = values[from[i] * q + j];
    }
}

/* What the means at event time k take from the second moments. */
INLINE void pass_event_time(const double *restrict table, int64_t q, int tied, const Lanes *lanes)
{
    const double scale = table[0], a = table[1] * scale * scale;
    const double b = table[2] * scale * scale, c = table[3] * scale * scale;
    for (int64_t j = 0; j < q; j++) {
        const double *restrict sj = lanes->at_risk + j * LANES;
        const double *restrict ej = lanes->tied + j * LANES;
        for (int64_t l = 0; l <= j; l++) {
            const double *restrict sl = lanes->at_risk + l * LANES;
            const double *restrict el = lanes->tied + l * LANES;
            double *restrict square = lanes->squares + (j * q + l) * LANES;
            for (int i = 0; i < LANES; i++) square[i] -= a * sj[i] * sl[i];
            if (tied)
                for (int i = 0; i < LANES; i++)
                    square[i] += b * (sj[i] * el[i] + ej[i] * sl[i]) - c * ej[i] * el[i];
        }
    }
    if (tied)
        for (int64_t i = 0; i < q * LANES; i++) lanes->tied[i] = 0.0;
}

INLINE void add_row(const PermutedTerm *term, int64_t row, const double *restrict x, int64_t q,
                    int64_t n_loads, int tied, const Lanes *lanes)
{
    const double risk = term->weighted_risk[row], expected = term->expected[row];
    const double *restrict loads = term->loads + row * n_loads;
    for (int64_t j = 0; j < q; j++) {
        const double *restrict xj = x + j * LANES;
        double *restrict at_risk = lanes->at_risk + j * LANES;
        for (int i = 0; i < LANES; i++) at_risk[i] += risk * xj[i];
        for (int64_t l = 0; l < n_loads; l++) {
            double *restrict sum = lanes->sums + (j * n_loads + l) * LANES;
            for (int i = 0; i < LANES; i++) sum[i] += loads[l] * xj[i];
        }
        for (int64_t l = 0; l <= j; l++) {
            const double *restrict xl = x + l * LANES;
            double *restrict square = lanes->squares + (j * q + l) * LANES;
            for (int i = 0; i < LANES; i++) square[i] += expected * xj[i] * xl[i];
        }
        if (tied) {
            const double tied_risk = term->tied_risk[row];
            double *restrict e = lanes->tied + j * LANES;
            for (int i = 0; i < LANES; i++) e[i] += tied_risk * xj[i];
        }
    }
}

/* Whether event time k is the first of its stratum. */
INLINE int starts_stratum(const PermutedRows *rows, int64_t k)
{
    return k == 0 || rows->event_strata[k - 1] != rows->event_strata[k];
}

INLINE void reset(double *restrict lanes, int64_t q)
{
    for (int64_t i = 0; i < q * LANES; i++) lanes[i] = 0.0;
}

/* A group's sums to the event times between which it is at risk. */
INLINE void leave_group(const PermutedRows *rows, int64_t group, int64_t q, int tied,
                        const Lanes *lanes)
{
    const int64_t lo = rows->group_lo[group], width = 2 * q * LANES;
    double *restrict enters = lanes->changes + (rows->group_hi[group] - 1) * width;
    for (int64_t i = 0; i < q * LANES; i++) enters[i] += lanes->at_risk[i];
    if (!starts_stratum(rows, lo)) {
        double *restrict leaves = lanes->changes + (lo - 1) * width;
        for (int64_t i = 0; i < q * LANES; i++) leaves[i] -= lanes->at_risk[i];
    }
    reset(lanes->at_risk, q);
    if (!tied) return;
    for (int64_t i = 0; i < q * LANES; i++) enters[q * LANES + i] += lanes->tied[i];
    reset(lanes->tied, q);
}

INLINE void leave_event_time(const PermutedRows *rows, const PermutedTerm *term, int64_t k,
                             int64_t q, int tied, const Lanes *lanes)
{
    pass_event_time(term->tables + 4 * k, q, tied, lanes);
    if (starts_stratum(rows, k)) reset(lanes->at_risk, q);
}

/* (start, stop] data: the event times, after all groups. */
INLINE void pass_changes(const PermutedRows *rows, const PermutedTerm *term, int64_t q, int tied,
                         const Lanes *lanes)
{
    for (int64_t k = rows->n_times - 1; k >= 0; k--) {
        const double *restrict changes = lanes->changes + k * 2 * q * LANES;
        for (int64_t i = 0; i < q * LANES; i++) lanes->at_risk[i] += changes[i];
        if (tied)
            for (int64_t i = 0; i < q * LANES; i++) lanes->tied[i] = changes[q * LANES + i];
        leave_event_time(rows, term, k, q, tied, lanes);
    }
}

INLINE void pass_rows(const PermutedRows *rows, const PermutedTerm *term,
                      const int32_t *const *donors, int64_t q, int64_t n_loads, int tied,
                      const Lanes *lanes)
{
    int64_t group = rows->n_groups - 1;
    for (int64_t end = rows->n; end > 0; end -= BLOCK_ROWS) {
        const int64_t first = end > BLOCK_ROWS ? end - BLOCK_ROWS : 0;
        gather_values(rows, term, first, end - first, donors, lanes->x);
        for (int64_t row = end - 1; row >= first; row--) {
            add_row(term, row, lanes->x + (row - first) * q * LANES, q, n_loads, tied, lanes);
            if (row != rows->group_offsets[group]) continue;
            if (rows->group_hi)
                leave_group(rows, group, q, tied, lanes);
            else /* right-censored: the group is that of an event time */
                leave_event_time(rows, term, group, q, tied, lanes);
            group--;
        }
    }
    if (rows->group_hi) pass_changes(rows, term, q, tied, lanes);
}

VECTORISED static void pass_term(const PermutedRows *rows, const PermutedTerm *term,
                                 const int32_t *const *donors, double *memory, int64_t start)
{
    const int64_t q = term->q, n_loads = term->n_loads;
    const int tied = term->tied_risk != NULL;
    const int64_t left = rows->n_replicates - start;
    Lanes lanes;
    set_lanes(rows, &lanes, memory, q, n_loads);
    /* the usual sizes as constants, for the compiler to unroll */
    if (q == 1 && n_loads == 1 && !tied)
        pass_rows(rows, term, donors, 1, 1, 0, &lanes);
    else if (q == 1 && n_loads == 1)
        pass_rows(rows, term, donors, 1, 1, 1, &lanes);
    else if (q == 1)
        pass_rows(rows, term, donors, 1, n_loads, tied, &lanes);
    else
        pass_rows(rows, term, donors, q, n_loads, tied, &lanes);
    for (int64_t b = 0; b < (left < LANES ? left : LANES); b++) {
        double *restrict sums = term->sums + (start + b) * q * n_loads;
        double *restrict squares = term->squares + (start + b) * q * q;
        for (int64_t j = 0; j < q * n_loads; j++) sums[j] = lanes.sums[j * LANES + b];
        for (int64_t j = 0; j < q; j++)
            for (int64_t l = 0; l <= j; l++)
                squares[j * q + l] = squares[l * q + j] = lanes.squares[(j * q + l) * LANES + b];
    }
}

INLINE int64_t round_up(int64_t bytes) { return (bytes + 63) / 64 * 64; }

/* Bytes of one worker's permutations. */
INLINE int64_t drawn_size(const PermutedRows *rows)
{
    return rows->donors ? 0 : round_up(LANES * rows->n_subjects * (int64_t)sizeof(int32_t));
}

/* Each worker draws the permutations of LANES replicates and drops them when it is done. */
static void work_off(void *context, int64_t worker)
{
    Work *work = context;
    const PermutedRows *rows = work->rows;
    const Strata strata = {NULL, rows->offsets, rows->members, rows->n_strata};
    char *scratch = work->scratch + worker * work->scratch_size;
    int32_t *drawn = (int32_t *)scratch;
    double *memory = (double *)(scratch + drawn_size(rows));
    for (;;) {
        const int64_t task = __atomic_fetch_add(&work->next, 1, __ATOMIC_RELAXED);
        if (task >= work->n_tasks) return;
        const int64_t start = task * LANES;
        const int32_t *donors[LANES];
        for (int b = 0; b < LANES; b++) {
            /* lanes beyond the last replicate repeat the first */
            const int64_t replicate = start + b < rows->n_replicates ? start + b : start;
            donors[b] = rows->donors ? rows->donors + replicate * rows->n_subjects
                                     : drawn + (replicate - start) * rows->n_subjects;
            if (rows->donors || replicate != start + b) continue;
            permute(stream(work->base, work->first + replicate), rows->n_subjects, &strata,
                    (char *)memory, drawn + b * rows->n_subjects);
        }
        for (int64_t t = 0; t < rows->n_terms; t++)
            pass_term(rows, rows->terms + t, donors, memory, start);
    }
}

/* Fill the sums and squares of all terms for replicates first, first + 1, ... 1: no memory. */
int permuted_scores(const PermutedRows *rows, int64_t base, int64_t first)
{
    Work work = {.rows = rows, .base = (uint64_t)base, .first = first,
                 .n_tasks = (rows->n_replicates + LANES - 1) / LANES};
    int64_t memory = rows->donors ? 0 : permutation_scratch(rows->n_subjects);
    for (int64_t t = 0; t < rows->n_terms; t++) {
        const PermutedTerm *term = rows->terms + t;
        const int64_t size = lanes_size(rows, term->q, term->n_loads) * (int64_t)sizeof(double);
        if (size > memory) memory = size;
    }
    int64_t n_workers = rows->n_threads < work.n_tasks ? rows->n_threads : work.n_tasks;
    if (n_workers < 1) n_workers = 1;
    work.scratch_size = drawn_size(rows) + round_up(memory);
    work.scratch = large_malloc((size_t)(n_workers * work.scratch_size));
    if (!work.scratch) return 1;
    run_blocks(work_off, &work, n_workers, (int)n_workers);
    free(work.scratch);
    return 0;
}

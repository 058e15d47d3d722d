/*
 * Concordance of (start, stop] rows, all weights 1: counts of pairs, and each row's part.
 * A row's start is a record of its own where there is an event time before it.
 *
 * Twin of survivalgpu/concordance.py, which explains the method. What is counted here are
 * integers, so that neither the order of the work nor the number of threads shows.
 */
#include "concordance.h"

#include <stdlib.h>
#include <string.h>

#include "concordance_work.h"
#include "inversions.h"
#include "ranking.h"

INLINE int64_t block_start(int64_t n, int64_t block) { return n / BLOCKS * block + n % BLOCKS * block / BLOCKS; }

/* Order of (stratum, value); returns 1 if memory ran out. */
static int sort_rows(const ConcordanceData *data, const double *values, uint32_t *order,
                     uint32_t *rank)
{
    if (rank_doubles(values, NULL, data->n, order, rank, (int)data->n_threads)) return 1;
    if (!data->strata) return 0;
    return split_by_code(data->strata, data->n_strata, data->n, order, rank);
}

/* ---- event times ------------------------------------------------------------------------ */

/* Number the event times and give each row its code, in one pass through the sorted ends. */
static void number_times(Work *work, const uint32_t *order, const uint32_t *rank)
{
    const ConcordanceData *data = work->data;
    int64_t k = -1, stratum = -1;
    for (int64_t i = 0, end; i < data->n; i = end) {
        const int64_t of = stratum_of(data, order[i]);
        int64_t events = 0;
        while (stratum < of) work->first_time[++stratum] = (uint32_t)(k + 1);
        for (end = i; end < data->n && rank[end] == rank[i] &&
                      stratum_of(data, order[end]) == of; end++)
            events += data->event[order[end]] != 0;
        if (events) {
            work->dying[++k] = (uint32_t)events;
            work->time[k] = data->stop[order[i]];
        }
        const int used = k >= (int64_t)work->first_time[stratum];
        for (; i < end; i++) {
            const uint32_t row = order[i];
            work->code[row] = used ? (uint32_t)(2 * k + !data->event[row]) : UNUSED;
            if (used) work->at_risk[k]++;
        }
    }
    work->n_times = k + 1;
    while (stratum < data->n_strata) work->first_time[++stratum] = (uint32_t)(k + 1);
}

/* The first event time after each start. Rows at risk at no event time drop out. */
static void place_starts(Work *work, const uint32_t *order)
{
    const ConcordanceData *data = work->data;
    int64_t k = 0;
    for (int64_t i = 0; i < data->n; i++) {
        const uint32_t row = order[i];
        const int64_t stratum = stratum_of(data, row);
        if (k < (int64_t)work->first_time[stratum]) k = work->first_time[stratum];
        while (k < (int64_t)work->first_time[stratum + 1] && work->time[k] <= data->start[row]) k++;
        work->lo[row] = (uint32_t)k;
        if (work->code[row] == UNUSED) continue;
        const int64_t last = work->code[row] / 2;
        if (last < k) {
            work->at_risk[last]--;
            work->code[row] = UNUSED;
        } else if (k > (int64_t)work->first_time[stratum]) {
            work->at_risk[k - 1]--;
        }
    }
}

/* From the rows that leave after each event time to those at risk there. */
static void sum_times(Work *work)
{
    const ConcordanceData *data = work->data;
    for (int64_t s = 0; s < data->n_strata; s++)
        for (int64_t k = (int64_t)work->first_time[s + 1] - 2; k >= (int64_t)work->first_time[s]; k--)
            work->at_risk[k] += work->at_risk[k + 1];
    for (int64_t k = 0; k < work->n_times; k++) work->until[k + 1] = work->until[k] + work->dying[k];
}

/* ---- records ------------------------------------------------------------------------------ */

#define START_BIT 0x80000000u

INLINE int has_start(const Work *work, uint32_t row)
{
    return work->lo[row] > work->first_time[stratum_of(work->data, row)];
}

INLINE uint32_t code_at(const Work *work, uint64_t record)
{
    const uint32_t row = work->row_at[record >> PLACE_SHIFT] & ~START_BIT;
    return record & IS_START ? 2 * work->lo[row] - 1 : work->code[row];
}

INLINE uint64_t place_record(Work *work, uint32_t *next, uint32_t row, uint32_t code, int start)
{
    const uint64_t place = next[code]++;
    work->row_at[place] = row | (start ? START_BIT : 0);
    return place << PLACE_SHIFT | (start ? IS_START : is_event(code) ? IS_EVENT : 0);
}

/* Records of one x, by place: the pairs among them, and how the cube of their number at risk
 * changes with time, from the last record back. */
static void count_tied(Work *work, const uint64_t *records, int64_t n, double *tied_xy)
{
    int64_t remaining = 0, events = 0;
    for (int64_t i = 0; i < n; i++) remaining += records[i] & IS_START ? -1 : 1;
    for (int64_t i = 0, end; i < n; i = end) {
        const uint32_t code = code_at(work, records[i]);
        int64_t same = 0;
        for (end = i; end < n && code_at(work, records[end]) == code; end++) {
            const int64_t sign = records[end] & IS_START ? -1 : 1;
            const double later = (double)(remaining -= sign), now = later + (double)sign;
            work->cubes[code] += now * now * now - later * later * later;
        }
        if (is_event(code)) same = end - i;
        for (; i < end; i++) {
            const uint32_t row = work->row_at[records[i] >> PLACE_SHIFT] & ~START_BIT;
            work->tied[row] += (int32_t)(records[i] & IS_START ? -events : events);
            if (same) work->tied[row] += (int32_t)remaining;
        }
        *tied_xy += (double)same * (double)(same - 1) / 2;
        events += same;
    }
}

/* Records in the order of x, those of one x by place. */
static void make_records(Work *work, const uint32_t *order, const uint32_t *rank, uint32_t *next,
                         uint64_t *records, uint64_t *other)
{
    const ConcordanceData *data = work->data;
    int64_t made = 0;
    for (int64_t i = 0, end; i < data->n; i = end) {
        const int64_t stratum = stratum_of(data, order[i]), first = made;
        for (end = i; end < data->n && rank[end] == rank[i] &&
                      stratum_of(data, order[end]) == stratum; end++) {
            const uint32_t row = order[end];
            if (work->code[row] == UNUSED) continue;
            if (has_start(work, row))
                records[made++] = place_record(work, next, row, 2 * work->lo[row] - 1, 1);
            records[made++] = place_record(work, next, row, work->code[row], 0);
        }
        if (end > i + 1 && made > first + 1) sort_by_place(records + first, other, made - first);
        if (work->tied && made > first)
            count_tied(work, records + first, made - first, work->counts + 5 * stratum + 4);
    }
}

/* The first place of each code, in `next` (2 K + 1). */
static void find_places(Work *work, uint32_t *next)
{
    const ConcordanceData *data = work->data;
    for (int64_t row = 0; row < data->n; row++) {
        if (work->code[row] == UNUSED) continue;
        next[work->code[row]]++;
        if (has_start(work, (uint32_t)row)) next[2 * work->lo[row] - 1]++;
    }
    uint32_t place = 0;
    for (int64_t code = 0; code < 2 * work->n_times; code++) {
        const uint32_t number = next[code];
        next[code] = place;
        place += number;
    }
    work->n_records = place;
}

/* ---- rows --------------------------------------------------------------------------------- */

typedef struct {
    Work *work;
    const uint64_t *records;
} Counted;

static void return_counts(void *context, int64_t block)
{
    const Counted *counted = context;
    const Work *work = counted->work;
    const int64_t last = block_start(work->n_records, block + 1);
    for (int64_t i = block_start(work->n_records, block); i < last; i++) {
        const uint64_t record = counted->records[i];
        const int32_t count = (int32_t)(uint32_t)record;
        int32_t *to = work->discordant + (work->row_at[i] & ~START_BIT);
        /* a row's start and end may lie in two blocks */
        __atomic_fetch_add(to, record & IS_START ? -count : count, __ATOMIC_RELAXED);
    }
}

static void add_counts(Work *work, int64_t stratum, const int64_t *sums)
{
    for (int j = 0; j < 3; j++) {
        /* whole numbers below 2^53: the order of the additions does not show */
        double *to = work->counts + 5 * stratum + j, old, new;
        __atomic_load(to, &old, __ATOMIC_RELAXED);
        do new = old + (double)sums[j] / 2;
        while (!__atomic_compare_exchange(to, &old, &new, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    }
}

/* All pairs of each row, and the counts. Each pair is met from both its rows. */
static void sum_rows(void *context, int64_t block)
{
    Work *work = context;
    const ConcordanceData *data = work->data;
    const int64_t last = block_start(data->n, block + 1);
    int64_t sums[3] = {0, 0, 0}, current = -1;
    for (int64_t row = block_start(data->n, block); row < last; row++) {
        const uint32_t code = work->code[row];
        if (code == UNUSED) continue;
        const int64_t k = code / 2, event = is_event(code), stratum = stratum_of(data, row);
        const int64_t outliving = event ? work->at_risk[k] - work->dying[k] : 0;
        const int64_t all = outliving + work->until[k + 1 - event] - work->until[work->lo[row]];
        const int64_t tied = work->tied ? work->tied[row] : 0, against = work->discordant[row];
        if (stratum != current) {
            if (current >= 0) add_counts(work, current, sums);
            memset(sums, 0, sizeof sums);
            current = stratum;
        }
        work->all[row] = all;
        sums[0] += all - tied - against;
        sums[1] += against;
        sums[2] += tied;
    }
    if (current >= 0) add_counts(work, current, sums);
}

/* Influence of each row on Somers' d. */
INLINE double influence_of(const Work *work, int64_t row)
{
    const int64_t tied = work->tied ? work->tied[row] : 0, all = work->all[row];
    const double less = (double)(all - tied - 2 * (int64_t)work->discordant[row]);
    return less / work->pairs - work->somers / work->pairs * (double)all;
}

static void square_rows(void *context, int64_t block)
{
    Work *work = context;
    const int64_t last = block_start(work->data->n, block + 1);
    double sum = 0.0;
    for (int64_t row = block_start(work->data->n, block); row < last; row++) {
        const double influence = influence_of(work, row);
        if (work->dfbeta) work->dfbeta[row] = influence;
        sum += influence * influence;
    }
    work->partial[block] = sum;
}

static int square_clusters(Work *work, double *squares)
{
    const ConcordanceData *data = work->data;
    double *sums = calloc((size_t)data->n_clusters + 1, sizeof *sums);
    if (!sums) return 1;
    for (int64_t row = 0; row < data->n; row++)
        sums[data->cluster[row]] += influence_of(work, row);
    for (int64_t cluster = 0; cluster < data->n_clusters; cluster++)
        *squares += sums[cluster] * sums[cluster];
    free(sums);
    return 0;
}

/* Ties on y, and the information of a Cox model in the ranks of x: see the twin. */
static void sum_event_times(Work *work, double *cox_variance)
{
    const ConcordanceData *data = work->data;
    for (int64_t s = 0; s < data->n_strata; s++) {
        double cubes = 0.0;
        for (int64_t k = (int64_t)work->first_time[s + 1] - 1; k >= (int64_t)work->first_time[s]; k--) {
            const double at_risk = (double)work->at_risk[k], dying = (double)work->dying[k];
            if (work->cubes)
                cubes += work->cubes[2 * k] + work->cubes[2 * k + 1];
            else
                cubes = at_risk;
            cox_variance[s] += dying * ((at_risk * at_risk * at_risk - cubes) / 3) / at_risk;
            work->counts[5 * s + 3] += dying * (dying - 1) / 2;
        }
        work->counts[5 * s + 3] -= work->counts[5 * s + 4];
    }
}

static int square_influences(Work *work, double *squares)
{
    const ConcordanceData *data = work->data;
    double total[3] = {0.0, 0.0, 0.0};
    for (int64_t s = 0; s < data->n_strata; s++)
        for (int j = 0; j < 3; j++) total[j] += work->counts[5 * s + j];
    work->pairs = total[0] + total[1] + total[2];
    work->somers = (total[0] - total[1]) / work->pairs;
    run_blocks(square_rows, work, BLOCKS, (int)data->n_threads);
    if (data->n_clusters) return square_clusters(work, squares);
    for (int block = 0; block < BLOCKS; block++) *squares += work->partial[block];
    return 0;
}

/* ---- the whole ------------------------------------------------------------------------------ */

typedef struct {
    uint32_t *order, *rank, *next;
    uint64_t *records, *other;
} Scratch;

static int number_rows(Work *work, Scratch *scratch)
{
    const ConcordanceData *data = work->data;
    if (!data->strata) {
        if (number_rows_by_grid(work)) return 1;
        sum_times(work);
        return 0;
    }
    if (sort_rows(data, data->stop, scratch->order, scratch->rank)) return 1;
    number_times(work, scratch->order, scratch->rank);
    if (sort_rows(data, data->start, scratch->order, scratch->rank)) return 1;
    place_starts(work, scratch->order);
    sum_times(work);
    return 0;
}

static int count_rows(Work *work, Scratch *scratch)
{
    const ConcordanceData *data = work->data;
    const size_t n = (size_t)data->n, n_codes = 2 * (size_t)work->n_times + 1;
    const size_t most = 2 * n;
    if (rank_doubles(data->x, NULL, data->n, scratch->order, scratch->rank, (int)data->n_threads))
        return 1;
    const int ties = scratch->rank[n - 1] + 1 < n;
    if (data->strata &&
        split_by_code(data->strata, data->n_strata, data->n, scratch->order, scratch->rank))
        return 1;
    work->discordant = calloc(n, sizeof *work->discordant);
    work->all = calloc(n, sizeof *work->all);
    if (ties) {
        work->tied = calloc(n, sizeof *work->tied);
        work->cubes = calloc(n_codes, sizeof *work->cubes);
    }
    if (!work->discordant || !work->all || (ties && !(work->tied && work->cubes))) return 1;
    if (has_few_times(work)) {
        if (count_few_times(work, scratch->order, scratch->rank)) return 1;
        run_blocks(sum_rows, work, BLOCKS, (int)data->n_threads);
        return 0;
    }
    scratch->next = calloc(n_codes, sizeof *scratch->next);
    scratch->records = malloc(most * sizeof *scratch->records);
    scratch->other = malloc(most * sizeof *scratch->other);
    work->row_at = malloc(most * sizeof *work->row_at);
    if (!scratch->next || !scratch->records || !scratch->other || !work->row_at) return 1;
    find_places(work, scratch->next);
    make_records(work, scratch->order, scratch->rank, scratch->next, scratch->records,
                 scratch->other);
    Counted counted = {work, count_inversions(scratch->records, scratch->other, work->n_records,
                                              (int)data->n_threads)};
    run_blocks(return_counts, &counted, BLOCKS, (int)data->n_threads);
    run_blocks(sum_rows, work, BLOCKS, (int)data->n_threads);
    return 0;
}

static int take_memory(Work *work, Scratch *scratch)
{
    const size_t n = (size_t)work->data->n;
    scratch->order = malloc(n * sizeof *scratch->order);
    scratch->rank = malloc(n * sizeof *scratch->rank);
    work->code = malloc(n * sizeof *work->code);
    work->first_time = malloc(((size_t)work->data->n_strata + 1) * sizeof *work->first_time);
    work->time = malloc((n + 1) * sizeof *work->time);
    work->dying = malloc((n + 1) * sizeof *work->dying);
    work->at_risk = calloc(n + 1, sizeof *work->at_risk);
    work->until = calloc(n + 1, sizeof *work->until);
    work->lo = malloc(n * sizeof *work->lo);
    return !scratch->order || !scratch->rank || !work->code || !work->first_time || !work->time ||
           !work->dying || !work->at_risk || !work->until || !work->lo;
}

static void free_memory(Work *work, Scratch *scratch)
{
    void *all[] = {scratch->order,    scratch->rank, scratch->next, scratch->records,
                   scratch->other,    work->code,    work->lo,      work->first_time,
                   work->time,        work->dying,   work->at_risk, work->until,
                   work->row_at,      work->tied,    work->all,     work->cubes,
                   work->discordant};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

int concordance_counts(const ConcordanceData *data, double *counts, double *cox_variance,
                       double *squares, double *dfbeta)
{
    Work work = {.data = data, .counts = counts, .dfbeta = dfbeta};
    Scratch scratch = {0};
    memset(counts, 0, 5 * (size_t)data->n_strata * sizeof *counts);
    memset(cox_variance, 0, (size_t)data->n_strata * sizeof *cox_variance);
    *squares = 0.0;
    if (!data->start)
        return count_right_censored(data, counts, cox_variance, squares, dfbeta);
    int failed = take_memory(&work, &scratch) || number_rows(&work, &scratch) ||
                 count_rows(&work, &scratch);
    if (!failed) {
        sum_event_times(&work, cox_variance);
        failed = square_influences(&work, squares);
    }
    free_memory(&work, &scratch);
    return failed;
}

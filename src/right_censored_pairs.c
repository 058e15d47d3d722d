/*
 * Concordance of right-censored rows, with case weights or without.
 *
 * The places of the rows in time are those of the sorted ends of follow-up, tied events first
 * and, among themselves, in the order of x. So what a row needs to know of its event time is
 * found by walking along the places: nothing is looked up by event time.
 */
#include <stdlib.h>
#include <string.h>

#include "concordance.h"
#include "inversions.h"
#include "ranking.h"

#define BLOCKS 64

/* What a row's slot holds beside its place: it has an event; others have theirs then, and the
 * place is the first of all of them. */
#define EVENT_BIT 0x80000000u
#define TIED_BIT 0x40000000u
#define PLACE_MASK 0x3fffffffu

/* What the row at a place holds beside its number: it is the first event of its time. */
#define FIRST_BIT 0x80000000u
#define ROW_MASK 0x7fffffffu

typedef struct {
    const ConcordanceData *data;
    const uint32_t *order, *rank;
    int64_t starts[BLOCKS + 1]; /* of blocks of the order that no run of equal values crosses */
    int tied_events[BLOCKS];
    uint32_t *slot;       /* n, by row */
    uint32_t *row_at;     /* n, by place, as all that follows */
    uint32_t *next;       /* how many tied events have got their place, by the first place */
    int64_t *tied;        /* pairs tied on x; NULL if no x is tied */
    double *cubes;        /* change of the sum of cubes; NULL likewise */
    int64_t *all;         /* pairs of each row, ties on y left out */
    int64_t *weight;      /* units of the weight; NULL if all are 1 */
    int64_t *discordant;  /* discordant pairs; NULL where the records count them */
    uint64_t *records, *other;
    double *tied_xy;      /* S counts, 5 apart */
    double somers, pairs, *dfbeta;
    double partial[BLOCKS];
} Work;

INLINE int64_t stratum_of(const ConcordanceData *data, int64_t row)
{
    return data->strata ? data->strata[row] : 0;
}

INLINE int64_t weight_of(const Work *work, int64_t row)
{
    return work->data->weights ? work->data->weights[row] : 1;
}

INLINE int64_t weight_at(const Work *work, int64_t place)
{
    return work->weight ? work->weight[place] : 1;
}

INLINE int64_t discordant_at(const Work *work, int64_t place)
{
    return work->discordant ? work->discordant[place] : (uint32_t)work->records[place];
}

INLINE int same_run(const Work *work, int64_t i, int64_t j)
{
    return work->rank[i] == work->rank[j] &&
           (!work->data->strata || work->data->strata[work->order[i] & ROW_MASK] ==
                                       work->data->strata[work->order[j] & ROW_MASK]);
}

static void cut_blocks(Work *work)
{
    const int64_t n = work->data->n, step = n / BLOCKS + 1;
    work->starts[0] = 0;
    for (int64_t block = 1; block <= BLOCKS; block++) {
        int64_t start = block * step < n ? block * step : n;
        if (start < work->starts[block - 1]) start = work->starts[block - 1];
        while (start > 0 && start < n && same_run(work, start, start - 1)) start++;
        work->starts[block] = start;
    }
}

static void find_slots(void *context, int64_t block)
{
    Work *work = context;
    const int64_t last = work->starts[block + 1];
    for (int64_t i = work->starts[block], end; i < last; i = end) {
        int64_t events = work->order[i] >> 31;
        for (end = i + 1; end < last && same_run(work, end, i); end++)
            events += work->order[end] >> 31;
        uint32_t event_place = (uint32_t)i, other_place = (uint32_t)(i + events);
        work->tied_events[block] |= events > 1;
        for (int64_t j = i; j < end; j++) {
            const uint32_t row = work->order[j] & ROW_MASK;
            if (!(work->order[j] >> 31)) {
                work->row_at[other_place] = row;
                work->slot[row] = other_place++;
            } else if (events == 1) {
                work->row_at[event_place] = row | FIRST_BIT;
                work->slot[row] = event_place | EVENT_BIT;
            } else {
                work->slot[row] = event_place | EVENT_BIT | TIED_BIT;
            }
        }
    }
}

/* ---- records ------------------------------------------------------------------------------ */

INLINE uint64_t make_record(Work *work, uint32_t row)
{
    const uint32_t slot = work->slot[row];
    uint64_t place = slot & PLACE_MASK;
    if (slot & TIED_BIT) {
        const uint32_t nth = work->next[place]++;
        place += nth;
        work->row_at[place] = row | (nth ? 0 : FIRST_BIT);
    }
    return place << PLACE_SHIFT | (slot & EVENT_BIT ? IS_EVENT : 0);
}

INLINE uint32_t row_of(const Work *work, uint64_t record)
{
    return work->row_at[record >> PLACE_SHIFT] & ROW_MASK;
}

/* Records of one x, by place: the pairs among them, and how the cube of their weight at risk
 * changes with time, from the last record back. */
static void count_tied(Work *work, const uint64_t *records, int64_t n, double *tied_xy)
{
    int64_t events = 0, remaining = 0;
    for (int64_t i = 0; i < n; i++) remaining += weight_of(work, row_of(work, records[i]));
    for (int64_t i = 0, end; i < n; i = end) {
        const uint32_t slot = work->slot[row_of(work, records[i])];
        int64_t same = 0;
        double squares = 0.0;
        end = i;
        do {
            const int64_t own = weight_of(work, row_of(work, records[end]));
            const double w = (double)own, later = (double)(remaining -= own);
            work->cubes[records[end] >> PLACE_SHIFT] = w * (3 * later * (later + w) + w * w);
            squares += w * w;
            same += own;
            end++;
        } while (slot & TIED_BIT && end < n && work->slot[row_of(work, records[end])] == slot);
        for (int64_t j = i; j < end; j++)
            work->tied[records[j] >> PLACE_SHIFT] = events + (slot & EVENT_BIT ? remaining : 0);
        if (!(slot & EVENT_BIT)) continue;
        *tied_xy += ((double)same * (double)same - squares) / 2;
        events += same;
    }
}

/* Records in the order of x, those of one x by place. */
static void make_records(void *context, int64_t block)
{
    Work *work = context;
    const int64_t last = work->starts[block + 1];
    for (int64_t i = work->starts[block], end; i < last; i = end) {
        work->records[i] = make_record(work, work->order[i]);
        for (end = i + 1; end < last && same_run(work, end, i); end++)
            work->records[end] = make_record(work, work->order[end]);
        if (!work->tied) continue;
        if (end > i + 1) sort_by_place(work->records + i, work->other + i, end - i);
        count_tied(work, work->records + i, end - i,
                   work->tied_xy + 5 * stratum_of(work->data, work->order[i]));
    }
}

/* ---- sums --------------------------------------------------------------------------------- */

/* Counts and all pairs of each row, along the places first .. last - 1 of one stratum. */
static void sum_places(Work *work, int64_t first, int64_t last, double *counts)
{
    int64_t events = 0, remaining = 0;
    double tied_y = 0.0, sums[3] = {0.0, 0.0, 0.0};
    for (int64_t i = first; i < last; i++) remaining += weight_at(work, i);
    for (int64_t i = first, end; i < last;) {
        int64_t all = events, dying = 0;
        const int is_event = (work->records[i] & IS_EVENT) != 0;
        double squares = 0.0;
        end = i;
        do {
            const int64_t own = weight_at(work, end);
            squares += (double)own * (double)own;
            dying += own;
            end++;
        } while (is_event && end < last && (work->records[end] & IS_EVENT) &&
                 !(work->row_at[end] & FIRST_BIT));
        remaining -= dying;
        if (is_event) {
            all += remaining;
            events += dying;
            tied_y += ((double)dying * (double)dying - squares) / 2;
        }
        for (; i < end; i++) {
            const int64_t against = discordant_at(work, i), tied = work->tied ? work->tied[i] : 0;
            const double own = (double)weight_at(work, i);
            work->all[i] = all;
            sums[0] += own * (double)(all - tied - against);
            sums[1] += own * (double)against;
            sums[2] += own * (double)tied;
        }
    }
    /* each pair was met from both its rows; ties on x and y are in already */
    for (int j = 0; j < 3; j++) counts[j] = sums[j] / 2;
    counts[3] = tied_y - counts[4];
    for (int j = 0; j < 5; j++) counts[j] *= work->data->unit * work->data->unit;
}

/* The information of a Cox model in the ranks of x: see the twin. */
static double cox_information(const Work *work, int64_t first, int64_t last)
{
    double cubes = 0.0, total = 0.0;
    int64_t dying = 0, remaining = 0;
    for (int64_t i = last - 1; i >= first; i--) {
        const int64_t own = weight_at(work, i);
        const double w = (double)own;
        cubes += work->cubes ? work->cubes[i] : w * w * w;
        remaining += own;
        if (!(work->records[i] & IS_EVENT)) continue;
        dying += own;
        if (!(work->row_at[i] & FIRST_BIT)) continue;
        const double at_risk = (double)remaining;
        total += (double)dying * ((at_risk * at_risk * at_risk - cubes) / 3) / at_risk;
        dying = 0;
    }
    return total * work->data->unit * work->data->unit * work->data->unit;
}

INLINE double influence_at(const Work *work, int64_t place)
{
    const int64_t tied = work->tied ? work->tied[place] : 0, all = work->all[place];
    const double unit = work->data->unit, own = unit * (double)weight_at(work, place);
    const double less = unit * (double)(all - tied - 2 * discordant_at(work, place));
    return own * (less / work->pairs - work->somers / work->pairs * (unit * (double)all));
}

static void square_places(void *context, int64_t block)
{
    Work *work = context;
    const int64_t n = work->data->n, step = n / BLOCKS + 1;
    const int64_t last = (block + 1) * step < n ? (block + 1) * step : n;
    double sum = 0.0;
    for (int64_t i = block * step; i < last; i++) {
        const double influence = influence_at(work, i);
        if (work->dfbeta) work->dfbeta[work->row_at[i] & ROW_MASK] = influence;
        sum += influence * influence;
    }
    work->partial[block] = sum;
}

static int square_clusters(Work *work, double *squares)
{
    const ConcordanceData *data = work->data;
    double *sums = calloc((size_t)data->n_clusters + 1, sizeof *sums);
    if (!sums) return 1;
    for (int64_t i = 0; i < data->n; i++)
        sums[data->cluster[work->row_at[i] & ROW_MASK]] += influence_at(work, i);
    for (int64_t cluster = 0; cluster < data->n_clusters; cluster++)
        *squares += sums[cluster] * sums[cluster];
    free(sums);
    return 0;
}

static int sum_all(Work *work, double *counts, double *cox_variance, double *squares)
{
    const ConcordanceData *data = work->data;
    double total[3] = {0.0, 0.0, 0.0};
    for (int64_t first = 0, last, s = 0; s < data->n_strata; s++, first = last) {
        for (last = data->strata ? first : data->n;
             last < data->n && data->strata[work->row_at[last] & ROW_MASK] == s;)
            last++;
        sum_places(work, first, last, counts + 5 * s);
        cox_variance[s] = cox_information(work, first, last);
        for (int j = 0; j < 3; j++) total[j] += counts[5 * s + j];
    }
    work->pairs = total[0] + total[1] + total[2];
    work->somers = (total[0] - total[1]) / work->pairs;
    run_blocks(square_places, work, BLOCKS, (int)data->n_threads);
    if (data->n_clusters) return square_clusters(work, squares);
    for (int block = 0; block < BLOCKS; block++) *squares += work->partial[block];
    return 0;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static int sort_rows(Work *work, const double *values, const uint8_t *marks, uint32_t *order,
                     uint32_t *rank, int *ties)
{
    const ConcordanceData *data = work->data;
    if (rank_doubles(values, marks, data->n, order, rank, (int)data->n_threads)) return 1;
    *ties = rank[data->n - 1] + 1 < data->n;
    if (data->strata && split_by_code(data->strata, data->n_strata, data->n, order, rank))
        return 1;
    work->order = order;
    work->rank = rank;
    cut_blocks(work);
    return 0;
}

/* Discordant pairs by weight, and the records in the order of their places. */
static int weigh_inversions(Work *work)
{
    const int64_t n = work->data->n;
    const size_t size = (size_t)n * sizeof(int64_t);
    int64_t *place = malloc(size), *early = malloc(size), *late = malloc(size);
    int64_t *of_late = malloc(size);
    work->discordant = malloc(size);
    work->weight = malloc(size);
    int failed = !place || !early || !late || !of_late || !work->discordant || !work->weight;
    for (int64_t i = 0; !failed && i < n; i++) {
        const uint64_t record = work->records[i];
        place[i] = (int64_t)(record >> PLACE_SHIFT);
        early[i] = weight_of(work, row_of(work, record));
        late[i] = record & IS_EVENT ? early[i] : 0;
        work->weight[place[i]] = early[i];
        work->other[place[i]] = record;
    }
    failed = failed || inversion_sums(place, early, late, n, work->discordant, of_late,
                                      (int)work->data->n_threads);
    for (int64_t i = 0; !failed && i < n; i++)
        work->discordant[i] = of_late[i] + (work->other[i] & IS_EVENT ? work->discordant[i] : 0);
    work->records = work->other;
    free(place);
    free(early);
    free(late);
    free(of_late);
    return failed;
}

static int count_pairs(Work *work, uint32_t *order, uint32_t *rank)
{
    const ConcordanceData *data = work->data;
    const size_t n = (size_t)data->n;
    const int n_threads = (int)data->n_threads;
    int ties, tied_events = 0;
    if (sort_rows(work, data->stop, data->event, order, rank, &ties)) return 1;
    run_blocks(find_slots, work, BLOCKS, n_threads);
    for (int block = 0; block < BLOCKS; block++) tied_events |= work->tied_events[block];
    if (sort_rows(work, data->x, NULL, order, rank, &ties)) return 1;
    if (ties) {
        work->tied = malloc(n * sizeof *work->tied);
        work->cubes = malloc(n * sizeof *work->cubes);
        if (!work->tied || !work->cubes) return 1;
    }
    /* tied events get their places in the order of x, ties on both are counted by stratum */
    run_blocks(make_records, work, BLOCKS, ties || tied_events ? 1 : n_threads);
    if (data->weights) return weigh_inversions(work);
    work->records = count_inversions(work->records, work->other, data->n, n_threads);
    return 0;
}

int count_right_censored(const ConcordanceData *data, double *counts, double *cox_variance,
                         double *squares, double *dfbeta)
{
    const size_t n = (size_t)data->n;
    Work work = {.data = data, .tied_xy = counts + 4, .dfbeta = dfbeta};
    uint32_t *order = malloc(n * sizeof *order), *rank = malloc(n * sizeof *rank);
    uint64_t *records = malloc(n * sizeof *records), *other = malloc(n * sizeof *other);
    work.records = records;
    work.other = other;
    work.slot = malloc(n * sizeof *work.slot);
    work.row_at = malloc(n * sizeof *work.row_at);
    work.next = calloc(n, sizeof *work.next);
    work.all = malloc(n * sizeof *work.all);
    int failed = !order || !rank || !records || !other || !work.slot || !work.row_at ||
                 !work.next || !work.all || count_pairs(&work, order, rank) ||
                 sum_all(&work, counts, cox_variance, squares);
    void *all[] = {order,     rank,     records,   other,      work.slot,   work.row_at,
                   work.next, work.all, work.tied, work.cubes, work.weight, work.discordant};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
    return failed;
}

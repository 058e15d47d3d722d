/* Rows to risk sets: each row's range of event times, and the groups of equal ranges. */
#include "sorting.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_ROWS 16384
/* Largest table of all (stratum, time) pairs, in multiples of n. */
#define TABLE_ROWS 8

typedef struct {
    const double *start, *stop;
    const uint8_t *event;
    const int64_t *strata;
    int64_t n, n_strata, width; /* width: one more than the number of distinct times */
    Grid grid;
    uint32_t *table;        /* n_strata x width: event times of the strata up to each pair */
    const int64_t *keys;    /* or the sorted pairs themselves, */
    const int64_t *first_k; /* and where each stratum's begin */
    int32_t *lo, *hi;
} Ranges;

/* ---- ranks: times to places among all distinct event times -------------------------------- */

static void rank_block(void *context, int64_t block)
{
    Ranges *r = context;
    int64_t last = (block + 1) * BLOCK_ROWS < r->n ? (block + 1) * BLOCK_ROWS : r->n;
    for (int64_t i = block * BLOCK_ROWS; i < last; i++) {
        r->hi[i] = (int32_t)times_at_most(&r->grid, r->stop[i]);
        r->lo[i] = r->start ? (int32_t)times_at_most(&r->grid, r->start[i]) : 0;
    }
}

/* ---- pairs: places to numbers of (stratum, event time) ------------------------------------ */

/* Number the pairs through a table of all possible ones. */
static int64_t number_by_table(Ranges *r, int64_t *keys)
{
    const int64_t size = r->n_strata * r->width;
    int64_t found = 0;
    for (int64_t i = 0; i < r->n; i++)
        if (r->event[i]) r->table[r->strata[i] * r->width + r->hi[i]] = 1;
    for (int64_t pair = 0; pair < size; pair++) {
        if (r->table[pair]) keys[found++] = pair;
        r->table[pair] = (uint32_t)found;
    }
    return found;
}

/* Number the pairs by sorting those of the events. -1: no memory. */
static int64_t number_by_sorting(Ranges *r, int64_t *keys, int64_t *first_k, int n_threads)
{
    int64_t n_events = 0, found = 0, stratum = 0;
    for (int64_t i = 0; i < r->n; i++)
        if (r->event[i]) keys[n_events++] = r->strata[i] * r->width + r->hi[i];
    uint32_t *rows = calloc((size_t)n_events + 1, sizeof *rows);
    const int bits = bits_of((uint64_t)(r->n_strata * r->width));
    if (!rows || radix_sort((uint64_t *)keys, rows, n_events, bits, n_threads)) {
        free(rows);
        return -1;
    }
    free(rows);
    for (int64_t e = 0; e < n_events; e++)
        if (!e || keys[e] != keys[found - 1]) keys[found++] = keys[e];
    for (int64_t k = 0; k < found; k++)
        while (stratum <= keys[k] / r->width) first_k[stratum++] = k;
    while (stratum <= r->n_strata) first_k[stratum++] = found;
    return found;
}

INLINE int32_t number_of(const Ranges *r, int64_t stratum, int32_t rank)
{
    const int64_t pair = stratum * r->width + rank;
    if (r->table) return (int32_t)r->table[pair];
    int64_t from = r->first_k[stratum], to = r->first_k[stratum + 1];
    while (from < to) {
        int64_t middle = from + (to - from) / 2;
        if (r->keys[middle] <= pair)
            from = middle + 1;
        else
            to = middle;
    }
    return (int32_t)from;
}

static void number_block(void *context, int64_t block)
{
    Ranges *r = context;
    int64_t last = (block + 1) * BLOCK_ROWS < r->n ? (block + 1) * BLOCK_ROWS : r->n;
    for (int64_t i = block * BLOCK_ROWS; i < last; i++) {
        r->hi[i] = number_of(r, r->strata[i], r->hi[i]);
        r->lo[i] = number_of(r, r->strata[i], r->start ? r->lo[i] : 0);
    }
}

/*
 * Number the distinct (stratum, event time) pairs, strata one after another, and find the
 * range lo <= k < hi of each row. `times` holds the distinct event times of all strata;
 * `start` and `strata` may be NULL. `keys` (room for n + 1) gets stratum x (n_times + 1) +
 * place of the time among all, counted from 1. Returns the number of pairs, -1 if memory
 * ran out.
 */
int64_t event_ranges(const double *start, const double *stop, const uint8_t *event,
                     const int64_t *strata, int64_t n, int64_t n_strata, const double *times,
                     int64_t n_times, int32_t *lo, int32_t *hi, int64_t *keys, int n_threads)
{
    Ranges r = {.start = start, .stop = stop, .event = event, .strata = strata, .n = n,
                .n_strata = n_strata, .width = n_times + 1, .lo = lo, .hi = hi, .keys = keys};
    const int64_t n_blocks = (n + BLOCK_ROWS - 1) / BLOCK_ROWS;
    int64_t found = -1, *first_k = NULL;
    if (make_grid(&r.grid, times, n_times)) return -1;
    run_blocks(rank_block, &r, n_blocks, n_threads);
    free(r.grid.first);
    if (!strata) {
        for (int64_t k = 0; k < n_times; k++) keys[k] = k + 1;
        return n_times;
    }
    if (n_strata * r.width <= TABLE_ROWS * n + BLOCK_ROWS) {
        r.table = calloc((size_t)(n_strata * r.width), sizeof *r.table);
        if (r.table) found = number_by_table(&r, keys);
    } else {
        r.first_k = first_k = malloc((size_t)(n_strata + 1) * sizeof *first_k);
        if (first_k) found = number_by_sorting(&r, keys, first_k, n_threads);
    }
    if (found >= 0) run_blocks(number_block, &r, n_blocks, n_threads);
    free(r.table);
    free(first_k);
    return found;
}

/* ---- groups ------------------------------------------------------------------------------- */

/* Ranges of a single event time come first; only `hi` matters in right-censored data. */
INLINE uint64_t group_key(int64_t lo, int64_t hi, int counting, int64_t span)
{
    if (!counting) return (uint64_t)hi;
    return hi - lo == 1 ? (uint64_t)lo : (uint64_t)((lo + 1) * span + hi);
}

/* Event rows ordered by event time, from the sorted rows; counts first, then places. */
static void place_events(const uint8_t *event, const int32_t *lo, const int32_t *hi, int64_t n,
                         const uint32_t *rows, int64_t n_used, int64_t n_times, int64_t *offsets,
                         int64_t *event_rows)
{
    memset(offsets, 0, (size_t)(n_times + 1) * sizeof *offsets);
    for (int64_t row = 0; row < n; row++)
        if (event[row] && lo[row] < hi[row]) offsets[hi[row]]++;
    for (int64_t k = 0; k < n_times; k++) offsets[k + 1] += offsets[k];
    for (int64_t i = 0; i < n_used; i++)
        if (event[rows[i]]) event_rows[offsets[hi[rows[i]] - 1]++] = i;
    for (int64_t k = n_times; k > 0; k--) offsets[k] = offsets[k - 1];
    offsets[0] = 0;
}

/*
 * Order the rows with lo < hi by group. `order` has room for n, the group arrays for
 * n + 1, `event_rows` for all events and `event_offsets` for n_times + 1. Returns the number
 * of groups, -1 if memory ran out, and the number of rows through `n_used`.
 */
int64_t sort_groups(const int32_t *lo, const int32_t *hi, const uint8_t *event, int64_t n,
                    int counting, int64_t n_times, int64_t *n_used, int64_t *order,
                    int64_t *group_offsets, int64_t *group_lo, int64_t *group_hi,
                    int64_t *event_rows, int64_t *event_offsets, int n_threads)
{
    const int64_t span = n_times + 1;
    uint64_t *keys = malloc((size_t)n * sizeof *keys + 1);
    uint32_t *rows = malloc((size_t)n * sizeof *rows + 1);
    int64_t used = 0, groups = 0;
    int failed = !keys || !rows;
    for (int64_t i = 0; !failed && i < n; i++) {
        keys[used] = group_key(lo[i], hi[i], counting, span);
        rows[used] = (uint32_t)i;
        used += hi[i] > lo[i];
    }
    const uint64_t largest = counting ? (uint64_t)(span * span + span) : (uint64_t)n_times;
    failed = failed || radix_sort(keys, rows, used, bits_of(largest), n_threads);
    for (int64_t i = 0; !failed && i < used; i++) {
        order[i] = rows[i];
        if (i && keys[i] == keys[i - 1]) continue;
        group_offsets[groups] = i;
        group_lo[groups] = lo[rows[i]];
        group_hi[groups++] = hi[rows[i]];
    }
    if (!failed) {
        group_offsets[groups] = used;
        place_events(event, lo, hi, n, rows, used, n_times, event_offsets, event_rows);
    }
    free(keys);
    free(rows);
    *n_used = used;
    return failed ? -1 : groups;
}

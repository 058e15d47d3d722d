/* Rows to risk sets: each row's range of event times, and the groups of equal ranges. */
#include "large.h"
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

/* Beside the row, in its highest bit, goes whether it has an event: n < 2^31. */
#define EVENT ((uint32_t)1 << 31)
#define ROW(row) ((int64_t)((row) & ~EVENT))

typedef struct {
    const int32_t *lo, *hi;
    const uint8_t *event;
    int64_t n, span, used, n_events;
    int counting;
    uint64_t *keys; /* of the rows with lo < hi; above the row itself where that fits */
    uint32_t *rows; /* or NULL, where it does */
    /* where each block of rows begins: among those with lo < hi, the groups, the events */
    int64_t *first_used, *first_group, *first_event;
    int64_t *order, *group_offsets, *group_lo, *group_hi;
    uint32_t *event_places; /* places of the events in `order`, and their last event times */
    int32_t *event_last;
} Groups;

/* Ranges of a single event time come first; only `hi` matters in right-censored data. */
INLINE uint64_t group_key(const Groups *g, int64_t lo, int64_t hi)
{
    if (!g->counting) return (uint64_t)hi;
    return hi - lo == 1 ? (uint64_t)lo : (uint64_t)((lo + 1) * g->span + hi);
}

INLINE uint64_t key_at(const Groups *g, int64_t i)
{
    return g->rows ? g->keys[i] : g->keys[i] >> PACKED_SHIFT;
}

INLINE uint32_t row_at(const Groups *g, int64_t i)
{
    return g->rows ? g->rows[i] : (uint32_t)g->keys[i];
}

INLINE int64_t end_of_block(int64_t block, int64_t n)
{
    return (block + 1) * BLOCK_ROWS < n ? (block + 1) * BLOCK_ROWS : n;
}

/* From the counts of blocks to where each begins; the total. */
static int64_t cumulate_counts(int64_t *counts, int64_t n_blocks)
{
    int64_t total = 0;
    for (int64_t block = 0; block < n_blocks; block++) {
        const int64_t count = counts[block];
        counts[block] = total;
        total += count;
    }
    return total;
}

VECTORISED static void count_used(void *context, int64_t block)
{
    Groups *g = context;
    int64_t used = 0, end = end_of_block(block, g->n);
    for (int64_t i = block * BLOCK_ROWS; i < end; i++) used += g->hi[i] > g->lo[i];
    g->first_used[block] = used;
}

static void make_keys(void *context, int64_t block)
{
    Groups *g = context;
    int64_t at = g->first_used[block], end = end_of_block(block, g->n);
    for (int64_t i = block * BLOCK_ROWS; i < end; i++) {
        if (g->hi[i] <= g->lo[i]) continue;
        const uint64_t key = group_key(g, g->lo[i], g->hi[i]);
        const uint32_t row = (uint32_t)i | (g->event[i] ? EVENT : 0);
        g->keys[at] = g->rows ? key : key << PACKED_SHIFT | row;
        if (g->rows) g->rows[at] = row;
        at++;
    }
}

static void count_groups(void *context, int64_t block)
{
    Groups *g = context;
    int64_t i = block * BLOCK_ROWS, end = end_of_block(block, g->used);
    int64_t groups = !i || key_at(g, i) != key_at(g, i - 1), events = row_at(g, i) >> 31;
    for (i++; i < end; i++) {
        groups += key_at(g, i) != key_at(g, i - 1);
        events += row_at(g, i) >> 31;
    }
    g->first_group[block] = groups;
    g->first_event[block] = events;
}

static void write_groups(void *context, int64_t block)
{
    Groups *g = context;
    int64_t group = g->first_group[block], event = g->first_event[block];
    const int64_t end = end_of_block(block, g->used);
    for (int64_t i = block * BLOCK_ROWS; i < end; i++) {
        const uint32_t row = row_at(g, i);
        g->order[i] = ROW(row);
        if (row & EVENT) {
            g->event_places[event] = (uint32_t)i;
            g->event_last[event++] = g->hi[ROW(row)];
        }
        if (i && key_at(g, i) == key_at(g, i - 1)) continue;
        g->group_offsets[group] = i;
        g->group_lo[group] = g->lo[ROW(row)];
        g->group_hi[group++] = g->hi[ROW(row)];
    }
}

/* Events ordered by event time, within one by their place: counts first, then places. */
static void place_events(const Groups *g, int64_t n_times, int64_t *offsets, int64_t *event_rows)
{
    memset(offsets, 0, (size_t)(n_times + 1) * sizeof *offsets);
    for (int64_t e = 0; e < g->n_events; e++) offsets[g->event_last[e]]++;
    for (int64_t k = 0; k < n_times; k++) offsets[k + 1] += offsets[k];
    for (int64_t e = 0; e < g->n_events; e++)
        event_rows[offsets[g->event_last[e] - 1]++] = g->event_places[e];
    for (int64_t k = n_times; k > 0; k--) offsets[k] = offsets[k - 1];
    offsets[0] = 0;
}

/* Keys of the rows with lo < hi, sorted. Returns 1 if memory ran out. */
static int sort_rows(Groups *g, int64_t n_times, int n_threads)
{
    const int64_t n_blocks = (g->n + BLOCK_ROWS - 1) / BLOCK_ROWS;
    const uint64_t span = (uint64_t)g->span;
    const int bits = bits_of(g->counting ? span * span + span : (uint64_t)n_times);
    run_blocks(count_used, g, n_blocks, n_threads);
    g->used = cumulate_counts(g->first_used, n_blocks);
    g->keys = large_malloc((size_t)g->used * sizeof *g->keys);
    if (bits > 64 - PACKED_SHIFT) g->rows = large_malloc((size_t)g->used * sizeof *g->rows);
    if (!g->keys || (bits > 64 - PACKED_SHIFT && !g->rows)) return 1;
    run_blocks(make_keys, g, n_blocks, n_threads);
    return g->rows ? radix_sort(g->keys, g->rows, g->used, bits, n_threads)
                   : sort_packed(g->keys, g->used, bits, n_threads);
}

/*
 * Order the rows with lo < hi by group; n < 2^31. `order` has room for n, the group arrays
 * for n + 1, `event_rows` for all events and `event_offsets` for n_times + 1. Returns the
 * number of groups, -1 if memory ran out, and the number of rows through `n_used`.
 */
int64_t sort_groups(const int32_t *lo, const int32_t *hi, const uint8_t *event, int64_t n,
                    int counting, int64_t n_times, int64_t *n_used, int64_t *order,
                    int64_t *group_offsets, int64_t *group_lo, int64_t *group_hi,
                    int64_t *event_rows, int64_t *event_offsets, int n_threads)
{
    Groups g = {.lo = lo, .hi = hi, .event = event, .n = n, .span = n_times + 1,
                .counting = counting, .order = order, .group_offsets = group_offsets,
                .group_lo = group_lo, .group_hi = group_hi};
    const size_t most_blocks = (size_t)(n / BLOCK_ROWS + 1);
    int64_t groups = -1;
    int64_t *tables = malloc(3 * most_blocks * sizeof *tables);
    g.first_used = tables;
    if (tables && !sort_rows(&g, n_times, n_threads)) {
        const int64_t n_blocks = (g.used + BLOCK_ROWS - 1) / BLOCK_ROWS;
        g.first_group = tables + most_blocks;
        g.first_event = tables + 2 * most_blocks;
        run_blocks(count_groups, &g, n_blocks, n_threads);
        g.n_events = cumulate_counts(g.first_event, n_blocks);
        g.event_places = large_malloc((size_t)g.n_events * sizeof *g.event_places);
        g.event_last = large_malloc((size_t)g.n_events * sizeof *g.event_last);
        if (g.event_places && g.event_last) {
            groups = cumulate_counts(g.first_group, n_blocks);
            run_blocks(write_groups, &g, n_blocks, n_threads);
            group_offsets[groups] = g.used;
            place_events(&g, n_times, event_offsets, event_rows);
        }
    }
    *n_used = g.used;
    free(tables);
    free(g.keys);
    free(g.rows);
    free(g.event_places);
    free(g.event_last);
    return groups;
}

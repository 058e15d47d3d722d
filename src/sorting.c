/* Sorting and ranking: stable radix sorts, distinct values, counts of smaller ones. */
#include "sorting.h"

#include "large.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DIGIT_BITS 11
#define BUCKETS (1 << DIGIT_BITS)
#define MAX_CHUNKS 64
#define SMALLEST_CHUNK 65536

/* One pass of the sort: chunks are counted apart and then written apart, each to places
 * that no other chunk touches. */
typedef struct {
    const uint64_t *keys_in;
    const uint32_t *rows_in; /* NULL where there are none to move */
    uint64_t *keys_out;
    uint32_t *rows_out;
    int64_t n, n_chunks;
    int shift, mask;
    int64_t *places; /* n_chunks x BUCKETS */
} Pass;

INLINE int64_t chunk_start(const Pass *pass, int64_t chunk)
{
    return pass->n / pass->n_chunks * chunk +
           (chunk < pass->n % pass->n_chunks ? chunk : pass->n % pass->n_chunks);
}

static void count_chunk(void *context, int64_t chunk)
{
    Pass *pass = context;
    int64_t *counts = pass->places + chunk * BUCKETS, last = chunk_start(pass, chunk + 1);
    memset(counts, 0, BUCKETS * sizeof *counts);
    for (int64_t i = chunk_start(pass, chunk); i < last; i++)
        counts[(pass->keys_in[i] >> pass->shift) & (uint64_t)pass->mask]++;
}

static void write_chunk(void *context, int64_t chunk)
{
    Pass *pass = context;
    int64_t *places = pass->places + chunk * BUCKETS, last = chunk_start(pass, chunk + 1);
    const uint64_t *restrict keys_in = pass->keys_in, mask = (uint64_t)pass->mask;
    uint64_t *restrict keys_out = pass->keys_out;
    const int shift = pass->shift;
    if (!pass->rows_in) {
        for (int64_t i = chunk_start(pass, chunk); i < last; i++)
            keys_out[places[(keys_in[i] >> shift) & mask]++] = keys_in[i];
        return;
    }
    for (int64_t i = chunk_start(pass, chunk); i < last; i++) {
        int64_t to = places[(keys_in[i] >> shift) & mask]++;
        keys_out[to] = keys_in[i];
        pass->rows_out[to] = pass->rows_in[i];
    }
}

/* Counts to first places; 0 where one bucket holds everything and the pass is idle. */
static int place_chunks(Pass *pass)
{
    int64_t place = 0;
    for (int64_t bucket = 0; bucket <= pass->mask; bucket++) {
        int64_t before = place;
        for (int64_t chunk = 0; chunk < pass->n_chunks; chunk++) {
            int64_t count = pass->places[chunk * BUCKETS + bucket];
            pass->places[chunk * BUCKETS + bucket] = place;
            place += count;
        }
        if (place - before == pass->n) return 0;
    }
    return 1;
}

/* Sort by `bits` bits of the keys, from bit `low` on. `rows` may be NULL. */
static int sort_by_bits(uint64_t *keys, uint32_t *rows, int64_t n, int low, int bits,
                        int n_threads)
{
    Pass pass = {.keys_in = keys, .rows_in = rows, .n = n};
    uint64_t *other_keys = large_malloc((size_t)n * sizeof *other_keys);
    uint32_t *other_rows = rows ? large_malloc((size_t)n * sizeof *other_rows) : NULL;
    /* passes of equal width: fewer places are written to at a time */
    const int n_passes = (bits + DIGIT_BITS - 1) / DIGIT_BITS;
    const int width = n_passes ? (bits + n_passes - 1) / n_passes : 0;
    pass.mask = (1 << width) - 1;
    pass.n_chunks = n / SMALLEST_CHUNK < n_threads ? n / SMALLEST_CHUNK : n_threads;
    if (pass.n_chunks < 1) pass.n_chunks = 1;
    if (pass.n_chunks > MAX_CHUNKS) pass.n_chunks = MAX_CHUNKS;
    pass.places = malloc((size_t)pass.n_chunks * BUCKETS * sizeof *pass.places);
    int failed = !other_keys || (rows && !other_rows) || !pass.places;
    pass.keys_out = other_keys;
    pass.rows_out = other_rows;
    for (pass.shift = low; !failed && pass.shift < low + bits; pass.shift += width) {
        run_blocks(count_chunk, &pass, pass.n_chunks, n_threads);
        if (!place_chunks(&pass)) continue;
        run_blocks(write_chunk, &pass, pass.n_chunks, n_threads);
        uint64_t *sorted_keys = pass.keys_out;
        uint32_t *sorted_rows = pass.rows_out;
        pass.keys_out = (uint64_t *)pass.keys_in;
        pass.rows_out = (uint32_t *)pass.rows_in;
        pass.keys_in = sorted_keys;
        pass.rows_in = sorted_rows;
    }
    if (!failed && pass.keys_in != keys) {
        memcpy(keys, pass.keys_in, (size_t)n * sizeof *keys);
        if (rows) memcpy(rows, pass.rows_in, (size_t)n * sizeof *rows);
    }
    free(other_keys);
    free(other_rows);
    free(pass.places);
    return failed;
}

int radix_sort(uint64_t *keys, uint32_t *rows, int64_t n, int bits, int n_threads)
{
    return sort_by_bits(keys, rows, n, 0, bits, n_threads);
}

int sort_packed(uint64_t *items, int64_t n, int bits, int n_threads)
{
    return sort_by_bits(items, NULL, n, PACKED_SHIFT, bits, n_threads);
}

int bits_of(uint64_t largest)
{
    int bits = 0;
    while (bits < 64 && largest >> bits) bits++;
    return bits;
}

/* Integers that sort as the doubles do; -0 as 0. */
INLINE uint64_t sortable(double value)
{
    uint64_t bits;
    value += 0.0;
    memcpy(&bits, &value, sizeof bits);
    return bits >> 63 ? ~bits : bits | (uint64_t)1 << 63;
}

/*
 * Stable order of n < 2^32 keys, none negative: the keys come back sorted, and `order`
 * holds where each was. Returns 1 if memory ran out.
 */
int argsort_keys(int64_t *keys, int64_t n, int64_t largest, int64_t *order, int n_threads)
{
    uint32_t *rows = malloc((size_t)n * sizeof *rows + 1);
    if (!rows) return 1;
    for (int64_t i = 0; i < n; i++) rows[i] = (uint32_t)i;
    int failed = radix_sort((uint64_t *)keys, rows, n, bits_of((uint64_t)largest), n_threads);
    for (int64_t i = 0; i < n; i++) order[i] = rows[i];
    free(rows);
    return failed;
}

/* Stable order of n < 2^32 doubles, none NaN. Returns 1 if memory ran out. */
int argsort_doubles(const double *values, int64_t n, int64_t *order, int n_threads)
{
    uint64_t *keys = malloc((size_t)n * sizeof *keys + 1);
    uint32_t *rows = malloc((size_t)n * sizeof *rows + 1);
    int failed = !keys || !rows;
    if (!failed) {
        for (int64_t i = 0; i < n; i++) keys[i] = sortable(values[i]), rows[i] = (uint32_t)i;
        failed = radix_sort(keys, rows, n, 64, n_threads);
        for (int64_t i = 0; i < n; i++) order[i] = rows[i];
    }
    free(keys);
    free(rows);
    return failed;
}

/* ---- distinct values -------------------------------------------------------------------- */

/* Largest range, in multiples of n, of whole numbers that are found by marking them. */
#define MARKED_RANGE 4

/* The wanted values in their order; eight that are not wanted are passed over at once. */
static int64_t collect(const double *values, const uint8_t *wanted, int64_t n, double *found)
{
    int64_t m = 0;
    for (int64_t i = 0; i < n; i += 8) {
        const int64_t end = n - i < 8 ? n : i + 8;
        uint64_t eight = 0;
        memcpy(&eight, wanted + i, (size_t)(end - i));
        if (!eight) continue;
        for (int64_t j = i; j < end; j++)
            if (wanted[j]) found[m++] = values[j];
    }
    return m;
}

/* Whether the values are whole numbers of a range below `widest`; gives the range. */
static int small_whole_numbers(const double *values, int64_t m, double widest, double *low,
                               double *high)
{
    *low = INFINITY;
    *high = -INFINITY;
    for (int64_t i = 0; i < m; i++) {
        if (!(fabs(values[i]) < 1e9) || values[i] != (double)(int64_t)values[i]) return 0;
        *low = values[i] < *low ? values[i] : *low;
        *high = values[i] > *high ? values[i] : *high;
    }
    return *high - *low < widest;
}

static int64_t distinct_marked(const double *values, int64_t m, double low, double high,
                               double *distinct)
{
    int64_t range = (int64_t)(high - low) + 1, found = 0;
    uint8_t *marks = calloc((size_t)range, 1);
    if (!marks) return -1;
    for (int64_t i = 0; i < m; i++) marks[(int64_t)(values[i] - low)] = 1;
    for (int64_t i = 0; i < range; i++)
        if (marks[i]) distinct[found++] = low + (double)i;
    free(marks);
    return found;
}

static int64_t distinct_sorted(const double *values, int64_t m, double *distinct, int n_threads)
{
    int64_t found = 0;
    uint64_t *keys = large_malloc((size_t)m * sizeof *keys);
    if (!keys) return -1;
    for (int64_t i = 0; i < m; i++) keys[i] = sortable(values[i]);
    const int failed = sort_by_bits(keys, NULL, m, 0, 64, n_threads);
    for (int64_t i = 0; !failed && i < m; i++) {
        if (i && keys[i] == keys[i - 1]) continue;
        uint64_t bits = keys[i] >> 63 ? keys[i] & ~((uint64_t)1 << 63) : ~keys[i];
        memcpy(&distinct[found++], &bits, sizeof bits);
    }
    free(keys);
    return failed ? -1 : found;
}

/*
 * Distinct values[i] with wanted[i] != 0, ascending, into `distinct` (room for all of
 * them). Returns their number, -1 if memory ran out.
 */
int64_t distinct_doubles(const double *values, const uint8_t *wanted, int64_t n, double *distinct,
                         int n_threads)
{
    double low, high, *chosen = large_malloc((size_t)n * sizeof *chosen);
    if (!chosen) return -1;
    int64_t m = collect(values, wanted, n, chosen), found = 0;
    if (m && small_whole_numbers(chosen, m, MARKED_RANGE * (double)n + 1024, &low, &high))
        found = distinct_marked(chosen, m, low, high, distinct);
    else if (m)
        found = distinct_sorted(chosen, m, distinct, n_threads);
    free(chosen);
    return found;
}

/* ---- how many times are at most a value --------------------------------------------------- */

#define COUNT_ROWS 16384

int make_grid(Grid *grid, const double *times, int64_t n_times)
{
    double range = n_times > 1 ? times[n_times - 1] - times[0] : 0;
    *grid = (Grid){.times = times, .n_cells = n_times + 1, .low = n_times ? times[0] : 0};
    grid->first = malloc((size_t)(grid->n_cells + 1) * sizeof *grid->first);
    if (!grid->first) return 1;
    grid->per_unit = range > 0 && isfinite(range) ? (double)n_times / range : 0;
    if (!isfinite(grid->per_unit) || !isfinite(grid->low)) grid->per_unit = 0;
    int64_t cell = 0;
    for (int64_t k = 0; k < n_times; k++) {
        int64_t of = cell_of(grid, times[k]);
        while (cell <= of) grid->first[cell++] = k;
    }
    while (cell <= grid->n_cells) grid->first[cell++] = n_times;
    return 0;
}

typedef struct {
    const Grid *grid;
    const double *values;
    int64_t n;
    int64_t *counts;
} Counting;

static void count_block(void *context, int64_t block)
{
    const Counting *c = context;
    int64_t last = (block + 1) * COUNT_ROWS < c->n ? (block + 1) * COUNT_ROWS : c->n;
    for (int64_t i = block * COUNT_ROWS; i < last; i++)
        c->counts[i] = times_at_most(c->grid, c->values[i]);
}

/* counts[i] = number of `times` (ascending, distinct) <= values[i]. 1: no memory. */
int count_at_most(const double *times, int64_t n_times, const double *values, int64_t n,
                  int64_t *counts, int n_threads)
{
    Grid grid;
    if (make_grid(&grid, times, n_times)) return 1;
    Counting c = {&grid, values, n, counts};
    run_blocks(count_block, &c, (n + COUNT_ROWS - 1) / COUNT_ROWS, n_threads);
    free(grid.first);
    return 0;
}

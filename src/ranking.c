/*
 * Order and dense ranks of doubles.
 *
 * Values are mapped to 32-bit keys by a monotone line and sorted with their row numbers as one
 * 64-bit word, which halves the passes of a radix sort of doubles. Whole numbers of a small
 * range are their own keys; other values that share a key are sorted among themselves after.
 */
#include "ranking.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DIGIT_BITS 11
#define BUCKETS (1 << DIGIT_BITS)
#define MAX_CHUNKS 16
#define SMALLEST_CHUNK 65536
#define SHORT_RUN 24
#define KEY_SHIFT 32
#define MARK_BIT 0x80000000u
#define BLOCKS 64

typedef struct {
    const uint64_t *from;
    uint64_t *to;
    int64_t n, n_chunks;
    int shift;
    uint64_t mask;
    int64_t (*places)[BUCKETS];
} Pass;

INLINE int64_t chunk_start(const Pass *pass, int64_t chunk)
{
    return pass->n / pass->n_chunks * chunk + pass->n % pass->n_chunks * chunk / pass->n_chunks;
}

static void count_chunk(void *context, int64_t chunk)
{
    const Pass *pass = context;
    int64_t *counts = pass->places[chunk];
    memset(counts, 0, sizeof *pass->places);
    for (int64_t i = chunk_start(pass, chunk); i < chunk_start(pass, chunk + 1); i++)
        counts[pass->from[i] >> pass->shift & pass->mask]++;
}

static void write_chunk(void *context, int64_t chunk)
{
    const Pass *pass = context;
    int64_t *places = pass->places[chunk];
    for (int64_t i = chunk_start(pass, chunk); i < chunk_start(pass, chunk + 1); i++)
        pass->to[places[pass->from[i] >> pass->shift & pass->mask]++] = pass->from[i];
}

static void place_chunks(Pass *pass)
{
    int64_t place = 0;
    for (int64_t bucket = 0; bucket < BUCKETS; bucket++)
        for (int64_t chunk = 0; chunk < pass->n_chunks; chunk++) {
            const int64_t count = pass->places[chunk][bucket];
            pass->places[chunk][bucket] = place;
            place += count;
        }
}

uint64_t *sort_words(uint64_t *words, uint64_t *other, int64_t n, int low_bit, int bits,
                     int n_threads)
{
    int64_t n_chunks = 1;
    while (n_chunks < MAX_CHUNKS && n_chunks < n_threads && n / (n_chunks + 1) >= SMALLEST_CHUNK)
        n_chunks++;
    int64_t places[n_chunks][BUCKETS];
    Pass pass = {.from = words, .to = other, .n = n, .n_chunks = n_chunks, .places = places};
    const int n_passes = (bits + DIGIT_BITS - 1) / DIGIT_BITS;
    for (int done = 0; done < n_passes; done++) {
        const int first = bits * done / n_passes, last = bits * (done + 1) / n_passes;
        pass.shift = low_bit + first;
        pass.mask = ((uint64_t)1 << (last - first)) - 1;
        run_blocks(count_chunk, &pass, pass.n_chunks, n_threads);
        place_chunks(&pass);
        run_blocks(write_chunk, &pass, pass.n_chunks, n_threads);
        uint64_t *sorted = pass.to;
        pass.to = (uint64_t *)pass.from;
        pass.from = sorted;
    }
    return (uint64_t *)pass.from;
}

/* key = (value - low) / unit, monotone; `lift` keeps the difference from overflow. */
typedef struct {
    double low, lift, per_unit;
    uint32_t highest;
    int exact;
} Line;

typedef struct {
    double low, high;
    int whole;
} Range;

INLINE void widen(Range *range, double value)
{
    range->low = value < range->low ? value : range->low;
    range->high = value > range->high ? value : range->high;
    range->whole &= value == floor(value);
}

static Line line_over(Range found)
{
    Line line = {.low = found.low, .lift = 1.0, .per_unit = 1.0, .highest = UINT32_MAX};
    double range = found.high - found.low;
    line.exact = found.whole && range < 4294967295.0;
    if (line.exact) {
        line.highest = (uint32_t)range;
        return line;
    }
    if (!isfinite(range)) line.lift = 0.25;
    if (range < 0x1p-900) line.lift = 0x1p600;
    line.low *= line.lift;
    line.per_unit = 4294967040.0 / (found.high * line.lift - line.low);
    return line;
}

INLINE uint64_t key_of(const Line *line, double value)
{
    const double key = (value * line->lift - line->low) * line->per_unit;
    return key < 4294967295.0 ? (uint64_t)key : UINT32_MAX;
}

static int bits_of(uint32_t highest)
{
    int bits = 0;
    while (bits < 32 && highest >> bits) bits++;
    return bits;
}

INLINE double value_at(const double *values, uint64_t word)
{
    return values[(uint32_t)word & ~MARK_BIT];
}

/* ---- values that share a key -------------------------------------------------------------- */

static void insert_short(const double *values, uint64_t *words, int64_t n)
{
    for (int64_t i = 1; i < n; i++) {
        const uint64_t word = words[i];
        const double value = value_at(values, word);
        int64_t j = i;
        for (; j > 0 && value_at(values, words[j - 1]) > value; j--) words[j] = words[j - 1];
        words[j] = word;
    }
}

static void sort_runs(const double *values, uint64_t *words, uint64_t *other, int64_t n);

/* Sort words of one key by their values: over their own range, keys differ. Equal values keep
 * their order, and all keep their key. */
static void sort_run(const double *values, uint64_t *words, uint64_t *other, int64_t n)
{
    if (n <= SHORT_RUN) {
        insert_short(values, words, n);
        return;
    }
    const uint64_t key = words[0] >> KEY_SHIFT << KEY_SHIFT;
    Range range = {INFINITY, -INFINITY, 1};
    for (int64_t i = 0; i < n; i++) widen(&range, value_at(values, words[i]));
    if (range.low == range.high) return;
    const Line line = line_over(range);
    for (int64_t i = 0; i < n; i++)
        words[i] = key_of(&line, value_at(values, words[i])) << KEY_SHIFT | (uint32_t)words[i];
    uint64_t *sorted = sort_words(words, other, n, KEY_SHIFT, bits_of(line.highest), 1);
    if (sorted != words) memcpy(words, sorted, (size_t)n * sizeof *words);
    if (!line.exact) sort_runs(values, words, other, n);
    for (int64_t i = 0; i < n; i++) words[i] = key | (uint32_t)words[i];
}

static void sort_runs(const double *values, uint64_t *words, uint64_t *other, int64_t n)
{
    for (int64_t i = 0, end; i < n; i = end) {
        const uint64_t key = words[i] >> KEY_SHIFT;
        for (end = i + 1; end < n && words[end] >> KEY_SHIFT == key;) end++;
        if (end > i + 1) sort_run(values, words + i, other + i, end - i);
    }
}

/* ---- all values --------------------------------------------------------------------------- */

typedef struct {
    const double *values;
    const uint8_t *marks;
    uint64_t *words, *other;
    int64_t n, step, n_blocks;
    Range ranges[BLOCKS];
    Line line;
    int64_t starts[BLOCKS + 1]; /* of blocks that no run crosses */
} Ranking;

VECTORISED static void find_range(void *context, int64_t block)
{
    Ranking *r = context;
    const int64_t last = (block + 1) * r->step < r->n ? (block + 1) * r->step : r->n;
    Range range = {INFINITY, -INFINITY, 1};
    for (int64_t i = block * r->step; i < last; i++) widen(&range, r->values[i]);
    r->ranges[block] = range;
}

VECTORISED static void make_keys(void *context, int64_t block)
{
    Ranking *r = context;
    const Line line = r->line;
    const int64_t last = (block + 1) * r->step < r->n ? (block + 1) * r->step : r->n;
    for (int64_t i = block * r->step; i < last; i++)
        r->words[i] = key_of(&line, r->values[i]) << KEY_SHIFT |
                      (r->marks && r->marks[i] ? MARK_BIT : 0) | (uint64_t)i;
}

static void sort_block_runs(void *context, int64_t block)
{
    Ranking *r = context;
    const int64_t first = r->starts[block], n = r->starts[block + 1] - first;
    sort_runs(r->values, r->words + first, r->other + first, n);
}

static void sort_values(Ranking *r, int n_threads)
{
    Range all = {INFINITY, -INFINITY, 1};
    run_blocks(find_range, r, r->n_blocks, n_threads);
    for (int64_t b = 0; b < r->n_blocks; b++) {
        all.low = r->ranges[b].low < all.low ? r->ranges[b].low : all.low;
        all.high = r->ranges[b].high > all.high ? r->ranges[b].high : all.high;
        all.whole &= r->ranges[b].whole;
    }
    r->line = line_over(all);
    run_blocks(make_keys, r, r->n_blocks, n_threads);
    uint64_t *sorted =
        sort_words(r->words, r->other, r->n, KEY_SHIFT, bits_of(r->line.highest), n_threads);
    if (sorted != r->words) {
        r->other = r->words;
        r->words = sorted;
    }
    if (r->line.exact) return;
    for (int64_t b = 1; b < r->n_blocks; b++) {
        int64_t start = b * r->step;
        while (start < r->n && start > 0 &&
               r->words[start] >> KEY_SHIFT == r->words[start - 1] >> KEY_SHIFT)
            start++;
        r->starts[b] = start;
    }
    r->starts[0] = 0;
    r->starts[r->n_blocks] = r->n;
    run_blocks(sort_block_runs, r, r->n_blocks, n_threads);
}

int rank_doubles(const double *values, const uint8_t *marks, int64_t n, uint32_t *order,
                 uint32_t *rank, int n_threads)
{
    uint64_t *words = malloc((size_t)n * sizeof *words + 1);
    uint64_t *other = malloc((size_t)n * sizeof *other + 1);
    const int failed = !words || !other;
    if (!failed && n > 0) {
        Ranking r = {.values = values, .marks = marks, .words = words, .other = other, .n = n};
        r.step = n / BLOCKS + 1;
        r.n_blocks = (n + r.step - 1) / r.step;
        sort_values(&r, n_threads);
        uint32_t last = 0;
        for (int64_t i = 0; i < n; i++) {
            const uint64_t word = r.words[i];
            /* values of one key are compared themselves */
            if (i > 0 && (word >> KEY_SHIFT != r.words[i - 1] >> KEY_SHIFT ||
                          (!r.line.exact &&
                           value_at(values, word) != value_at(values, r.words[i - 1]))))
                last++;
            order[i] = (uint32_t)word;
            rank[i] = last;
        }
    }
    free(words);
    free(other);
    return failed;
}

int split_by_code(const int64_t *codes, int64_t n_codes, int64_t n, uint32_t *order,
                  uint32_t *rank)
{
    int64_t *places = calloc((size_t)n_codes + 1, sizeof *places);
    uint32_t *new_order = malloc((size_t)n * sizeof *new_order + 1);
    uint32_t *new_rank = malloc((size_t)n * sizeof *new_rank + 1);
    const int failed = !places || !new_order || !new_rank;
    if (!failed) {
        for (int64_t i = 0; i < n; i++) places[codes[i] + 1]++;
        for (int64_t code = 0; code < n_codes; code++) places[code + 1] += places[code];
        for (int64_t i = 0; i < n; i++) {
            const int64_t to = places[codes[order[i] & ~MARK_BIT]]++;
            new_order[to] = order[i];
            new_rank[to] = rank[i];
        }
        memcpy(order, new_order, (size_t)n * sizeof *order);
        memcpy(rank, new_rank, (size_t)n * sizeof *rank);
    }
    free(places);
    free(new_order);
    free(new_rank);
    return failed;
}

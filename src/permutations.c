/*
 * Random permutations: the order of random keys.
 *
 * A key is 63 random bits of which the lowest, as many as number the subjects, are the
 * subject itself: keys are distinct, and what is sorted carries its own index. As the keys
 * are uniform, their leading bits cut them into buckets of nearly equal size that fit the
 * first cache; there a count by the next bits leaves almost every key in its place.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "draws.h"
#include "sorting.h"

#define KEY_BITS 63
#define BUCKET_KEYS 1024 /* wanted in a bucket */
#define MOST_BUCKET_BITS 14
#define MOST_CELLS 4096
#define AT_ONCE 256

typedef struct {
    uint64_t *items;  /* buckets x capacity */
    uint64_t *sorted; /* capacity */
    int64_t *filled;  /* keys in each bucket */
} Buckets;

INLINE int bucket_bits(int64_t n)
{
    int bits = 0;
    while (bits < MOST_BUCKET_BITS && (n >> bits) > BUCKET_KEYS) bits++;
    return bits;
}

/* So much room that uniform keys never fill it: ten standard deviations beyond the mean. */
INLINE int64_t capacity_of(int64_t n)
{
    double mean = (double)n / (double)(INT64_C(1) << bucket_bits(n));
    return (int64_t)(mean + 10.0 * sqrt(mean)) + 64;
}

/* Room for one bucket; never less for more keys. */
INLINE int64_t sorted_room(int64_t n)
{
    const int64_t usual = capacity_of(BUCKET_KEYS), own = capacity_of(n);
    return own > usual ? own : usual;
}

int64_t permutation_scratch(int64_t n)
{
    const int64_t n_buckets = INT64_C(1) << bucket_bits(n);
    const int64_t items = n + sorted_room(n) + n_buckets + n_buckets * capacity_of(n);
    return items * (int64_t)sizeof(uint64_t);
}

/* The keys of some subjects of one replicate. */
typedef struct {
    uint64_t stream;
    int64_t n;
    const int32_t *members; /* n subjects, or NULL for 0 .. n - 1 */
    uint64_t low;           /* the bits of a key that are the subject */
} Keys;

INLINE void make_keys(const Keys *keys, int64_t first, int64_t n, uint64_t *restrict items)
{
    for (int64_t i = 0; i < n; i++) {
        const int64_t subject = keys->members ? keys->members[first + i] : first + i;
        items[i] = ((bits(keys->stream, subject) >> 1) & ~keys->low) | (uint64_t)subject;
    }
}

INLINE void insertion_sort(uint64_t *restrict items, int64_t n)
{
    for (int64_t i = 1; i < n; i++) {
        const uint64_t item = items[i];
        int64_t j = i;
        for (; j > 0 && items[j - 1] > item; j--) items[j] = items[j - 1];
        items[j] = item;
    }
}

/* Sort one bucket, whose keys agree above `top` bits, into `sorted`. */
INLINE void sort_bucket(const uint64_t *restrict items, int64_t n, int top,
                        uint64_t *restrict sorted)
{
    uint32_t ends[MOST_CELLS + 1];
    int bits = 1;
    while ((INT64_C(1) << bits) < n && (1 << bits) < MOST_CELLS) bits++;
    const int shift = top - bits;
    const uint64_t mask = (UINT64_C(1) << bits) - 1;
    memset(ends, 0, (((size_t)1 << bits) + 1) * sizeof *ends);
    for (int64_t i = 0; i < n; i++) ends[((items[i] >> shift) & mask) + 1]++;
    for (int64_t c = 1; c <= (int64_t)mask; c++) ends[c] += ends[c - 1];
    for (int64_t i = 0; i < n; i++) sorted[ends[(items[i] >> shift) & mask]++] = items[i];
    insertion_sort(sorted, n);
}

/* Cut the keys into buckets; 1 if one of them overflows. */
VECTORISED static int fill_buckets(const Keys *keys, const Buckets *buckets)
{
    const int64_t n = keys->n, capacity = capacity_of(n);
    const int shift = KEY_BITS - bucket_bits(n);
    const int64_t n_buckets = INT64_C(1) << bucket_bits(n);
    memset(buckets->filled, 0, (size_t)n_buckets * sizeof(int64_t));
    uint64_t block[AT_ONCE];
    for (int64_t first = 0; first < n; first += AT_ONCE) {
        const int64_t size = n - first < AT_ONCE ? n - first : AT_ONCE;
        make_keys(keys, first, size, block);
        for (int64_t i = 0; i < size; i++) {
            const int64_t bucket = (int64_t)(block[i] >> shift);
            const int64_t place = buckets->filled[bucket]++;
            if (place >= capacity) return 1;
            buckets->items[bucket * capacity + place] = block[i];
        }
    }
    return 0;
}

static int compare(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* For keys that overflow a bucket, if ever any do. */
static void order_plainly(const Keys *keys, uint64_t *items, int32_t *order)
{
    make_keys(keys, 0, keys->n, items);
    qsort(items, (size_t)keys->n, sizeof *items, compare);
    for (int64_t i = 0; i < keys->n; i++) order[i] = (int32_t)(items[i] & keys->low);
}

/* order (n): the subjects in the order of their keys. */
VECTORISED static void order_keys(const Keys *keys, char *scratch, int32_t *restrict order)
{
    const int64_t n = keys->n, capacity = capacity_of(n);
    const int64_t n_buckets = INT64_C(1) << bucket_bits(n);
    const int top = KEY_BITS - bucket_bits(n);
    Buckets buckets = {.sorted = (uint64_t *)scratch};
    buckets.filled = (int64_t *)(buckets.sorted + sorted_room(n));
    buckets.items = (uint64_t *)(buckets.filled + n_buckets);
    if (fill_buckets(keys, &buckets)) {
        order_plainly(keys, buckets.items, order);
        return;
    }
    for (int64_t bucket = 0; bucket < n_buckets; bucket++) {
        const int64_t size = buckets.filled[bucket];
        sort_bucket(buckets.items + bucket * capacity, size, top, buckets.sorted);
        for (int64_t i = 0; i < size; i++) order[i] = (int32_t)(buckets.sorted[i] & keys->low);
        order += size;
    }
}

void permute(uint64_t stream_key, int64_t n, const Strata *strata, char *scratch,
             int32_t *donors)
{
    Keys keys = {stream_key, n, NULL, (UINT64_C(1) << bits_of(n > 1 ? (uint64_t)n - 1 : 1)) - 1};
    if (!strata->n_strata) {
        order_keys(&keys, scratch, donors);
        return;
    }
    int32_t *order = (int32_t *)scratch;
    for (int64_t s = 0; s < strata->n_strata; s++) {
        keys.members = strata->members + strata->offsets[s];
        keys.n = strata->offsets[s + 1] - strata->offsets[s];
        order_keys(&keys, scratch + n * (int64_t)sizeof(uint64_t), order);
        for (int64_t i = 0; i < keys.n; i++) donors[keys.members[i]] = order[i];
    }
}

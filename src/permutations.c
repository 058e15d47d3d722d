/*
 * Random permutations in buckets (Rao 1961, Sandelius 1962).
 *
 * The leading bits of a subject's random number choose a bucket; within a bucket the order
 * is made by Fisher and Yates's shuffle with the trailing 32 bits. All orders of subjects are
 * as likely, and the shuffle stays in the first cache.
 */
#include <math.h>
#include <string.h>

#include "draws.h"

#define BUCKET_SUBJECTS 1024 /* at most on average, up to 2^24 subjects */
#define MOST_BUCKET_BITS 14
#define AT_ONCE 256

/* Bits that choose a bucket among n subjects; part of the definition of the draws. */
INLINE int bucket_bits(int64_t n)
{
    int bits = 0;
    while (bits < MOST_BUCKET_BITS && (n >> bits) > BUCKET_SUBJECTS) bits++;
    return bits;
}

/* Room for a bucket: one in a few permutations has a larger one, and is made again. */
INLINE int64_t room_for(int64_t n, int bits)
{
    const double mean = (double)n / (double)(INT64_C(1) << bits);
    return bits ? (int64_t)(mean + 4.0 * sqrt(mean)) : n;
}

/* The most that any n subjects and any of their strata need. */
INLINE int64_t most_items(int64_t n)
{
    const int bits = bucket_bits(n);
    return room_for(n, bits) << bits;
}

int64_t permutation_scratch(int64_t n)
{
    const int64_t numbers = (INT64_C(1) << MOST_BUCKET_BITS) + 1;
    return (most_items(n) + n + numbers) * (int64_t)sizeof(uint64_t);
}

typedef struct {
    uint64_t stream;
    int64_t n;
    const int32_t *members; /* n subjects, or NULL for 0 .. n - 1 */
    int bits;
    uint64_t *items;  /* trailing bits of the random number, and the subject */
    uint32_t *starts; /* buckets + 1: of the items of each */
    uint32_t *ends;   /* buckets */
} Shuffle;

INLINE int64_t bucket_of(const Shuffle *s, uint64_t random)
{
    return (int64_t)(random >> 1 >> (63 - s->bits));
}

INLINE void random_block(const Shuffle *s, int64_t first, int64_t size, uint64_t *restrict block)
{
    if (s->members)
        for (int64_t i = 0; i < size; i++) block[i] = bits(s->stream, s->members[first + i]);
    else
        for (int64_t i = 0; i < size; i++) block[i] = bits(s->stream, first + i);
}

INLINE int64_t block_size(const Shuffle *s, int64_t first)
{
    return s->n - first < AT_ONCE ? s->n - first : AT_ONCE;
}

/* Where each bucket starts, by counting. */
INLINE void count_buckets(const Shuffle *s)
{
    const int64_t n_buckets = INT64_C(1) << s->bits;
    uint64_t block[AT_ONCE];
    memset(s->starts, 0, (size_t)(n_buckets + 1) * sizeof *s->starts);
    for (int64_t first = 0; first < s->n; first += AT_ONCE) {
        const int64_t size = block_size(s, first);
        random_block(s, first, size, block);
        for (int64_t i = 0; i < size; i++) s->starts[bucket_of(s, block[i]) + 1]++;
    }
    for (int64_t b = 0; b < n_buckets; b++) s->starts[b + 1] += s->starts[b];
}

/* Subjects into their buckets, from starts to ends; 1 if a bucket reaches the next. */
INLINE int fill_buckets(const Shuffle *s)
{
    uint64_t block[AT_ONCE];
    memcpy(s->ends, s->starts, ((size_t)1 << s->bits) * sizeof *s->ends);
    for (int64_t first = 0; first < s->n; first += AT_ONCE) {
        const int64_t size = block_size(s, first);
        random_block(s, first, size, block);
        for (int64_t i = 0; i < size; i++) {
            const int64_t subject = s->members ? s->members[first + i] : first + i;
            const int64_t bucket = bucket_of(s, block[i]);
            const uint32_t place = s->ends[bucket]++;
            if (place >= s->starts[bucket + 1]) return 1;
            s->items[place] = block[i] << 32 | (uint64_t)subject;
        }
    }
    return 0;
}

/* order (n): the subjects in random order. */
VECTORISED static void shuffle(const Shuffle *s, int32_t *restrict order)
{
    const int64_t n_buckets = INT64_C(1) << s->bits, room = room_for(s->n, s->bits);
    for (int64_t b = 0; b <= n_buckets; b++) s->starts[b] = (uint32_t)(b * room);
    if (fill_buckets(s)) {
        count_buckets(s);
        fill_buckets(s);
    }
    for (int64_t b = 0; b < n_buckets; b++) {
        const uint64_t *restrict items = s->items + s->starts[b];
        const int64_t size = s->ends[b] - s->starts[b];
        for (int64_t i = 0; i < size; i++) {
            const int64_t j = (int64_t)((items[i] >> 32) * (uint64_t)(i + 1) >> 32);
            order[i] = order[j];
            order[j] = (int32_t)items[i];
        }
        order += size;
    }
}

void permute(uint64_t stream_key, int64_t n, const Strata *strata, char *scratch,
             int32_t *donors)
{
    Shuffle s = {.stream = stream_key, .n = n, .bits = bucket_bits(n)};
    s.items = (uint64_t *)scratch;
    int32_t *order = (int32_t *)(s.items + most_items(n));
    s.starts = (uint32_t *)(order + 2 * n);
    s.ends = s.starts + (INT64_C(1) << MOST_BUCKET_BITS) + 1;
    if (!strata->n_strata) {
        shuffle(&s, donors);
        return;
    }
    for (int64_t stratum = 0; stratum < strata->n_strata; stratum++) {
        s.members = strata->members + strata->offsets[stratum];
        s.n = strata->offsets[stratum + 1] - strata->offsets[stratum];
        s.bits = bucket_bits(s.n);
        shuffle(&s, order);
        for (int64_t i = 0; i < s.n; i++) donors[s.members[i]] = order[i];
    }
}

/*
 * Inversions, digit by digit of the places: records are partitioned by the highest digit, and
 * pairs that differ in it are counted on the way; each bucket, which fits the cache, is then
 * treated alike with the next digit.
 */
#include "inversions.h"

#include <string.h>

#include "ranking.h"

#define DIGIT_BITS 8
#define BUCKETS (1 << DIGIT_BITS)
#define PART 16
#define COUNT_MASK 0xffffffffu

/* Numbers of the records seen so far, summed over digits in two steps: over whole parts of
 * 16 digits, and over the digits of the same part. */
typedef struct {
    uint32_t above_part[PART], above[BUCKETS]; /* all records with a higher digit */
    uint32_t below_part[PART], below[BUCKETS]; /* events with a lower digit */
} Seen;

typedef struct {
    uint32_t less[PART][PART], more[PART][PART]; /* all bits where column < row, > row */
} Masks;

static void fill_masks(Masks *masks)
{
    for (int row = 0; row < PART; row++)
        for (int column = 0; column < PART; column++) {
            masks->less[row][column] = column < row ? ~0u : 0;
            masks->more[row][column] = column > row ? ~0u : 0;
        }
}

INLINE void add_seen(Seen *seen, const Masks *masks, uint32_t digit, uint32_t all, uint32_t event)
{
    const uint32_t part = digit / PART, within = digit % PART;
    uint32_t *restrict above = seen->above + part * PART;
    uint32_t *restrict below = seen->below + part * PART;
    for (int j = 0; j < PART; j++) seen->above_part[j] += masks->less[part][j] & all;
    for (int j = 0; j < PART; j++) above[j] += masks->less[within][j] & all;
    for (int j = 0; j < PART; j++) seen->below_part[j] += masks->more[part][j] & event;
    for (int j = 0; j < PART; j++) below[j] += masks->more[within][j] & event;
}

INLINE uint32_t digit_of(uint64_t record, int shift)
{
    return (uint32_t)(record >> shift) & (BUCKETS - 1);
}

INLINE uint32_t number_of(uint64_t record) { return record & IS_START ? ~0u : 1u; }

/* Where each digit's bucket ends, and how many records have a higher digit. */
static void size_up(const uint64_t *records, int64_t n, int shift, int64_t *ends, uint32_t *above)
{
    memset(ends, 0, BUCKETS * sizeof *ends);
    memset(above, 0, BUCKETS * sizeof *above);
    for (int64_t i = 0; i < n; i++) {
        ends[digit_of(records[i], shift)]++;
        above[digit_of(records[i], shift)] += number_of(records[i]);
    }
    uint32_t beyond = 0;
    for (int j = BUCKETS - 1; j >= 0; j--) {
        const uint32_t own = above[j];
        above[j] = beyond;
        beyond += own;
    }
    for (int j = 1; j < BUCKETS; j++) ends[j] += ends[j - 1];
}

/*
 * Count the pairs that differ in the digit at `shift` and partition the records by it, `ends`
 * becoming the starts of the buckets. Going backwards, the events seen with a lower digit are
 * those after the record; what has a higher digit and was not seen is before it.
 */
VECTORISED static void count_digit(const Masks *masks, const uint64_t *restrict from,
                                   uint64_t *restrict to, int64_t n, int shift, int64_t *ends)
{
    Seen seen;
    uint32_t all_above[BUCKETS];
    size_up(from, n, shift, ends, all_above);
    memset(&seen, 0, sizeof seen);
    for (int64_t i = n - 1; i >= 0; i--) {
        const uint64_t record = from[i];
        const uint32_t digit = digit_of(record, shift), part = digit / PART;
        const uint32_t event = (uint32_t)(record / IS_EVENT) & 1;
        const uint32_t before = all_above[digit] - seen.above_part[part] - seen.above[digit];
        const uint32_t after = seen.below_part[part] + seen.below[digit];
        const uint32_t count = (uint32_t)record + after + (before & (0u - event));
        add_seen(&seen, masks, digit, number_of(record), event);
        to[--ends[digit]] = (record & ~(uint64_t)COUNT_MASK) | count;
    }
}

/* All digits from `shift` down. The result is in `to` or in `from`. */
static void count_block(const Masks *masks, uint64_t *from, uint64_t *to, int64_t n, int shift,
                        int result_in_to)
{
    int64_t starts[BUCKETS + 1];
    if (n > 1) {
        count_digit(masks, from, to, n, shift, starts);
        if (shift == PLACE_SHIFT && !result_in_to) memcpy(from, to, (size_t)n * sizeof *to);
    } else if (n == 1 && result_in_to) {
        to[0] = from[0];
    }
    if (n < 2 || shift == PLACE_SHIFT) return;
    starts[BUCKETS] = n;
    for (int j = 0; j < BUCKETS; j++)
        count_block(masks, to + starts[j], from + starts[j], starts[j + 1] - starts[j],
                    shift - DIGIT_BITS, !result_in_to);
}

typedef struct {
    Masks masks;
    uint64_t *from, *to;
    int shift, result_in_to;
    int64_t starts[BUCKETS + 1];
} Inversions;

static void count_bucket(void *context, int64_t bucket)
{
    const Inversions *work = context;
    const int64_t start = work->starts[bucket], n = work->starts[bucket + 1] - start;
    count_block(&work->masks, work->to + start, work->from + start, n,
                work->shift - DIGIT_BITS, !work->result_in_to);
}

uint64_t *count_inversions(uint64_t *records, uint64_t *other, int64_t n, int n_threads)
{
    Inversions work = {.from = records, .to = other, .shift = PLACE_SHIFT};
    if (n < 2) return records;
    while ((n - 1) >> (work.shift - PLACE_SHIFT) >= BUCKETS) {
        work.shift += DIGIT_BITS;
        work.result_in_to = !work.result_in_to;
    }
    work.result_in_to = !work.result_in_to;
    fill_masks(&work.masks);
    count_digit(&work.masks, records, other, n, work.shift, work.starts);
    work.starts[BUCKETS] = n;
    if (work.shift > PLACE_SHIFT) run_blocks(count_bucket, &work, BUCKETS, n_threads);
    return work.result_in_to ? other : records;
}

void sort_by_place(uint64_t *records, uint64_t *other, int64_t n)
{
    if (n > 32) {
        uint64_t *sorted = sort_words(records, other, n, PLACE_SHIFT, 64 - PLACE_SHIFT, 1);
        if (sorted != records) memcpy(records, sorted, (size_t)n * sizeof *records);
        return;
    }
    for (int64_t i = 1; i < n; i++) {
        const uint64_t record = records[i];
        int64_t j = i;
        for (; j > 0 && records[j - 1] > record; j--) records[j] = records[j - 1];
        records[j] = record;
    }
}

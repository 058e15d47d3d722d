/*
 * Sums over the inversions of weighted records, digit by digit of the places: see inversions.c.
 * Twin of inversion_sums() in survivalgpu/inversions.py; sums of integers, exact in any order.
 */
#include <stdlib.h>
#include <string.h>

#include "inversions.h"

#define DIGIT_BITS 8
#define BUCKETS (1 << DIGIT_BITS)
#define PART 16

typedef struct {
    int64_t place, early, late, of_early, of_late;
} Record;

/* Sums of the records seen so far: over whole parts of 16 digits, and over digits of a part. */
typedef struct {
    int64_t above_part[PART], above[BUCKETS]; /* early, of the records with a higher digit */
    int64_t below_part[PART], below[BUCKETS]; /* late, of those with a lower digit */
} Seen;

INLINE void add_seen(Seen *seen, uint32_t digit, int64_t early, int64_t late)
{
    const int part = (int)(digit / PART), within = (int)(digit % PART);
    int64_t *restrict above = seen->above + part * PART, *restrict below = seen->below + part * PART;
    for (int j = 0; j < PART; j++) {
        seen->above_part[j] += j < part ? early : 0;
        seen->below_part[j] += j > part ? late : 0;
        above[j] += j < within ? early : 0;
        below[j] += j > within ? late : 0;
    }
}

INLINE uint32_t digit_of(const Record *record, int shift)
{
    return (uint32_t)(record->place >> shift) & (BUCKETS - 1);
}

/* Count the pairs that differ in one digit and partition by it; `starts` gets the buckets'. */
VECTORISED static void sum_digit(const Record *restrict from, Record *restrict to, int64_t n,
                                 int shift, int64_t *starts)
{
    Seen seen;
    int64_t above[BUCKETS], beyond = 0;
    memset(&seen, 0, sizeof seen);
    memset(above, 0, sizeof above);
    memset(starts, 0, BUCKETS * sizeof *starts);
    for (int64_t i = 0; i < n; i++) {
        starts[digit_of(from + i, shift)]++;
        above[digit_of(from + i, shift)] += from[i].early;
    }
    for (int j = BUCKETS - 1; j >= 0; j--) {
        const int64_t own = above[j];
        above[j] = beyond;
        beyond += own;
    }
    for (int j = 1; j < BUCKETS; j++) starts[j] += starts[j - 1];
    for (int64_t i = n - 1; i >= 0; i--) {
        Record record = from[i];
        const uint32_t digit = digit_of(&record, shift), part = digit / PART;
        record.of_early += above[digit] - seen.above_part[part] - seen.above[digit];
        record.of_late += seen.below_part[part] + seen.below[digit];
        add_seen(&seen, digit, record.early, record.late);
        to[--starts[digit]] = record;
    }
}

/* All digits from `shift` down. The result is in `to` or in `from`. */
static void sum_block(Record *from, Record *to, int64_t n, int shift, int result_in_to)
{
    int64_t starts[BUCKETS + 1];
    if (n > 1) {
        sum_digit(from, to, n, shift, starts);
        if (shift == 0 && !result_in_to) memcpy(from, to, (size_t)n * sizeof *to);
    } else if (n == 1 && result_in_to) {
        to[0] = from[0];
    }
    if (n < 2 || shift == 0) return;
    starts[BUCKETS] = n;
    for (int j = 0; j < BUCKETS; j++)
        sum_block(to + starts[j], from + starts[j], starts[j + 1] - starts[j], shift - DIGIT_BITS,
                  !result_in_to);
}

typedef struct {
    Record *from, *to;
    int shift, result_in_to;
    int64_t starts[BUCKETS + 1];
} Sums;

static void sum_bucket(void *context, int64_t bucket)
{
    const Sums *work = context;
    const int64_t start = work->starts[bucket], n = work->starts[bucket + 1] - start;
    sum_block(work->to + start, work->from + start, n, work->shift - DIGIT_BITS,
              !work->result_in_to);
}

/* `place` is a permutation of 0 .. n - 1; the sums are in the order of the places. 1: no memory. */
int inversion_sums(const int64_t *place, const int64_t *early, const int64_t *late, int64_t n,
                   int64_t *of_early, int64_t *of_late, int n_threads)
{
    Sums work = {.from = malloc((size_t)n * sizeof(Record) + 1),
                 .to = malloc((size_t)n * sizeof(Record) + 1)};
    const int failed = !work.from || !work.to;
    if (!failed) {
        for (int64_t i = 0; i < n; i++)
            work.from[i] = (Record){.place = place[i], .early = early[i], .late = late[i]};
        work.result_in_to = 1;
        while (n > 0 && (n - 1) >> work.shift >= BUCKETS) {
            work.shift += DIGIT_BITS;
            work.result_in_to = !work.result_in_to;
        }
        sum_digit(work.from, work.to, n, work.shift, work.starts);
        work.starts[BUCKETS] = n;
        if (work.shift > 0) run_blocks(sum_bucket, &work, BUCKETS, n_threads);
        const Record *records = work.result_in_to ? work.to : work.from;
        for (int64_t i = 0; i < n; i++) {
            of_early[i] = records[i].of_early;
            of_late[i] = records[i].of_late;
        }
    }
    free(work.from);
    free(work.to);
    return failed;
}

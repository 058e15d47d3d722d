/*
 * survival's rounding of times: aeqSurv(). Of all distinct finite times in ascending
 * order, a time is tied to the one before it if their difference, or that difference over
 * the mean absolute time, is at most the tolerance. Tied times take the first of their run.
 */
#include "r_helpers.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DIGIT_BITS 11
#define BUCKETS (1 << DIGIT_BITS)
#define SORTED_BITS (3 * DIGIT_BITS)
#define SHORT_RUN 24

/* Integers that sort as the doubles do; -0 as 0. */
static uint64_t sortable(double value)
{
    uint64_t bits;
    value += 0.0;
    memcpy(&bits, &value, sizeof bits);
    return bits >> 63 ? ~bits : bits | (uint64_t)1 << 63;
}

static double unsorted(uint64_t key)
{
    uint64_t bits = key >> 63 ? key & ~((uint64_t)1 << 63) : ~key;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static int compare_keys(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static void sort_run(uint64_t *keys, R_xlen_t n)
{
    if (n > SHORT_RUN) {
        qsort(keys, (size_t)n, sizeof *keys, compare_keys);
        return;
    }
    for (R_xlen_t i = 1; i < n; i++) {
        uint64_t key = keys[i];
        R_xlen_t j = i;
        for (; j > 0 && keys[j - 1] > key; j--) keys[j] = keys[j - 1];
        keys[j] = key;
    }
}

/* Sort by the leading bits in which the keys differ, digit by digit, then the short runs
 * that agree in them. Returns the one of the two buffers that holds the result. */
static uint64_t *sort_keys(uint64_t *keys, uint64_t *other, R_xlen_t n)
{
    uint64_t differing = 0;
    int high = 0;
    for (R_xlen_t i = 1; i < n; i++) differing |= keys[i] ^ keys[0];
    while (high < 64 && differing >> high) high++;
    const int low = high > SORTED_BITS ? high - SORTED_BITS : 0;
    for (int shift = low; shift < high; shift += DIGIT_BITS) {
        R_xlen_t places[BUCKETS] = {0}, place = 0;
        for (R_xlen_t i = 0; i < n; i++) places[(keys[i] >> shift) & (BUCKETS - 1)]++;
        for (int bucket = 0; bucket < BUCKETS; bucket++) {
            R_xlen_t count = places[bucket];
            places[bucket] = place;
            place += count;
        }
        for (R_xlen_t i = 0; i < n; i++)
            other[places[(keys[i] >> shift) & (BUCKETS - 1)]++] = keys[i];
        uint64_t *swap = keys;
        keys = other;
        other = swap;
    }
    for (R_xlen_t i = 0, end; low > 0 && i < n; i = end) {
        for (end = i + 1; end < n && keys[end] >> low == keys[i] >> low; end++) continue;
        if (end - i > 1) sort_run(keys + i, end - i);
    }
    return keys;
}

/* Distinct finite values, ascending; `finite` tells whether there were no others. */
static double *distinct_times(const double *times, R_xlen_t n, R_xlen_t *n_distinct, int *finite)
{
    uint64_t *keys = (uint64_t *)R_alloc(n, sizeof *keys);
    R_xlen_t m = 0, found = 0;
    for (R_xlen_t i = 0; i < n; i++)
        if (R_FINITE(times[i])) keys[m++] = sortable(times[i]);
    *finite = m == n;
    uint64_t *other = (uint64_t *)R_alloc(m, sizeof *other);
    uint64_t *sorted = sort_keys(keys, other, m);
    double *distinct = (double *)(sorted == keys ? other : keys);
    for (R_xlen_t i = 0; i < m; i++)
        if (!i || sorted[i] != sorted[i - 1]) distinct[found++] = unsorted(sorted[i]);
    *n_distinct = found;
    return distinct;
}

/* As R's mean(abs(x)), rounding included. */
static double mean_absolute(const double *x, R_xlen_t n)
{
    long double sum = 0, rest = 0;
    for (R_xlen_t i = 0; i < n; i++) sum += fabs(x[i]);
    sum /= n;
    for (R_xlen_t i = 0; i < n; i++) rest += fabs(x[i]) - sum;
    return (double)(sum + rest / n);
}

/*
 * Whether no two times can be tied because all are whole numbers (or not finite): they
 * differ by 1 at least, and by more than tolerance times the largest, which bounds the mean.
 */
static int whole_numbers_apart(const double *times, R_xlen_t n, double tolerance)
{
    const double limit = fmin(0.5 / tolerance, 1e9);
    if (tolerance >= 0.5) return 0;
    for (R_xlen_t i = 0; i < n; i++) {
        if (!R_FINITE(times[i])) continue;
        if (fabs(times[i]) > limit || times[i] != (double)(int32_t)times[i]) return 0;
    }
    return 1;
}

/* A map from the distinct times that change to what they become: open addressing. */
typedef struct {
    double *from, *to;
    uint64_t mask;
} Changes;

static uint64_t slot_of(double value, uint64_t mask)
{
    uint64_t bits = sortable(value) * 0x9E3779B97F4A7C15u;
    return (bits >> 20) & mask;
}

static Changes make_changes(const double *distinct, R_xlen_t n, const unsigned char *tied,
                            R_xlen_t n_tied)
{
    Changes changes = {NULL, NULL, 15};
    while (changes.mask < 4 * (uint64_t)n_tied) changes.mask = 2 * changes.mask + 1;
    changes.from = (double *)R_alloc(changes.mask + 1, sizeof(double));
    changes.to = (double *)R_alloc(changes.mask + 1, sizeof(double));
    for (uint64_t i = 0; i <= changes.mask; i++) changes.from[i] = R_PosInf;
    double first = 0;
    for (R_xlen_t i = 0; i < n; i++) {
        if (!i || !tied[i]) {
            first = distinct[i];
            continue;
        }
        uint64_t slot = slot_of(distinct[i], changes.mask);
        while (changes.from[slot] != R_PosInf) slot = (slot + 1) & changes.mask;
        changes.from[slot] = distinct[i];
        changes.to[slot] = first;
    }
    return changes;
}

static double changed(const Changes *changes, double value)
{
    uint64_t slot = slot_of(value, changes->mask);
    while (changes->from[slot] != R_PosInf) {
        if (changes->from[slot] == value) return changes->to[slot];
        slot = (slot + 1) & changes->mask;
    }
    return value;
}

/* The status as aeqSurv() leaves it: a whole number. 0 where that needs R's rules. */
static int whole_status(const double *from, double *to, R_xlen_t n)
{
    for (R_xlen_t i = 0; i < n; i++) {
        if (!(fabs(from[i]) <= INT_MAX)) return 0;
        to[i] = (double)(int)from[i];
    }
    return 1;
}

static SEXP rounded(const double *y, R_xlen_t n, int n_times, const Changes *changes)
{
    SEXP result = PROTECT(allocMatrix(REALSXP, (int)n, n_times + 1));
    double *to = REAL(result);
    int fine = whole_status(y + n * n_times, to + n * n_times, n);
    for (R_xlen_t i = 0; fine && i < n * n_times; i++) to[i] = changed(changes, y[i]);
    /* an interval that lost its length is an error, which survival words */
    for (R_xlen_t i = 0; fine && n_times == 2 && i < n; i++)
        fine = to[i] != to[n + i] || y[i] == y[n + i];
    UNPROTECT(1);
    return fine ? result : R_NilValue;
}

/*
 * y: a double matrix, the status in its last column. Returns y itself where no times are
 * tied, a bare matrix of the rounded values, or NULL where survival has to decide.
 */
SEXP front_rounded_times(SEXP y, SEXP tolerance)
{
    if (!isReal(y) || !isMatrix(y) || ncols(y) < 2 || ncols(y) > 3) return R_NilValue;
    const double *times = REAL_RO(y), limit = asReal(tolerance);
    const R_xlen_t n = nrows(y), n_values = n * (ncols(y) - 1);
    if (whole_numbers_apart(times, n_values, limit)) return y;

    int finite;
    R_xlen_t n_distinct, n_tied = 0;
    double *distinct = distinct_times(times, n_values, &n_distinct, &finite);
    unsigned char *tied = (unsigned char *)R_alloc(n_distinct + 1, 1);
    const double mean = mean_absolute(distinct, n_distinct);
    for (R_xlen_t i = 1; i < n_distinct; i++) {
        double gap = distinct[i] - distinct[i - 1];
        tied[i] = gap <= limit || gap / mean <= limit;
        n_tied += tied[i];
    }
    if (!n_tied) return y;
    if (!finite) return R_NilValue;
    Changes changes = make_changes(distinct, n_distinct, tied, n_tied);
    return rounded(times, n, ncols(y) - 1, &changes);
}

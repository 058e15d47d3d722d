/*
 * Concordance of (start, stop] rows whose events fall on few distinct times, as days.
 *
 * The rows are walked through in the order of x. Two short tables stay in the cache: the
 * events met so far before each event time, and the rows met so far that outlive each.
 * A row needs two look-ups in the first, an event a sum over the second.
 */
#include <stdlib.h>
#include <string.h>

#include "concordance_work.h"
#include "sorting.h"

#define GRID_ROWS 16384
/* Additions to short tables that cost as much as sorting a row once more. */
#define ADDITIONS_PER_ROW 64
#define MOST_TIMES 8192

/* ---- numbers of the event times --------------------------------------------------------- */

typedef struct {
    Work *work;
    Grid grid;
} Numbering;

static void number_block(void *context, int64_t block)
{
    const Numbering *numbering = context;
    const Work *work = numbering->work;
    const ConcordanceData *data = work->data;
    const int64_t last = (block + 1) * GRID_ROWS < data->n ? (block + 1) * GRID_ROWS : data->n;
    for (int64_t row = block * GRID_ROWS; row < last; row++) {
        const uint32_t lo = (uint32_t)times_at_most(&numbering->grid, data->start[row]);
        const uint32_t hi = (uint32_t)times_at_most(&numbering->grid, data->stop[row]);
        work->lo[row] = lo;
        work->code[row] = lo < hi ? 2 * (hi - 1) + !data->event[row] : UNUSED;
    }
}

int number_rows_by_grid(Work *work)
{
    const ConcordanceData *data = work->data;
    Numbering numbering = {.work = work};
    work->n_times =
        distinct_doubles(data->stop, data->event, data->n, work->time, (int)data->n_threads);
    if (work->n_times < 0 || make_grid(&numbering.grid, work->time, work->n_times)) return 1;
    run_blocks(number_block, &numbering, (data->n + GRID_ROWS - 1) / GRID_ROWS,
               (int)data->n_threads);
    free(numbering.grid.first);
    work->first_time[0] = 0;
    work->first_time[1] = (uint32_t)work->n_times;
    memset(work->dying, 0, (size_t)work->n_times * sizeof *work->dying);
    for (int64_t row = 0; row < data->n; row++) {
        const uint32_t code = work->code[row];
        if (code == UNUSED) continue;
        /* rows that leave after each event time; sum_times() makes them those at risk */
        work->at_risk[code / 2]++;
        if (work->lo[row] > 0) work->at_risk[work->lo[row] - 1]--;
        work->dying[code / 2] += is_event(code);
    }
    return 0;
}

/* ---- counts --------------------------------------------------------------------------- */

int has_few_times(const Work *work)
{
    return !work->data->strata && work->n_times <= MOST_TIMES &&
           work->until[work->n_times] * work->n_times <= ADDITIONS_PER_ROW * work->data->n;
}

typedef struct {
    int64_t n_times;
    int32_t *events;   /* K + 1: events met before each event time */
    int32_t *outlive;  /* K + 1: change of the rows met that outlive each event time */
    int64_t *cubes;    /* K + 1: change of the sum of cubes, small groups */
    int32_t *at_risk;  /* K + 1: of one large group */
    double *large;     /* K: sum of cubes of large groups */
} Tables;

VECTORISED static void add_event(Tables *tables, int64_t k)
{
    for (int64_t j = k + 1; j <= tables->n_times; j++) tables->events[j]++;
}

VECTORISED static int32_t outliving(const Tables *tables, int64_t k)
{
    int32_t sum = 0;
    for (int64_t j = 0; j <= k; j++) sum += tables->outlive[j];
    return sum;
}

/* The range of event times that a row outlives. */
INLINE int64_t end_of(const Work *work, uint32_t row)
{
    const uint32_t code = work->code[row];
    return code / 2 + !is_event(code);
}

/* Events met in a row's range, and through `as_event` rows met that outlive it as one. */
INLINE int32_t counts_at(const Work *work, const Tables *tables, uint32_t row, int32_t *as_event)
{
    const int64_t k = work->code[row] / 2;
    *as_event = is_event(work->code[row]) ? outliving(tables, k) : 0;
    return tables->events[end_of(work, row)] - tables->events[work->lo[row]];
}

static void enter(Work *work, Tables *tables, uint32_t row)
{
    const uint32_t code = work->code[row];
    tables->outlive[work->lo[row]]++;
    tables->outlive[end_of(work, row)]--;
    if (is_event(code)) add_event(tables, code / 2);
}

INLINE uint32_t larger(uint32_t a, uint32_t b) { return a > b ? a : b; }
INLINE uint32_t smaller(uint32_t a, uint32_t b) { return a < b ? a : b; }

/* n^3 = n + 6 (n choose 2) + 6 (n choose 3): pairs and triples of ranges that overlap. */
static void add_small_cubes(Work *work, Tables *tables, const uint32_t *rows, int64_t m)
{
    const uint32_t *lo = work->lo, *code = work->code;
    for (int64_t i = 0; i < m; i++) {
        tables->cubes[lo[rows[i]]]++;
        tables->cubes[code[rows[i]] / 2 + 1]--;
        for (int64_t j = 0; j < i; j++) {
            const uint32_t from = larger(lo[rows[i]], lo[rows[j]]);
            const uint32_t to = smaller(code[rows[i]] / 2, code[rows[j]] / 2) + 1;
            if (from >= to) continue;
            tables->cubes[from] += 6;
            tables->cubes[to] -= 6;
            for (int64_t l = 0; l < j; l++) {
                const uint32_t first = larger(from, lo[rows[l]]);
                const uint32_t last = smaller(to, code[rows[l]] / 2 + 1);
                if (first >= last) continue;
                tables->cubes[first] += 6;
                tables->cubes[last] -= 6;
            }
        }
    }
}

static void add_large_cubes(Work *work, Tables *tables, const uint32_t *rows, int64_t m)
{
    memset(tables->at_risk, 0, (size_t)(tables->n_times + 1) * sizeof *tables->at_risk);
    for (int64_t i = 0; i < m; i++) {
        tables->at_risk[work->lo[rows[i]]]++;
        tables->at_risk[work->code[rows[i]] / 2 + 1]--;
    }
    double at_risk = 0.0;
    for (int64_t k = 0; k < tables->n_times; k++) {
        at_risk += tables->at_risk[k];
        tables->large[k] += at_risk * at_risk * at_risk;
    }
}

/* Events of one x at one time, which are tied in both. */
static int64_t tied_events(const Work *work, Tables *tables, const uint32_t *rows, int64_t m)
{
    int64_t pairs = 0;
    memset(tables->at_risk, 0, (size_t)(tables->n_times + 1) * sizeof *tables->at_risk);
    for (int64_t i = 0; i < m; i++)
        if (is_event(work->code[rows[i]])) pairs += tables->at_risk[work->code[rows[i]] / 2]++;
    return pairs;
}

#define SMALL_GROUP 5

/*
 * Rows of one x. As one that outlives, a row is discordant with the events of its range that
 * have a larger x; as an event, with the rows of smaller x that outlive it. What the rows of
 * the group change in the tables are its ties.
 */
static void count_group(Work *work, Tables *tables, const uint32_t *rows, int64_t m)
{
    int64_t n_events = 0;
    for (int64_t i = 0; i < m; i++) {
        const uint32_t row = rows[i];
        int32_t as_event;
        const int32_t less = counts_at(work, tables, row, &as_event);
        const int64_t met = work->until[end_of(work, row)] - work->until[work->lo[row]];
        work->discordant[row] = (int32_t)met - less + as_event;
        work->all[row] = as_event; /* kept there until the pairs are summed */
        if (m > 1) work->tied[row] = -less - as_event;
        n_events += is_event(work->code[row]);
    }
    for (int64_t i = 0; i < m; i++) enter(work, tables, rows[i]);
    for (int64_t i = 0; m > 1 && i < m; i++) {
        const uint32_t row = rows[i];
        int32_t as_event;
        const int32_t not_more = counts_at(work, tables, row, &as_event);
        const int64_t met = work->until[end_of(work, row)] - work->until[work->lo[row]];
        work->discordant[row] = (int32_t)(met - not_more + work->all[row]);
        work->tied[row] += not_more + as_event;
    }
    if (!work->tied) return;
    if (n_events > 1) work->counts[4] += (double)tied_events(work, tables, rows, m);
    if (m <= SMALL_GROUP)
        add_small_cubes(work, tables, rows, m);
    else
        add_large_cubes(work, tables, rows, m);
}

/* The sums of cubes at each event time, as the changes that sum_event_times() adds up. */
static void store_cubes(Work *work, Tables *tables)
{
    double later = 0.0;
    for (int64_t k = 1; k < tables->n_times; k++) tables->cubes[k] += tables->cubes[k - 1];
    for (int64_t k = tables->n_times - 1; k >= 0; k--) {
        const double total = (double)tables->cubes[k] + tables->large[k];
        work->cubes[2 * k] = total - later;
        work->cubes[2 * k + 1] = 0.0;
        later = total;
    }
}

int count_few_times(Work *work, const uint32_t *order, const uint32_t *rank)
{
    const int64_t n = work->data->n, size = work->n_times + 1;
    uint32_t *rows = malloc((size_t)n * sizeof *rows);
    Tables tables = {.n_times = work->n_times};
    tables.events = calloc((size_t)size, sizeof *tables.events);
    tables.outlive = calloc((size_t)size, sizeof *tables.outlive);
    tables.cubes = calloc((size_t)size, sizeof *tables.cubes);
    tables.at_risk = calloc((size_t)size, sizeof *tables.at_risk);
    tables.large = calloc((size_t)size, sizeof *tables.large);
    const int failed = !rows || !tables.events || !tables.outlive || !tables.cubes ||
                       !tables.at_risk || !tables.large;
    for (int64_t i = 0, end; !failed && i < n; i = end) {
        int64_t m = 0;
        for (end = i; end < n && rank[end] == rank[i]; end++)
            if (work->code[order[end]] != UNUSED) rows[m++] = order[end];
        if (m) count_group(work, &tables, rows, m);
    }
    if (!failed && work->cubes) store_cubes(work, &tables);
    free(rows);
    free(tables.events);
    free(tables.outlive);
    free(tables.cubes);
    free(tables.at_risk);
    free(tables.large);
    return failed;
}

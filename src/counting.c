/*
 * Partial likelihood of (start, stop] data.
 *
 * Going from the last event time to the first, groups of rows enter the risk set at their
 * last event time and leave it after their first. Leaving is a subtraction, which would
 * lose all digits once a group with a huge risk has left; the sums are therefore kept as
 * unevaluated pairs of doubles (106 bits; Dekker 1971, Numer. Math. 18:224), whose rounding
 * stays below that of one double as long as the totals spread over less than about 2^45.
 * The spread is reported, and the caller takes another route beyond.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cox.h"
#include "exponential.h"
#include "pair.h"

#define MOST_BLOCKS 64
#define FEWEST_ROWS 2048
#define FEWEST_TIMES 16
/* Rows whose risks are found at once; they stay in the nearest cache. */
#define TILE_ROWS 512
/* Groups of this many rows on average are worth a sum of squares each. */
#define ROWS_PER_SQUARE 4

typedef struct {
    const CoxData *data;
    const double *beta;
    CoxResult *result;
    int64_t row_step, n_row_blocks;
    int64_t n_time_blocks, first[MOST_BLOCKS + 1]; /* first event time of each block */
    double largest[MOST_BLOCKS], log_terms[MOST_BLOCKS], smallest[MOST_BLOCKS], most[MOST_BLOCKS];
    double *sums;   /* G x (1 + p): risks of each group times 1, x */
    double *front;  /* blocks x (1 + p): a block's share of the group it starts in */
    double *squares; /* G: risks of each group times x^2 where p = 1 and groups are large */
    double front_squares[MOST_BLOCKS];
    double *shares; /* blocks x share_size(p) */
    Pair *change;   /* K x (1 + p): entering at k less leaving after k + 1 */
    Pair *carry;    /* blocks x (1 + p): total of a block's changes, then of those beyond it */
    Pair *hazard;   /* K + 1: cumulative hazard before each event time */
} Work;

static int64_t group_of_row(const CoxData *data, int64_t row)
{
    int64_t low = 0, high = data->n_groups;
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (data->group_offsets[middle] <= row)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static void cut_blocks(Work *work)
{
    const CoxData *data = work->data;
    int64_t step = data->n_groups / MOST_BLOCKS + FEWEST_TIMES, k = 0;
    work->row_step = data->n / MOST_BLOCKS + 1;
    if (work->row_step < FEWEST_ROWS) work->row_step = FEWEST_ROWS;
    work->n_row_blocks = (data->n + work->row_step - 1) / work->row_step;
    work->n_time_blocks = 0;
    while (k < data->n_times) {
        int64_t enough = data->last_offsets[k] + step;
        work->first[work->n_time_blocks++] = k;
        do k++;
        while (k < data->n_times && data->last_offsets[k] < enough);
    }
    work->first[work->n_time_blocks] = k;
}

/* ---- rows ------------------------------------------------------------------------------- */

/* Risks of the rows from `row` to `end` - 1. Returns the largest |eta| or, beyond, `largest`. */
INLINE double find_risks(const Work *work, int64_t row, int64_t end, double largest)
{
    const CoxData *data = work->data;
    double *restrict risk = work->result->risk + row;
    const double *restrict x1 = data->x1 + row * (data->p + 1);
    const int64_t n = end - row;
    int64_t most = 0;
    if (data->p == 1 && !data->offset)
        for (int64_t i = 0; i < n; i++) risk[i] = x1[2 * i + 1] * work->beta[0];
    else
        for (int64_t i = 0; i < n; i++) risk[i] = predictor(data, work->beta, row + i);
    for (int64_t i = 0; i < n; i++) {
        /* as integers, magnitudes have the same order, and NaN is the largest */
        int64_t magnitude;
        memcpy(&magnitude, &risk[i], sizeof magnitude);
        magnitude &= INT64_MAX;
        most = magnitude > most ? magnitude : most;
    }
    double most_here;
    memcpy(&most_here, &most, sizeof most_here);
    if (most_here <= EXP_LIMIT)
        for (int64_t i = 0; i < n; i++) risk[i] = exp_within_limit(risk[i]);
    else
        for (int64_t i = 0; i < n; i++) risk[i] = exp(risk[i]);
    if (data->weights)
        for (int64_t i = 0; i < n; i++) risk[i] *= data->weights[row + i];
    return most_here <= largest ? largest : most_here;
}

/* Add rows of one group: r, r x, and r x^2 to `square`, of a single covariate. */
INLINE void add_single(const double *restrict risk, const double *restrict x1, int64_t n,
                       double *restrict to, double *restrict square)
{
    double sum = 0.0, first = 0.0, second = 0.0;
    for (int64_t i = 0; i < n; i++) {
        const double x = x1[2 * i + 1], rx = risk[i] * x;
        sum += risk[i];
        first += rx;
        second += rx * x;
    }
    to[0] += sum;
    to[1] += first;
    *square += second;
}

VECTORISED static void sum_groups(void *context, int64_t block)
{
    Work *work = context;
    const CoxData *data = work->data;
    const int64_t q = data->p + 1, start = block * work->row_step;
    const int64_t end = start + work->row_step < data->n ? start + work->row_step : data->n;
    const double *restrict risk = work->result->risk;
    double largest = 0.0, unused;
    int64_t row = start, tile_end = start;
    for (int64_t g = group_of_row(data, start); row < end; g++) {
        const int64_t stop = data->group_offsets[g + 1] < end ? data->group_offsets[g + 1] : end;
        const int continued = data->group_offsets[g] < start;
        double *restrict to = continued ? work->front + block * q : work->sums + g * q;
        double *restrict square = !work->squares ? &unused
                                  : continued    ? work->front_squares + block
                                                 : work->squares + g;
        for (int64_t j = 0; j < q; j++) to[j] = 0.0;
        *square = 0.0;
        while (row < stop) {
            if (row == tile_end) {
                tile_end = row + TILE_ROWS < end ? row + TILE_ROWS : end;
                largest = find_risks(work, row, tile_end, largest);
            }
            const int64_t until = stop < tile_end ? stop : tile_end;
            if (q == 2) {
                add_single(risk + row, data->x1 + row * q, until - row, to, square);
                row = until;
            }
            for (; row < until; row++) {
                const double *restrict x1 = data->x1 + row * q;
                for (int64_t j = 0; j < q; j++) to[j] += risk[row] * x1[j];
            }
        }
    }
    work->largest[block] = largest;
}

/* Groups that run over several blocks get the shares of the later ones. */
static void join_groups(Work *work)
{
    const CoxData *data = work->data;
    const int64_t q = data->p + 1;
    for (int64_t block = 1; block < work->n_row_blocks; block++) {
        const int64_t start = block * work->row_step, g = group_of_row(data, start);
        if (data->group_offsets[g] == start) continue;
        for (int64_t j = 0; j < q; j++) work->sums[g * q + j] += work->front[block * q + j];
        if (work->squares) work->squares[g] += work->front_squares[block];
    }
}

VECTORISED static void pass_second_moments(void *context, int64_t block)
{
    Work *work = context;
    const CoxData *data = work->data;
    const int64_t p = data->p, start = block * work->row_step;
    const int64_t end = start + work->row_step < data->n ? start + work->row_step : data->n;
    RankUpdate update;
    int64_t row = start;
    start_update(&update, work->shares + block * share_size((int)p) + p, (int)p);
    for (int64_t g = group_of_row(data, start); row < end; g++) {
        const double hazard = work->result->cumulative[g];
        const int64_t stop = data->group_offsets[g + 1] < end ? data->group_offsets[g + 1] : end;
        for (; row < stop; row++)
            add_outer(&update, work->result->risk[row] * hazard, data->x1 + row * (p + 1) + 1);
    }
    flush_update(&update);
}

/* ---- event times ------------------------------------------------------------------------ */

VECTORISED static void find_changes(void *context, int64_t block)
{
    Work *work = context;
    const CoxData *data = work->data;
    const int64_t q = data->p + 1;
    Pair *restrict total = work->carry + block * q;
    for (int64_t k = work->first[block]; k < work->first[block + 1]; k++) {
        Pair *restrict change = work->change + k * q;
        for (int64_t j = 0; j < q; j++) change[j] = (Pair){0.0, 0.0};
        for (int64_t e = data->last_offsets[k]; e < data->last_offsets[k + 1]; e++) {
            const double *restrict sums = work->sums + data->last_groups[e] * q;
            for (int64_t j = 0; j < q; j++) change[j] = add_double(change[j], sums[j]);
        }
        if (k + 1 < data->n_times)
            for (int64_t e = data->first_offsets[k + 1]; e < data->first_offsets[k + 2]; e++) {
                const double *restrict sums = work->sums + data->first_groups[e] * q;
                for (int64_t j = 0; j < q; j++) change[j] = add_double(change[j], -sums[j]);
            }
        for (int64_t j = 0; j < q; j++) total[j] = add_pair(total[j], change[j]);
    }
}

/* From each block's own total to the total of the blocks after it. */
static void carry_totals(Work *work)
{
    const int64_t q = work->data->p + 1;
    Pair beyond[MAX_COVARIATES + 1];
    memset(beyond, 0, sizeof beyond);
    for (int64_t block = work->n_time_blocks - 1; block >= 0; block--) {
        Pair *carry = work->carry + block * q;
        for (int64_t j = 0; j < q; j++) {
            Pair own = carry[j];
            carry[j] = beyond[j];
            beyond[j] = add_pair(beyond[j], own);
        }
    }
}

VECTORISED static void pass_event_times(void *context, int64_t block)
{
    Work *work = context;
    const CoxData *data = work->data;
    const int64_t p = data->p, q = p + 1;
    Pair s[MAX_COVARIATES + 1];
    double total[MAX_COVARIATES + 1], most = 0.0;
    Share share;
    start_share(&share, work->shares + block * share_size((int)p), (int)p);
    memcpy(s, work->carry + block * q, (size_t)q * sizeof *s);
    for (int64_t k = work->first[block + 1] - 1; k >= work->first[block]; k--) {
        for (int64_t j = 0; j < q; j++) {
            s[j] = add_pair(s[j], work->change[k * q + j]);
            total[j] = s[j].high;
        }
        if (!(total[0] <= most)) most = total[0];
        work->hazard[k + 1].high =
            add_event_time(data, work->result->risk, k, total, &share, work->result);
    }
    flush_update(&share.outer);
    flush_update(&share.second);
    work->log_terms[block] = share.log_terms;
    work->smallest[block] = share.smallest;
    work->most[block] = most;
}

static void cumulate(const CoxData *data, Pair *hazard, double *cumulative)
{
    for (int64_t k = 0; k < data->n_times; k++)
        hazard[k + 1] = add_double(hazard[k], hazard[k + 1].high);
    for (int64_t g = 0; g < data->n_groups; g++) {
        Pair before = hazard[data->group_lo[g]];
        before.high = -before.high;
        before.low = -before.low;
        cumulative[g] = add_pair(hazard[data->group_hi[g]], before).high;
    }
}

static void gather(const Work *work)
{
    CoxResult *result = work->result;
    double most = 0.0;
    result->log_terms = result->largest = 0.0;
    result->smallest = INFINITY;
    for (int64_t block = 0; block < work->n_row_blocks; block++)
        if (!(work->largest[block] <= result->largest)) result->largest = work->largest[block];
    for (int64_t block = 0; block < work->n_time_blocks; block++) {
        result->log_terms += work->log_terms[block];
        if (!(work->smallest[block] >= result->smallest))
            result->smallest = work->smallest[block];
        if (!(work->most[block] <= most)) most = work->most[block];
    }
    result->spread = most / result->smallest;
    sum_shares(work->shares, MOST_BLOCKS, (int)work->data->p, result);
}

/* The second moment of a single covariate, from the sums of its squares by group. */
static double sum_squares(const Work *work)
{
    double second = 0.0;
    for (int64_t g = 0; g < work->data->n_groups; g++)
        second += work->result->cumulative[g] * work->squares[g];
    return second;
}

/* Evaluate at `beta`, as cox_right_censored() does. */
int cox_counting(const CoxData *data, const double *beta, CoxResult *result)
{
    const int p = (int)data->p, n_threads = (int)data->n_threads;
    const size_t q = (size_t)p + 1, n_times = (size_t)data->n_times;
    Work work = {.data = data, .beta = beta, .result = result};
    cut_blocks(&work);
    work.sums = result->group_sums;
    work.change = (Pair *)result->changes;
    work.front = malloc(MOST_BLOCKS * q * sizeof(double));
    work.shares = calloc((size_t)(MOST_BLOCKS * share_size(p)) + 1, sizeof(double));
    work.carry = calloc(MOST_BLOCKS * q, sizeof(Pair));
    work.hazard = calloc(n_times + 1, sizeof(Pair));
    const int by_squares =
        p == 1 && !result->hazard_means && data->n_groups <= data->n / ROWS_PER_SQUARE;
    if (by_squares) work.squares = malloc((size_t)data->n_groups * sizeof(double));
    int failed = (by_squares && !work.squares) || !work.front || !work.shares || !work.carry || !work.hazard;
    if (!failed) {
        memset(result->score, 0, (size_t)p * sizeof(double));
        memset(result->second, 0, (size_t)p * p * sizeof(double));
        memset(result->outer, 0, (size_t)p * p * sizeof(double));
        run_blocks(sum_groups, &work, work.n_row_blocks, n_threads);
        join_groups(&work);
        run_blocks(find_changes, &work, work.n_time_blocks, n_threads);
        carry_totals(&work);
        run_blocks(pass_event_times, &work, work.n_time_blocks, n_threads);
        cumulate(data, work.hazard, result->cumulative);
        if (!by_squares && !result->hazard_means)
            run_blocks(pass_second_moments, &work, work.n_row_blocks, n_threads);
        gather(&work);
        if (by_squares) result->second[0] += sum_squares(&work);
    }
    free(work.front);
    free(work.squares);
    free(work.shares);
    free(work.carry);
    free(work.hazard);
    return failed;
}

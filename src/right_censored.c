/*
 * Partial likelihood of right-censored data.
 *
 * Every row is at risk from the first event time of its stratum to its own last one, so
 * there is one group of rows to each event time, and the sums over the risk sets are
 * cumulated from the last event time to the first, without subtraction. Three passes over
 * blocks of rows: risks and the blocks' totals; event times, from the totals carried over;
 * second moments, from the cumulative hazard.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cox.h"

#define MOST_BLOCKS 64
#define FEWEST_ROWS 2048

typedef struct {
    const CoxData *data;
    const double *beta;
    CoxResult *result;
    int64_t n_blocks;
    int64_t first[MOST_BLOCKS + 1]; /* first event time of each block */
    double largest[MOST_BLOCKS], log_terms[MOST_BLOCKS], smallest[MOST_BLOCKS];
    double *front;  /* n_blocks x (1 + p): total of the block's first stratum */
    double *carry;  /* n_blocks x (1 + p): what stands beyond the block's last event time */
    double *shares; /* n_blocks x share_size(p) */
} Work;

/* Cut between groups, into blocks of at least so many rows that they are not too many. */
static void cut_blocks(Work *work)
{
    const CoxData *data = work->data;
    int64_t rows = data->n / MOST_BLOCKS + 1, group = 0;
    if (rows < FEWEST_ROWS) rows = FEWEST_ROWS;
    work->n_blocks = 0;
    while (group < data->n_times) {
        int64_t enough = data->group_offsets[group] + rows;
        work->first[work->n_blocks++] = group;
        do group++;
        while (group < data->n_times && data->group_offsets[group] < enough);
    }
    work->first[work->n_blocks] = group;
}

VECTORISED static void sum_risks(void *context, int64_t block)
{
    Work *work = context;
    const CoxData *data = work->data;
    const int64_t p = data->p, *strata = data->event_strata;
    double *restrict front = work->front + block * (p + 1), largest = 0.0;
    const int64_t first = work->first[block], last = work->first[block + 1];
    for (int64_t j = 0; j <= p; j++) front[j] = 0.0;
    for (int64_t k = first; k < last; k++) {
        const int in_front = strata[k] == strata[first];
        for (int64_t i = data->group_offsets[k]; i < data->group_offsets[k + 1]; i++) {
            double eta = predictor(data, work->beta, i);
            double r = weight_of(data, i) * exp(eta);
            const double *restrict x1 = data->x1 + i * (p + 1);
            work->result->risk[i] = r;
            if (!(fabs(eta) <= largest)) largest = fabs(eta);
            if (!in_front) continue;
            for (int64_t j = 0; j <= p; j++) front[j] += r * x1[j];
        }
    }
    work->largest[block] = largest;
}

/* From the last block to the first: what is at risk beyond each. */
static void carry_totals(Work *work)
{
    const int64_t q = work->data->p + 1, *strata = work->data->event_strata;
    memset(work->carry, 0, (size_t)(work->n_blocks * q) * sizeof *work->carry);
    for (int64_t block = work->n_blocks - 2; block >= 0; block--) {
        int64_t next = work->first[block + 1], end = work->first[block + 2] - 1;
        double *to = work->carry + block * q;
        if (strata[next - 1] != strata[next]) continue;
        for (int64_t j = 0; j < q; j++) {
            to[j] = work->front[(block + 1) * q + j];
            if (strata[next] == strata[end]) to[j] += work->carry[(block + 1) * q + j];
        }
    }
}

VECTORISED static void pass_event_times(void *context, int64_t block)
{
    Work *work = context;
    const CoxData *data = work->data;
    const int64_t p = data->p, *strata = data->event_strata;
    const double *risk = work->result->risk;
    double s[MAX_COVARIATES + 1];
    Share share;
    start_share(&share, work->shares + block * share_size((int)p), (int)p);
    for (int64_t j = 0; j <= p; j++) s[j] = work->carry[block * (p + 1) + j];
    for (int64_t k = work->first[block + 1] - 1; k >= work->first[block]; k--) {
        if (k + 1 < work->first[block + 1] && strata[k] != strata[k + 1])
            for (int64_t j = 0; j <= p; j++) s[j] = 0.0;
        for (int64_t i = data->group_offsets[k]; i < data->group_offsets[k + 1]; i++) {
            const double *restrict x1 = data->x1 + i * (p + 1);
            for (int64_t j = 0; j <= p; j++) s[j] += risk[i] * x1[j];
        }
        work->result->cumulative[k] =
            add_event_time(data, risk, k, s, &share, work->result);
    }
    flush_update(&share.outer);
    flush_update(&share.second);
    work->log_terms[block] = share.log_terms;
    work->smallest[block] = share.smallest;
}

/* Hazard increments to the cumulative hazard of each stratum. */
static void cumulate(const CoxData *data, double *hazard)
{
    for (int64_t k = 1; k < data->n_times; k++)
        if (data->event_strata[k] == data->event_strata[k - 1]) hazard[k] += hazard[k - 1];
}

VECTORISED static void pass_second_moments(void *context, int64_t block)
{
    Work *work = context;
    const CoxData *data = work->data;
    const int64_t p = data->p;
    RankUpdate update;
    start_update(&update, work->shares + block * share_size((int)p) + p, (int)p);
    for (int64_t k = work->first[block]; k < work->first[block + 1]; k++) {
        const double hazard = work->result->cumulative[k];
        for (int64_t i = data->group_offsets[k]; i < data->group_offsets[k + 1]; i++)
            add_outer(&update, work->result->risk[i] * hazard, data->x1 + i * (p + 1) + 1);
    }
    flush_update(&update);
}

static void gather(const Work *work)
{
    CoxResult *result = work->result;
    result->log_terms = result->largest = 0.0;
    result->smallest = INFINITY;
    result->spread = 1.0;
    for (int64_t block = 0; block < work->n_blocks; block++) {
        result->log_terms += work->log_terms[block];
        if (!(work->largest[block] <= result->largest)) result->largest = work->largest[block];
        if (!(work->smallest[block] >= result->smallest))
            result->smallest = work->smallest[block];
    }
    sum_shares(work->shares, work->n_blocks, (int)work->data->p, result);
}

/*
 * Evaluate at `beta` (p). `result` brings its arrays; score, second and outer are zeroed
 * here. Returns 1 if memory ran out.
 */
int cox_right_censored(const CoxData *data, const double *beta, CoxResult *result)
{
    const int p = (int)data->p, n_threads = (int)data->n_threads;
    Work work = {.data = data, .beta = beta, .result = result};
    cut_blocks(&work);
    const int64_t q = p + 1, n_blocks = work.n_blocks;
    double *memory = calloc((size_t)(n_blocks * (2 * q + share_size(p))) + 1, sizeof *memory);
    if (!memory) return 1;
    work.front = memory;
    work.carry = memory + n_blocks * q;
    work.shares = memory + n_blocks * 2 * q;
    memset(result->score, 0, (size_t)p * sizeof(double));
    memset(result->second, 0, (size_t)p * p * sizeof(double));
    memset(result->outer, 0, (size_t)p * p * sizeof(double));
    run_blocks(sum_risks, &work, n_blocks, n_threads);
    carry_totals(&work);
    run_blocks(pass_event_times, &work, n_blocks, n_threads);
    cumulate(data, result->cumulative);
    if (!result->hazard_means) run_blocks(pass_second_moments, &work, n_blocks, n_threads);
    gather(&work);
    free(memory);
    return 0;
}

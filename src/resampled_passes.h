/*
 * The passes over the rows for the problems in one vector; see resampled_cox.c.
 *
 * Included by one file for each kind of processor, which defines WORK, the name of the
 * function that this becomes: GNU C splits vectors for the processor that is set where they
 * are written, so that copies of a compiled function would come too late.
 */
#include "resampled_worker.h"

/* Terms of a tied event time between two logarithms of their product. */
#define TERMS_TO_A_LOG 64

/* ---- rows ------------------------------------------------------------------------------- */

INLINE void subject_weight(const Worker *worker, int64_t row, Lanes *weight)
{
    const int64_t at = worker->job->subject[row] * (int64_t)SIDE_BY_SIDE;
    if (worker->bytes)
        lanes_from_bytes(worker->bytes + at, weight);
    else
        memcpy(weight, worker->doubles + at, sizeof *weight);
}

/* Risk of a row from its linear predictor, its weights included. */
INLINE void finish_risk(const Worker *worker, int64_t row, Lanes *eta, LaneBits *beyond, Lanes *risk)
{
    const CoxData *data = worker->data;
    Lanes weight, exponential;
    if (data->offset) *eta += data->offset[row];
    /* as whole numbers; a NaN is beyond any limit */
    *beyond |= worker->limit - ((LaneBits)*eta & 0x7fffffffffffffffLL);
    exp_lanes(eta, &exponential);
    subject_weight(worker, row, &weight);
    if (data->weights) weight *= data->weights[row];
    *risk = weight * exponential;
}

INLINE void row_risk(const Worker *worker, int64_t row, const int p, LaneBits *beyond, Lanes *risk)
{
    const double *restrict x = worker->data->x1 + row * (p + 1) + 1;
    Lanes eta = {0};
    for (int j = 0; j < p; j++) eta += x[j] * worker->beta[j];
    finish_risk(worker, row, &eta, beyond, risk);
}

/* Risks of four rows, whose products with the coefficients do not wait for each other. */
INLINE void four_risks(const Worker *worker, int64_t row, const int p, LaneBits *beyond, Lanes *risk)
{
    const int q = p + 1;
    const double *restrict x = worker->data->x1 + row * q + 1;
    Lanes a = {0}, b = {0}, c = {0}, d = {0};
    for (int j = 0; j < p; j++) {
        const Lanes beta = worker->beta[j];
        a += x[j] * beta;
        b += x[j + q] * beta;
        c += x[j + 2 * q] * beta;
        d += x[j + 3 * q] * beta;
    }
    finish_risk(worker, row, &a, beyond, risk);
    finish_risk(worker, row + 1, &b, beyond, risk + 1);
    finish_risk(worker, row + 2, &c, beyond, risk + 2);
    finish_risk(worker, row + 3, &d, beyond, risk + 3);
}

INLINE void compute_panel(Worker *worker, int64_t start, int64_t end, const int p)
{
    LaneBits beyond = worker->beyond;
    int64_t row = start;
    worker->panel_start = start;
    worker->panel_end = end;
    for (; row + 4 <= end; row += 4) four_risks(worker, row, p, &beyond, worker->risk + row - start);
    for (; row < end; row++) row_risk(worker, row, p, &beyond, worker->risk + row - start);
    worker->beyond = beyond;
}

/* Risk of a row, from the panel in hand if it is there. */
INLINE void risk_at_hand(Worker *worker, int64_t row, const int p, Lanes *risk)
{
    if (row >= worker->panel_start && row < worker->panel_end)
        *risk = worker->risk[row - worker->panel_start];
    else
        row_risk(worker, row, p, &worker->beyond, risk);
}

/* Add risk x1 of one row. */
INLINE void add_row(Lanes *restrict sums, const Lanes *risk, const double *restrict x1, const int p)
{
    const Lanes r = *risk;
    for (int j = 0; j <= p; j++) sums[j] += r * x1[j];
}

/* Add risk x1 of the panel's rows `from` to `to`, four columns at a time in registers. */
INLINE void add_rows(const Worker *worker, Lanes *restrict sums, int64_t from, int64_t to,
                     const int p)
{
    const Lanes *restrict risk = worker->risk + (from - worker->panel_start);
    const double *restrict x1 = worker->data->x1 + from * (p + 1);
    const int64_t n = to - from;
    int j = 0;
    for (; j + 4 <= p + 1; j += 4) {
        Lanes a = sums[j], b = sums[j + 1], c = sums[j + 2], d = sums[j + 3];
        for (int64_t i = 0; i < n; i++) {
            const double *restrict x = x1 + i * (p + 1) + j;
            const Lanes r = risk[i];
            a += r * x[0], b += r * x[1], c += r * x[2], d += r * x[3];
        }
        sums[j] = a, sums[j + 1] = b, sums[j + 2] = c, sums[j + 3] = d;
    }
    for (; j <= p; j++) {
        Lanes a = sums[j];
        for (int64_t i = 0; i < n; i++) a += risk[i] * x1[i * (p + 1) + j];
        sums[j] = a;
    }
}

/* ---- one event time --------------------------------------------------------------------- */

/* Sums over the terms l = 0 .. d - 1 of an event time, 1/h and so on as in ties.py. */
typedef struct {
    Lanes phi, excess, a, b, c, log_product;
} Terms;

INLINE void sum_terms(const Lanes *d, const Lanes *tied_share, Terms *terms)
{
    double most = 0.0;
    Lanes product = ALL(1.0);
    terms->phi = terms->a = product;
    terms->excess = terms->b = terms->c = terms->log_product = ALL(0.0);
    for (int lane = 0; lane < N_LANES; lane++)
        if ((*d)[lane] > most) most = (*d)[lane];
    if (!(most > 1.0)) return;
    const Lanes each = 1.0 / SELECT(*d > ALL(1.0), *d, ALL(1.0));
    for (double l = 1.0; l < most; l += 1.0) {
        const LaneBits present = *d > ALL(l);
        const Lanes f = l * each, h = 1.0 - f * *tied_share;
        const Lanes inverse = (Lanes)(present & (LaneBits)(1.0 / h)), square = inverse * inverse;
        terms->phi += inverse;
        terms->excess += f * inverse;
        terms->a += square;
        terms->b += f * square;
        terms->c += f * f * square;
        product *= SELECT(present, h, ALL(1.0));
        if ((int64_t)l % TERMS_TO_A_LOG == 0) {
            Lanes logarithm;
            log_lanes(&product, &logarithm);
            terms->log_product += logarithm;
            product = ALL(1.0);
        }
    }
    Lanes logarithm;
    log_lanes(&product, &logarithm);
    terms->log_product += logarithm;
}

/* The events of time k: their number (or copies), weight, own covariates and risks. */
INLINE void sum_events(Worker *worker, int64_t k, const int p, Lanes *d, Lanes *event_weight)
{
    const CoxData *data = worker->data;
    Lanes *restrict tied = worker->tied, *restrict own = worker->own;
    *d = *event_weight = ALL(0.0);
    for (int j = 0; j <= p; j++) tied[j] = ALL(0.0);
    for (int64_t e = data->event_offsets[k]; e < data->event_offsets[k + 1]; e++) {
        const int64_t row = data->event_rows[e];
        const double *restrict x1 = data->x1 + row * (p + 1);
        Lanes weight, risk;
        subject_weight(worker, row, &weight);
        *d += worker->job->copies ? weight : ALL(1.0);
        if (data->weights) weight *= data->weights[row];
        *event_weight += weight;
        if (data->offset) worker->loglik += weight * data->offset[row];
        for (int j = 0; j < p; j++) own[j] += weight * x1[1 + j];
        if (!data->efron) continue;
        risk_at_hand(worker, row, p, &risk);
        add_row(tied, &risk, x1, p);
    }
    if (!data->efron) *d = ALL(1.0);
}

INLINE void flush_terms(Worker *worker, const int p)
{
    add_lane_moments(worker->outer, padded_width(p), worker->n_terms, worker->coefficients,
                     worker->vectors);
    worker->n_terms = 0;
}

/* Add coefficient u u' to the part of the information that the means take away. */
INLINE void add_term(Worker *worker, const int p, const Lanes *coefficient, const Lanes *u)
{
    if (p == 1) {
        worker->outer[0] += *coefficient * u[0] * u[0];
        return;
    }
    const int width = padded_width(p);
    Lanes *restrict to = worker->vectors + worker->n_terms * width;
    for (int j = 0; j < p; j++) to[j] = u[j];
    worker->coefficients[worker->n_terms] = *coefficient;
    if (++worker->n_terms == PANEL_ROWS) flush_terms(worker, p);
}

/*
 * The terms of event time k; worker->s is its risk set's total and sums of covariates (1 + p).
 * The tied events' part of the information is a square completed in the mean m:
 *   a mm' - b (me' + em') + c ee' = a (m - (b/a) e)(m - (b/a) e)' + (c - b^2/a) ee'.
 * A single event's e is r x / S0, and its part of ee' goes with the rows' second moments.
 */
INLINE void pass_event_time(Worker *worker, int64_t k, const int p, const int information)
{
    const CoxData *data = worker->data;
    Lanes *restrict score = worker->score, *restrict mean = worker->mean;
    Lanes *restrict tied = worker->tied;
    const int single = data->event_offsets[k + 1] - data->event_offsets[k] == 1;
    Lanes d, weight, logarithm;
    Terms terms;
    sum_events(worker, k, p, &d, &weight);
    const LaneBits present = weight > ALL(0.0);
    const Lanes s0 = SELECT(present, worker->s[0], ALL(1.0)), inverse = 1.0 / s0;
    const Lanes total = SELECT(present, s0, worker->smallest);
    worker->smallest = SELECT(total < worker->smallest, total, worker->smallest);
    worker->most = SELECT(worker->s[0] > worker->most, worker->s[0], worker->most);
    for (int j = 0; j <= p; j++) tied[j] *= inverse;
    sum_terms(&d, &tied[0], &terms);
    const Lanes share = weight / SELECT(d > ALL(1.0), d, ALL(1.0));
    log_lanes(&s0, &logarithm);
    worker->loglik -= weight * logarithm + share * terms.log_product;
    const Lanes phi = share * terms.phi, excess = share * terms.excess;
    for (int j = 0; j < p; j++) {
        mean[j] = worker->s[1 + j] * inverse;
        score[j] += excess * tied[1 + j] - phi * mean[j];
    }
    worker->hazard[k] = phi * inverse;
    if (!information) return;
    const Lanes ratio = terms.b / terms.a, rest = terms.c - terms.b * ratio;
    worker->spared[k] = excess * inverse;
    if (single) worker->spared[k] += share * rest * tied[0] * inverse;
    for (int j = 0; j < p; j++) mean[j] -= ratio * tied[1 + j];
    const Lanes first = share * terms.a, second = share * rest;
    add_term(worker, p, &first, mean);
    if (!single) add_term(worker, p, &second, tied + 1);
}

/* ---- the risk sets ---------------------------------------------------------------------- */

INLINE int continues(const CoxData *data, int64_t k)
{
    return k >= 0 && k + 1 < data->n_times && data->event_strata[k] == data->event_strata[k + 1];
}

INLINE void pass_right_censored(Worker *worker, const int p, const int information)
{
    const CoxData *data = worker->data;
    int64_t row = data->n;
    worker->panel_start = worker->panel_end = row;
    for (int64_t k = data->n_times - 1; k >= 0; k--) {
        if (!continues(data, k))
            for (int j = 0; j <= p; j++) worker->s[j] = ALL(0.0);
        const int64_t first = data->group_offsets[k];
        while (row > first) {
            if (row == worker->panel_start)
                compute_panel(worker, row < PANEL_ROWS ? 0 : row - PANEL_ROWS, row, p);
            const int64_t from = first > worker->panel_start ? first : worker->panel_start;
            add_rows(worker, worker->s, from, row, p);
            row = from;
        }
        pass_event_time(worker, k, p, information);
    }
}

INLINE void fill_table(Worker *worker, const int p)
{
    const CoxData *data = worker->data;
    int64_t row = 0;
    worker->panel_end = 0;
    memset(worker->table, 0, (size_t)(data->n_times * (p + 1)) * sizeof *worker->table);
    for (int64_t g = 0; g < data->n_groups; g++) {
        const int64_t end = data->group_offsets[g + 1], before = data->group_lo[g] - 1;
        for (int j = 0; j <= p; j++) worker->s[j] = ALL(0.0);
        while (row < end) {
            if (row == worker->panel_end)
                compute_panel(worker, row, row + PANEL_ROWS < data->n ? row + PANEL_ROWS : data->n,
                              p);
            const int64_t to = end < worker->panel_end ? end : worker->panel_end;
            add_rows(worker, worker->s, row, to, p);
            row = to;
        }
        Lanes *restrict enter = worker->table + (data->group_hi[g] - 1) * (p + 1);
        for (int j = 0; j <= p; j++) enter[j] += worker->s[j];
        if (!continues(data, before)) continue;
        Lanes *restrict leave = worker->table + before * (p + 1);
        for (int j = 0; j <= p; j++) leave[j] -= worker->s[j];
    }
    worker->panel_end = 0;
}

INLINE void pass_counting(Worker *worker, const int p, const int information)
{
    const CoxData *data = worker->data;
    fill_table(worker, p);
    for (int64_t k = data->n_times - 1; k >= 0; k--) {
        const Lanes *restrict change = worker->table + k * (p + 1);
        if (!continues(data, k))
            for (int j = 0; j <= p; j++) worker->s[j] = ALL(0.0);
        for (int j = 0; j <= p; j++) worker->s[j] += change[j];
        pass_event_time(worker, k, p, information);
    }
}

/* ---- the information -------------------------------------------------------------------- */

/* Cumulative hazard of a risk of 1 over the event times of a group. */
INLINE void hazard_of_group(const Worker *worker, int64_t g, Lanes *hazard)
{
    const CoxData *data = worker->data;
    *hazard = worker->hazard[data->group_hi[g] - 1];
    const int64_t before = data->group_lo[g] - 1;
    if (worker->table && continues(data, before)) *hazard -= worker->hazard[before];
}

INLINE void pass_second_moments(Worker *worker, const int p)
{
    const CoxData *data = worker->data;
    const int width = padded_width(p);
    const uint8_t *is_event = worker->job->is_event;
    int64_t g = -1;
    Lanes hazard = {0}, total = {0};
    for (int64_t k = 1; k < data->n_times; k++)
        if (continues(data, k - 1)) worker->hazard[k] += worker->hazard[k - 1];
    for (int64_t start = 0; start < data->n; start += PANEL_ROWS) {
        const int64_t end = start + PANEL_ROWS < data->n ? start + PANEL_ROWS : data->n;
        compute_panel(worker, start, end, p);
        for (int64_t row = start; row < end; row++) {
            const double *restrict x = data->x1 + row * (p + 1) + 1;
            while (row == data->group_offsets[g + 1]) hazard_of_group(worker, ++g, &hazard);
            Lanes own = hazard;
            if (is_event[row]) own -= worker->spared[data->group_hi[g] - 1];
            const Lanes v = worker->risk[row - start] * own;
            if (p == 1) {
                total += v * (x[0] * x[0]);
                continue;
            }
            worker->risk[row - start] = v;
            for (int j = 0; j < p; j++) worker->rows[(row - start) * width + j] = x[j];
        }
        if (p > 1)
            add_shared_moments(worker->second, width, (int)(end - start), worker->risk,
                               worker->rows);
    }
    if (p == 1) worker->second[0] = total;
}

INLINE void pass_rows(Worker *worker, const int p, const int information)
{
    if (worker->table)
        pass_counting(worker, p, information);
    else
        pass_right_censored(worker, p, information);
    if (!information) return;
    if (p > 1) flush_terms(worker, p);
    pass_second_moments(worker, p);
}

/* The few covariates that are worth a copy of their own. */
INLINE void evaluate(Worker *worker)
{
    const int p = (int)worker->data->p, information = worker->job->information != NULL;
    if (p == 1)
        information ? pass_rows(worker, 1, 1) : pass_rows(worker, 1, 0);
    else if (p == 2)
        information ? pass_rows(worker, 2, 1) : pass_rows(worker, 2, 0);
    else
        information ? pass_rows(worker, p, 1) : pass_rows(worker, p, 0);
}

void WORK(void *context, int64_t number)
{
    Resampled *job = context;
    Worker worker;
    set_up(&worker, job, (Lanes *)(job->memory + number * job->memory_size));
    for (;;) {
        const int64_t task = __atomic_fetch_add(&job->next, 1, __ATOMIC_RELAXED);
        if (task >= job->n_tasks) return;
        for (int64_t first = 0; first < SIDE_BY_SIDE; first += N_LANES) {
            start_problems(&worker, task * SIDE_BY_SIDE + first);
            evaluate(&worker);
            store_problems(&worker, task * SIDE_BY_SIDE + first);
        }
    }
}

/*
 * The exact partial likelihood of tied event times: sums over subsets, row by row.
 *
 * The recursion, its ratios rho and its Markov chain are those of the PyTorch twin,
 * survivalgpu/exact_subsets.py, which explains them. A chain of L rows and order D has
 * L x D states. They are kept for one block of rows at a time; rho before each block and P
 * after it are kept for all, and the rest is computed again: memory grows with sqrt(L) D.
 */
#include "kernels.h"
#include "rank_update.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LARGEST_LOG_RISK 300.0   /* of a chain: beyond, products leave the range */
#define SMALLEST_LOG_RISK -380.0
#define NEGLIGIBLE 1e-250        /* probabilities below it would be denormal numbers */
#define MAX_BLOCKS 64

typedef struct {
    const double *eta, *x;
    int64_t row_stride, column_stride, p;
    const int64_t *rows;
    const uint8_t *is_event;
    const int64_t *offsets;        /* of each chain's members */
    const int64_t *target_offsets; /* of each chain's targets, ordered by place */
    const int64_t *places, *sizes;
} Chains;

typedef struct {
    const Chains *chains;
    const int64_t *block_starts;
    double *partial; /* per block: log-likelihood, score, information */
    int64_t stride;
    int failed;
} Work;

/* One chain, and room for one block of its states. */
typedef struct {
    const Chains *all;
    int64_t length, step, order;
    const int64_t *rows, *places, *sizes;
    const uint8_t *is_event;
    int64_t n_targets;
    double top;       /* largest linear predictor */
    double *mean;     /* (p) of the covariates */
    double *centred;  /* (p) covariates of a row, less the mean */
    double *before;   /* (blocks x order) rho before each block */
    double *after;    /* (blocks x order) P after each block */
    double *rho, *next; /* (order) rho where the recursion stands */
    double *chosen, *stayed; /* (step x order) q and 1 - q */
    double *passes;   /* ((step + 1) x order) P */
    double *to_come;  /* ((order + 1) x p) M, that of no events first */
    double *delta;    /* (p) */
} Chain;

static int64_t largest(int64_t a, int64_t b) { return a > b ? a : b; }
static int64_t smallest(int64_t a, int64_t b) { return a < b ? a : b; }

static int64_t step_of(int64_t length)
{
    return length <= 64 ? length : largest(64, (int64_t)sqrt((double)length));
}

static int64_t order_of(const Chains *all, int64_t c)
{
    int64_t order = 0;
    for (int64_t t = all->target_offsets[c]; t < all->target_offsets[c + 1]; t++)
        order = largest(order, all->sizes[t]);
    return order;
}

INLINE void load_row(const Chain *chain, int64_t i)
{
    const Chains *all = chain->all;
    const double *x = all->x + chain->rows[i] * all->row_stride;
    for (int64_t j = 0; j < all->p; j++)
        chain->centred[j] = x[j * all->column_stride] - chain->mean[j];
}

/* Point at the arrays of chain c, whose room lies in `room` as large as room_for() says. */
static void open_chain(Chain *chain, const Chains *all, int64_t c, double *room)
{
    const int64_t p = all->p, first = all->offsets[c], target = all->target_offsets[c];
    chain->all = all;
    chain->length = all->offsets[c + 1] - first;
    chain->order = order_of(all, c);
    chain->step = step_of(chain->length);
    chain->rows = all->rows + first;
    chain->is_event = all->is_event + first;
    chain->places = all->places + target;
    chain->sizes = all->sizes + target;
    chain->n_targets = all->target_offsets[c + 1] - target;
    const int64_t order = chain->order, states = chain->step * order;
    const int64_t blocks = (chain->length + chain->step - 1) / chain->step;
    double *next = room;
#define TAKE(pointer, size) ((pointer) = next, next += (size))
    TAKE(chain->mean, p);
    TAKE(chain->centred, p);
    TAKE(chain->delta, p);
    TAKE(chain->before, blocks * order);
    TAKE(chain->after, blocks * order);
    TAKE(chain->rho, order);
    TAKE(chain->next, order);
    TAKE(chain->chosen, states);
    TAKE(chain->stayed, states);
    TAKE(chain->passes, states + order);
    TAKE(chain->to_come, (order + 1) * p);
#undef TAKE
    chain->top = -INFINITY;
    memset(chain->mean, 0, p * sizeof(double));
    for (int64_t i = 0; i < chain->length; i++) {
        const double *x = all->x + chain->rows[i] * all->row_stride;
        if (all->eta[chain->rows[i]] > chain->top) chain->top = all->eta[chain->rows[i]];
        for (int64_t j = 0; j < p; j++) chain->mean[j] += x[j * all->column_stride];
    }
    for (int64_t j = 0; j < p; j++) chain->mean[j] /= (double)chain->length;
}

static int64_t room_for(const Chains *all, int64_t c)
{
    const int64_t length = all->offsets[c + 1] - all->offsets[c], step = step_of(length);
    const int64_t order = order_of(all, c), blocks = (length + step - 1) / step;
    return (3 + order + 1) * all->p + order * (2 * blocks + 3 * step + 3);
}

INLINE double risk_of(const Chain *chain, int64_t i)
{
    double log_risk = chain->all->eta[chain->rows[i]] - chain->top + LARGEST_LOG_RISK;
    return exp(log_risk < SMALLEST_LOG_RISK ? SMALLEST_LOG_RISK : log_risk);
}

/* rho past the rows from .. to - 1 of the block that starts at `first`, and their states. */
VECTORISED static void advance(Chain *chain, int64_t first, int64_t from, int64_t to)
{
    const int64_t order = chain->order;
    for (int64_t i = from; i < to; i++) {
        const double r = risk_of(chain, i);
        double *restrict chosen = chain->chosen + (i - first) * order;
        double *restrict stayed = chain->stayed + (i - first) * order;
        const double *restrict rho = chain->rho;
        double *restrict next = chain->next;
        for (int64_t s = 0; s < order; s++) {
            const double inverse = 1.0 / (rho[s] + r);
            chosen[s] = r * inverse;
            stayed[s] = rho[s] * inverse;
        }
        next[0] = rho[0] + r;
        for (int64_t s = 1; s < order; s++) next[s] = (rho[s] + r) * stayed[s - 1];
        chain->next = chain->rho;
        chain->rho = next;
    }
}

static void restore_block(Chain *chain, int64_t b, int64_t first, int64_t last)
{
    memcpy(chain->rho, chain->before + b * chain->order, chain->order * sizeof(double));
    advance(chain, first, first, last);
}

/* Logarithms of the sums over subsets: minus them, the chain's share of the likelihood. */
static double read_targets(Chain *chain)
{
    const int64_t order = chain->order;
    double total = 0.0;
    int64_t t = 0, b = 0;
    memset(chain->rho, 0, order * sizeof(double));
    for (int64_t first = 0; first < chain->length; first += chain->step, b++) {
        const int64_t last = smallest(first + chain->step, chain->length);
        int64_t at = first;
        memcpy(chain->before + b * order, chain->rho, order * sizeof(double));
        for (; t < chain->n_targets && chain->places[t] <= last; t++) {
            const int64_t d = chain->sizes[t];
            advance(chain, first, at, chain->places[t]);
            at = chain->places[t];
            for (int64_t s = 0; s < d; s++) total += log(chain->rho[s]);
            total += (double)d * (chain->top - LARGEST_LOG_RISK);
        }
        advance(chain, first, at, last);
    }
    return -total;
}

/* Add the targets at `place` to P there; *t counts those not added yet, from the end. */
INLINE void add_targets(const Chain *chain, int64_t place, double *passes, int64_t *t)
{
    while (*t > 0 && chain->places[*t - 1] == place) passes[chain->sizes[--*t] - 1] += 1.0;
}

/* P of a block of rows, from P after its last row down. */
VECTORISED static void draw(Chain *chain, int64_t first, int64_t last, const double *after,
                            int64_t *t)
{
    const int64_t order = chain->order;
    memcpy(chain->passes + (last - first) * order, after, order * sizeof(double));
    for (int64_t i = last - 1; i >= first; i--) {
        const double *restrict chosen = chain->chosen + (i - first) * order;
        const double *restrict stayed = chain->stayed + (i - first) * order;
        const double *restrict from = chain->passes + (i - first + 1) * order;
        double *restrict to = chain->passes + (i - first) * order;
        for (int64_t s = 0; s + 1 < order; s++) {
            const double value = from[s] * stayed[s] + from[s + 1] * chosen[s + 1];
            to[s] = value < NEGLIGIBLE ? 0.0 : value;
        }
        to[order - 1] = from[order - 1] * stayed[order - 1];
        if (to[order - 1] < NEGLIGIBLE) to[order - 1] = 0.0;
        add_targets(chain, i, to, t);
    }
}

/* The score, and P after each block. */
static double score_chain(Chain *chain, double *score)
{
    const int64_t order = chain->order, p = chain->all->p;
    const int64_t blocks = (chain->length + chain->step - 1) / chain->step;
    double events = 0.0;
    int64_t t = chain->n_targets;
    double *end = chain->after + (blocks - 1) * order;
    memset(end, 0, order * sizeof(double));
    add_targets(chain, chain->length, end, &t);
    for (int64_t b = blocks - 1; b >= 0; b--) {
        const int64_t first = b * chain->step;
        const int64_t last = smallest(first + chain->step, chain->length);
        if (b < blocks - 1) restore_block(chain, b, first, last);
        draw(chain, first, last, chain->after + b * order, &t);
        if (b > 0) memcpy(chain->after + (b - 1) * order, chain->passes, order * sizeof(double));
        for (int64_t i = first; i < last; i++) {
            const double *restrict passes = chain->passes + (i - first + 1) * order;
            const double *restrict chosen = chain->chosen + (i - first) * order;
            double residual = chain->is_event[i];
            if (chain->is_event[i]) events += chain->all->eta[chain->rows[i]];
            for (int64_t s = 0; s < order; s++) residual -= passes[s] * chosen[s];
            load_row(chain, i);
            for (int64_t j = 0; j < p; j++) score[j] += residual * chain->centred[j];
        }
    }
    return events;
}

/* The information: P q (1 - q) delta delta' over all states. */
VECTORISED static void inform(Chain *chain, RankUpdate *update)
{
    const int64_t order = chain->order, p = chain->all->p;
    const int64_t blocks = (chain->length + chain->step - 1) / chain->step;
    double *restrict delta = chain->delta;
    const double *restrict x = chain->centred;
    memset(chain->to_come, 0, (order + 1) * p * sizeof(double));
    for (int64_t b = 0; b < blocks; b++) {
        const int64_t first = b * chain->step;
        const int64_t last = smallest(first + chain->step, chain->length);
        if (blocks > 1) {
            int64_t t = 0;
            while (t < chain->n_targets && chain->places[t] < last) t++;
            restore_block(chain, b, first, last);
            draw(chain, first, last, chain->after + b * order, &t);
        }
        for (int64_t i = first; i < last; i++) {
            const double *passes = chain->passes + (i - first + 1) * order;
            const double *chosen = chain->chosen + (i - first) * order;
            const double *stayed = chain->stayed + (i - first) * order;
            load_row(chain, i);
            for (int64_t s = smallest(order, i + 1) - 1; s >= 0; s--) {
                const double *restrict fewer = chain->to_come + s * p;
                double *restrict mean = chain->to_come + (s + 1) * p;
                const double q = chosen[s];
                for (int64_t j = 0; j < p; j++) {
                    delta[j] = x[j] + fewer[j] - mean[j];
                    mean[j] += q * delta[j];
                }
                const double weight = passes[s] * q * stayed[s];
                if (weight > 0.0) add_outer(update, weight, delta);
            }
        }
    }
}

static void chains_of_block(void *context, int64_t block)
{
    Work *work = context;
    const Chains *all = work->chains;
    const int64_t first = work->block_starts[block], last = work->block_starts[block + 1];
    double *out = work->partial + block * work->stride;
    int64_t room = 0;
    for (int64_t c = first; c < last; c++) room = largest(room, room_for(all, c));
    double *memory = malloc((room + 1) * sizeof(double));
    RankUpdate *update = malloc(sizeof(RankUpdate));
    if (!memory || !update) {
        work->failed = 1;
    } else {
        start_update(update, out + 1 + all->p, (int)all->p);
        for (int64_t c = first; c < last; c++) {
            Chain chain;
            open_chain(&chain, all, c, memory);
            out[0] += read_targets(&chain);
            out[0] += score_chain(&chain, out + 1);
            inform(&chain, update);
        }
        flush_update(update);
    }
    free(memory);
    free(update);
}

/*
 * Adds what `n_chains` chains give: out is the log-likelihood, the score (p) and the
 * information (p x p). Rows i have the linear predictor eta[i] and the covariates
 * x[i row_stride + j column_stride], at most MAX_COVARIATES of them. Nonzero: no memory.
 */
int exact_chains(const double *eta, const double *x, int64_t row_stride, int64_t column_stride,
                 int64_t p, const int64_t *rows, const uint8_t *is_event, const int64_t *offsets,
                 int64_t n_chains, const int64_t *target_offsets, const int64_t *places,
                 const int64_t *sizes, double *out, int n_threads)
{
    const Chains chains = {eta, x, row_stride, column_stride, p, rows, is_event,
                           offsets, target_offsets, places, sizes};
    const int64_t width = padded((int)p), stride = 1 + p + width * width;
    const int64_t members = offsets[n_chains] / MAX_BLOCKS + 1;
    int64_t starts[MAX_BLOCKS + 1] = {0}, n_blocks = 0;
    for (int64_t c = 1; c <= n_chains; c++)
        if (c == n_chains || offsets[c] >= (n_blocks + 1) * members) {
            if (n_blocks < MAX_BLOCKS) n_blocks++;
            starts[n_blocks] = c;
        }
    Work work = {&chains, starts, calloc(n_blocks * stride + 1, sizeof(double)), stride, 0};
    if (!work.partial) return 1;
    run_blocks(chains_of_block, &work, n_blocks, n_threads);
    for (int64_t block = 0; block < n_blocks; block++) {
        const double *from = work.partial + block * stride;
        for (int64_t j = 0; j <= p; j++) out[j] += from[j];
        for (int64_t i = 0; i < p; i++)
            for (int64_t j = 0; j < p; j++)
                out[1 + p + i * p + j] += from[1 + p + (i < j ? i * width + j : j * width + i)];
    }
    free(work.partial);
    return work.failed;
}

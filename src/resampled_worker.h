/* The problems that one worker has in hand: where they begin, and where their results go. */
#ifndef SURVIVALGPU_RESAMPLED_WORKER_H
#define SURVIVALGPU_RESAMPLED_WORKER_H

#include <math.h>
#include <string.h>

#include "lane_moments.h"
#include "resampled_cox.h"

/* A risk set's total below this has no reciprocal. */
#define SMALLEST_TOTAL 1e-300
/* Largest |linear predictor|: where survival recentres, and where sums could overflow. */
#define LARGEST_COUNTING 200.0
#define LARGEST_RIGHT_CENSORED 600.0
/* Sums of (start, stop] data lose too many digits beyond this ratio of totals. */
#define LARGEST_SPREAD 0x1p24
/* A diagonal element below this share of its second moment is what cancellation left. */
#define CANCELLED 1e-13

/* What one worker has for the problems in hand, one to a lane. */
typedef struct {
    const Resampled *job;
    const CoxData *data;
    const uint8_t *bytes;  /* of the first problem and the first subject, or NULL */
    const double *doubles; /* the same */
    Lanes *beta, *s, *tied, *own, *score, *mean;
    Lanes *table;           /* K x (1 + p): what enters and leaves ((start, stop] only) */
    Lanes *hazard, *spared; /* K */
    Lanes *second, *outer;  /* padded_width(p) squared */
    Lanes *coefficients, *vectors; /* a panel of terms of `outer` */
    int n_terms;
    double *rows; /* a panel of padded rows */
    Lanes risk[PANEL_ROWS];
    int64_t panel_start, panel_end;
    LaneBits limit, beyond; /* the sign bit of `beyond`: some |linear predictor| > limit */
    Lanes loglik, smallest, most;
} Worker;

static void set_up(Worker *worker, const Resampled *job, Lanes *memory)
{
    const CoxData *data = job->data;
    const int64_t width = padded_width((int)data->p), q = data->p + 1;
    worker->job = job;
    worker->data = data;
    worker->beta = memory;
    worker->s = worker->beta + q;
    worker->tied = worker->s + q;
    worker->own = worker->tied + q;
    worker->score = worker->own + q;
    worker->mean = worker->score + q;
    worker->hazard = worker->mean + q;
    worker->spared = worker->hazard + data->n_times;
    worker->second = worker->spared + data->n_times;
    worker->outer = worker->second + width * width;
    worker->coefficients = worker->outer + width * width;
    worker->vectors = worker->coefficients + PANEL_ROWS;
    worker->table = worker->vectors + PANEL_ROWS * width;
    worker->rows = (double *)(worker->table + (data->last_offsets ? data->n_times * q : 0));
    /* the padding of vectors stays 0 */
    memset(worker->vectors, 0, (size_t)(PANEL_ROWS * width) * sizeof *worker->vectors);
    memset(worker->rows, 0, (size_t)(PANEL_ROWS * width) * sizeof *worker->rows);
    if (!data->last_offsets) worker->table = NULL;
}

/* The problems `first`, `first` + 1, ..., one to a lane. */
static void start_problems(Worker *worker, int64_t first)
{
    const Resampled *job = worker->job;
    const int p = (int)worker->data->p, width = padded_width(p);
    const int64_t place = first % SIDE_BY_SIDE;
    const int64_t weights = (first - place) * job->n_subjects + place;
    worker->bytes = job->bytes ? job->bytes + weights : NULL;
    worker->doubles = job->doubles ? job->doubles + weights : NULL;
    for (int j = 0; j < p; j++) {
        for (int lane = 0; lane < N_LANES; lane++)
            worker->beta[j][lane] = job->beta[(first + lane) * p + j];
        worker->own[j] = worker->score[j] = ALL(0.0);
    }
    memset(worker->second, 0, 2 * (size_t)(width * width) * sizeof *worker->second);
    worker->n_terms = 0;
    worker->loglik = worker->most = ALL(0.0);
    worker->beyond = (LaneBits){0};
    worker->limit = (LaneBits)ALL(worker->table ? LARGEST_COUNTING : LARGEST_RIGHT_CENSORED);
    worker->smallest = ALL(INFINITY);
}

/* The difference; what cancellation left of a variance of 0 becomes 0. */
static void store_information(const Worker *worker, int lane, double *information)
{
    const int p = (int)worker->data->p, width = padded_width(p);
    for (int i = 0; i < p; i++)
        for (int j = i; j < p; j++) {
            const double second = worker->second[i * width + j][lane];
            double left = second - worker->outer[i * width + j][lane];
            if (i == j && fabs(left) < CANCELLED * second) left = 0.0;
            information[i * p + j] = information[j * p + i] = left;
        }
}

static void store_problems(const Worker *worker, int64_t first)
{
    const Resampled *job = worker->job;
    const int p = (int)worker->data->p, counting = worker->table != NULL;
    for (int lane = 0; lane < N_LANES; lane++) {
        const int64_t problem = first + lane;
        const double smallest = worker->smallest[lane];
        double loglik = worker->loglik[lane];
        for (int j = 0; j < p; j++) {
            loglik += worker->own[j][lane] * worker->beta[j][lane];
            job->score[problem * p + j] = worker->own[j][lane] + worker->score[j][lane];
        }
        job->loglik[problem] = loglik;
        job->sound[problem] = smallest >= SMALLEST_TOTAL && worker->beyond[lane] >= 0 &&
                              (!counting || worker->most[lane] <= LARGEST_SPREAD * smallest);
        if (job->information)
            store_information(worker, lane, job->information + problem * p * p);
    }
}

#endif

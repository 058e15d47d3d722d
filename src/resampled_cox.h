/* One data set under many sets of weights: what the kernel is given, and what it fills. */
#ifndef SURVIVALGPU_RESAMPLED_COX_H
#define SURVIVALGPU_RESAMPLED_COX_H

#include "cox.h"

/* Problems whose weights lie side by side; vectors hold as many, or a half or a quarter. */
#define SIDE_BY_SIDE 8

/* Python builds this struct field by field; its layout is part of the kernels' version. */
typedef struct {
    const CoxData *data;
    const int32_t *subject;  /* n: subject of each row */
    const uint8_t *is_event; /* n: whether the row has an event */
    int64_t n_subjects;
    int64_t n_tasks;         /* of eight problems each */
    const uint8_t *bytes;    /* n_tasks x n_subjects x 8 numbers of copies, or NULL */
    const double *doubles;   /* the same as doubles where they are not small whole numbers */
    int64_t copies;          /* whether weights are numbers of copies, which tie */
    const double *beta;      /* problems x p */
    double *loglik;          /* problems */
    double *score;           /* problems x p */
    double *information;     /* problems x p x p, or NULL where it is not wanted */
    uint8_t *sound;          /* problems: whether the arithmetic was good enough */
    char *memory;            /* for the kernel's own use, as are */
    int64_t memory_size, next;
} Resampled;

/* Evaluate all problems. Returns 1 if memory ran out. */
int cox_resampled(Resampled *job);

/* Evaluate until no problem is left, as worker `number` of job `context`. */
void resampled_work_plain(void *context, int64_t number);
void resampled_work_avx2(void *context, int64_t number);
void resampled_work_avx512(void *context, int64_t number);

#endif

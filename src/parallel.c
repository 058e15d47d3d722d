/* Threads that live for one call: nothing is left behind for a fork() to trip over. */
#include "kernels.h"

#include <pthread.h>
#include <stdlib.h>

#define MAX_THREADS 256

typedef struct {
    void (*task)(void *context, int64_t block);
    void *context;
    int64_t n_blocks;
    int64_t next;
} Queue;

static void *work(void *argument)
{
    Queue *queue = argument;
    for (;;) {
        int64_t block = __atomic_fetch_add(&queue->next, 1, __ATOMIC_RELAXED);
        if (block >= queue->n_blocks) return NULL;
        queue->task(queue->context, block);
    }
}

void run_blocks(void (*task)(void *context, int64_t block), void *context, int64_t n_blocks,
                int n_threads)
{
    Queue queue = {task, context, n_blocks, 0};
    pthread_t helpers[MAX_THREADS];
    int n_helpers = 0, wanted = n_threads > MAX_THREADS ? MAX_THREADS : n_threads;
    if (wanted > n_blocks) wanted = (int)n_blocks;
    while (n_helpers < wanted - 1) {
        /* a thread that cannot be had is work left to the others */
        if (pthread_create(&helpers[n_helpers], NULL, work, &queue)) break;
        n_helpers++;
    }
    work(&queue);
    for (int i = 0; i < n_helpers; i++) pthread_join(helpers[i], NULL);
}

int survivalgpu_kernels_version(void) { return SURVIVALGPU_KERNELS_VERSION; }

/* Large pages for large arrays: see large.h. */
#define _DEFAULT_SOURCE /* madvise() */
#include "large.h"

#include <stdint.h>
#include <stdlib.h>

#ifdef __linux__
#include <sys/mman.h>
#endif

#define PAGE 4096
/* Smaller arrays would hardly hold a large page. */
#define SMALLEST ((size_t)1 << 22)

void use_large_pages(void *memory, size_t size)
{
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    if (size < SMALLEST) return;
    const size_t before = PAGE - (uintptr_t)memory % PAGE;
    /* a system without large pages refuses, and nothing is lost */
    (void)madvise((char *)memory + before, (size - before) / PAGE * PAGE, MADV_HUGEPAGE);
#else
    (void)memory;
    (void)size;
#endif
}

void *large_malloc(size_t size)
{
    void *memory = malloc(size + !size);
    if (memory) use_large_pages(memory, size);
    return memory;
}

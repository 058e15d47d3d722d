/*
 * Memory for large arrays. A fresh one costs a page fault for every 4 kB, several times what it
 * takes to fill it; Linux gives pages of 2 MB to those who ask.
 */
#ifndef SURVIVALGPU_LARGE_H
#define SURVIVALGPU_LARGE_H

#include <stddef.h>

/* Ask for large pages under `size` bytes that nothing was written to yet. */
void use_large_pages(void *memory, size_t size);

/* As malloc(), freed by free(); not NULL for a size of 0 unless memory ran out. */
void *large_malloc(size_t size);

#endif

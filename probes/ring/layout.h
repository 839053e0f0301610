/* What a copy's own memory and the ring begin with: binary/trampoline/ring.rs and probes/trampoline/ring.S have the
 * same, and a test holds them against each other.
 */
#ifndef GOTRACE_RING_LAYOUT
#define GOTRACE_RING_LAYOUT

#include <stdint.h>

/* The path of the file that is the ring. */
#define GOTRACE_RING_VARIABLE "GOTRACE_RING"
#define GOTRACE_MEMORY_SEGMENT "__GOTRACE_DATA"
#define GOTRACE_MEMORY_SECTION "__ring"
/* "gtracer1" */
#define GOTRACE_RING_MAGIC 0x3172656361727467
/* Bytes of a chunk, and of what stands before the first one. */
#define GOTRACE_RING_CHUNK 0x10000
#define GOTRACE_RING_MOST_CHUNKS 8192

struct gotrace_memory {
    uint64_t ring;
    uint32_t pid, unused;
    uint64_t image;
};

struct gotrace_ring {
    uint64_t magic, bytes;
    uint32_t mask, chunks, patience, closed;
};

#endif

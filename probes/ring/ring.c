/* What dyld loads into copies of programs that have trampolines: maps the ring that their records go to, once, before
 * the program's own code runs, and puts its address where the trampolines look for it.
 *
 * It runs in each tool of a build: no allocation, no thread. Whatever fails, the program goes on, and records nothing.
 * An exec begins anew, in the new program. The child of a fork has its parent's memory, and must not write into its
 * parent's records: here it has no ring. Darwin has nothing that empties memory in a child (Linux: MADV_WIPEONFORK).
 */
#include <crt_externs.h>
#include <fcntl.h>
#include <mach-o/getsect.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "layout.h"

/* What a copy keeps of the ring; 0 without one. */
static struct gotrace_memory *memory;

static void forked(void) { memory->ring = 0; }

/* Whether nobody else can cut the file short under the program, which would kill it. */
static int is_own(const struct stat *file) {
    return S_ISREG(file->st_mode) && file->st_uid == geteuid() && (file->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

static int is_ring(const struct gotrace_ring *ring, uint64_t size) {
    return ring->magic == GOTRACE_RING_MAGIC && ring->bytes == size && ring->chunks != 0 &&
           ring->chunks <= GOTRACE_RING_MOST_CHUNKS && (ring->chunks & (ring->chunks - 1)) == 0 &&
           ring->mask == ring->chunks - 1 && size == (uint64_t)(ring->chunks + 1) * GOTRACE_RING_CHUNK;
}

/* Maps the ring at a multiple of a chunk: the end of one is seen by its address. NULL where it cannot be. */
static void *map(int file) {
    struct stat found;
    struct gotrace_ring ring;
    if (fstat(file, &found) != 0 || !is_own(&found) || pread(file, &ring, sizeof ring, 0) != sizeof ring ||
        !is_ring(&ring, (uint64_t)found.st_size))
        return NULL;
    size_t room = ring.bytes + GOTRACE_RING_CHUNK;
    char *begin = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANON, -1, 0);
    if (begin == MAP_FAILED)
        return NULL;
    size_t before = -(uintptr_t)begin % GOTRACE_RING_CHUNK;
    void *at = mmap(begin + before, ring.bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0);
    if (at == MAP_FAILED) {
        munmap(begin, room);
        return NULL;
    }
    return at;
}

__attribute__((constructor)) static void begin(void) {
    unsigned long size = 0;
    const char *path = getenv(GOTRACE_RING_VARIABLE);
    if (path == NULL || *path != '/' || issetugid())
        return;
    memory = (struct gotrace_memory *)getsectiondata(_NSGetMachExecuteHeader(), GOTRACE_MEMORY_SEGMENT,
                                                     GOTRACE_MEMORY_SECTION, &size);
    if (memory == NULL || size < sizeof *memory)
        return;
    int file = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (file < 0)
        return;
    void *ring = map(file);
    close(file);
    if (ring == NULL || pthread_atfork(NULL, NULL, forked) != 0)
        return;
    memory->pid = (uint32_t)getpid();
    memory->ring = (uint64_t)(uintptr_t)ring;
}

/* Inlined calls, calls that do not return, and functions that nothing exports. */
#include <stdio.h>
#include <stdlib.h>

static volatile unsigned sink;

static inline __attribute__((always_inline)) unsigned twice(unsigned x)
{
    sink += x;
    return sink * 2;
}

static inline __attribute__((always_inline)) unsigned four_times(unsigned x)
{
    unsigned once = twice(x);
    return twice(once) ^ once;
}

static __attribute__((noinline)) unsigned work(unsigned rounds)
{
    unsigned sum = 0;
    for (unsigned round = 0; round < rounds; round++)
        sum += four_times(round) ^ twice(sum);
    return sum;
}

/* Ends with a call: its return address is the first byte of the next function. */
static __attribute__((noinline, noreturn)) void leave(unsigned code)
{
    fprintf(stderr, "%u\n", code);
    exit((int)code);
}

static __attribute__((noinline)) unsigned after_leave(unsigned x)
{
    return twice(x) + 1;
}

int main(int argc, char **argv)
{
    unsigned sum = work((unsigned)argc) + after_leave(argv[0][0]);
    if (sum == 42)
        leave(sum);
    return 0;
}

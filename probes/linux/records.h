/* SPDX-License-Identifier: MIT OR GPL-2.0
 *
 * What passes between gotrace.bpf.c and gotrace: the records of the ring buffer, read by
 * src/capture/decode/bpf, and the two tables of shared memory, src/capture/linux/bpf.
 * Everything is little-endian, as both targets are. Times are CLOCK_MONOTONIC in nanoseconds.
 */
#ifndef GOTRACE_RECORDS_H
#define GOTRACE_RECORDS_H

#include "kernel.h"

enum kind {
	KIND_FORK = 1,   /* header, u32 parent, u32 0 */
	KIND_EXEC = 2,   /* struct exec_record, paths */
	KIND_ARGV = 3,   /* struct argv_record, bytes */
	KIND_END = 4,    /* struct end_record */
	KIND_SAMPLE = 5, /* struct sample_record, u64 addresses, innermost first */
	KIND_AWAY = 6,   /* the same, when a thread leaves the processor */
	KIND_BACK = 7,   /* struct back_record */
	KIND_LAST = 8,   /* as KIND_SAMPLE, when a thread begins to end */
};

/* header.flags */
#define EXEC_INDIRECT 1 /* another file than the one asked for was loaded: script or translator */
#define EXEC_PATH_CUT 2 /* a path had more components than were followed */
#define EXEC_HIDDEN 4   /* of another user: arguments and working directory are left out */
#define ARGV_UNREADABLE 1
#define END_OF_PROCESS 1 /* the last thread of its process */
#define SAMPLE_KERNEL 1
#define SAMPLE_CUT 2       /* the walk did not reach the root of the stack */
#define SAMPLE_GOROUTINE 4 /* goid is valid */
#define SAMPLE_GONE 8      /* the program's memory is gone: see the thread's KIND_LAST */
#define AWAY_PREEMPTED 16  /* it was still able to run */

struct header {
	u16 kind;
	u16 flags;
	u32 length; /* of the record, header included */
	u32 tgid;
	u32 tid;
	u64 time;
};

struct usage {
	u64 runtime;      /* nanoseconds on a processor, exact */
	u64 utime, stime; /* nanoseconds as ticks sampled them: good for their ratio only */
	u64 run_delay;
	u64 min_flt, maj_flt;
	u64 nvcsw, nivcsw;
	u64 read_bytes, write_bytes;
};

struct fork_record {
	struct header h;
	u32 parent;
	u32 pad;
};

struct exec_record {
	struct header h;
	struct usage before; /* of the whole process, its ended threads included */
	u64 dev, ino, size;  /* of the executable, as the kernel numbers them */
	u64 argv_bytes;
	u8 magic[20]; /* the beginning of the file that was loaded */
	u16 exe_bytes, cwd_bytes, asked_bytes, pad;
	u32 pad2;
	/* exe and cwd: components from the innermost outwards, each ended by a zero byte;
	 * asked (with EXEC_INDIRECT): the path that exec was called with. */
};

struct argv_record {
	struct header h;
	u64 offset;
	u64 total;
};

struct end_record {
	struct header h;
	u64 start;
	struct usage usage; /* of this thread */
	u64 max_rss;        /* bytes; of the process */
	u32 wait_status;    /* of the process; valid with END_OF_PROCESS */
	u32 pad;
	char name[16];
};

struct sample_record {
	struct header h;
	u64 goid;
	u32 frames;
	u32 pad;
};

struct back_record {
	struct header h;
	u64 away; /* nanoseconds */
};

/* Counters, in memory shared with gotrace. */
struct counters {
	u64 lost_forks, lost_execs, lost_argv, lost_ends, lost_samples, lost_switches;
	u64 lost_processes; /* the table of processes was full */
	u64 samples;
	u64 spent; /* nanoseconds in the sampling program */
};

/* Where one executable keeps what a stack walk needs, written by gotrace. */
struct layout {
	u64 dev, ino, size; /* whose */
	u32 state;          /* LAYOUT_*; written last */
	s32 tls_offset;     /* of g, from the thread pointer */
	u16 g_m, g_sched_sp, g_sched_pc, g_sched_bp;
	u16 g_goid, m_g0, m_curg, pad; /* all 0 where they are not known */
	u64 text;      /* first executable address as the file states it */
	/* First address of a function and the one after its last: */
	u64 roots[4][2]; /* goexit, mstart, rt0_go, entry point */
	u64 sigtramp[2];
	u64 stack_switch[2]; /* systemstack_switch */
	u64 morestack[2];
	u64 mcall[2];
};

#define LAYOUT_EMPTY 0
#define LAYOUT_GO 1
#define LAYOUT_OTHER 2
#define LAYOUTS 1024 /* a power of two */
#define LAYOUT_TRIES 8

#endif

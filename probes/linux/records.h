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
	KIND_CALL = 9,   /* struct call_record; with CALL_INTEGER a u64, with CALL_TEXT bytes */
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
/* Of a program that a translator runs: the first address is the host's, the others are the guest's,
 * as return addresses. */
#define SAMPLE_GUEST 32
#define SAMPLE_BLOCK 64 /* the first address lies in a block of translated code */
#define SAMPLE_LINK 128 /* the guest's second address is what its link register holds... */
#define SAMPLE_LINKED 256 /* ...and the call before it leads to where the guest is */
/* Bits 0 and 1: the edge, as in cookies; bits 2 to 4: whose stack, OWNER_*. */
#define CALL_OWNER_SHIFT 2
#define CALL_INTEGER 32 /* the first argument follows */
#define CALL_TEXT 64    /* so do the first bytes of a string */
#define CALL_FORKED 128 /* in a child that has not called exec */

enum owner {
	OWNER_FOREIGN = 0,    /* no g: call_record.owner is 0 */
	OWNER_GOROUTINE = 1,  /* its number */
	OWNER_UNNUMBERED = 2, /* the address of g, for where its number lies is not known */
	OWNER_SYSTEM = 3,     /* g0; the number of the goroutine that it works for, or 0 */
	OWNER_SIGNAL = 4,     /* gsignal: 0 */
};

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
	u64 guest[3];        /* likewise, of the file that it translates; 0 where that is not known */
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

struct call_record {
	struct header h;
	u64 owner;
	u32 probe; /* as in the cookie */
	u32 depth; /* bytes from the high end of the stack to where the return address lies; without
		    * g, from the end of the address space, the lowest 32 bits */
};

/* A hit without argument, as in call_record; in `probe` the flags lie above the number. */
struct lane_entry {
	u64 time;
	u64 owner;
	u32 tgid;
	u32 tid;
	u32 probe;
	u32 depth;
};

/* Hits on one processor, in the order of their times: a ring of entries, of which as many are
 * whole as `head` says. What two sides write lies in different cache lines. */
struct lane {
	u64 head;  /* entries ever written */
	u64 taken; /* a thread is in the middle of a hit */
	u64 key;   /* a process, in one state of the tree... */
	s64 marks; /* ...and what its hits are marked with */
	u64 pad[4];
	u64 tail; /* entries ever read: gotrace's */
	u64 pad2[7];
};

/* What is known of a probed place beforehand, in the cookie that the kernel keeps with it:
 *
 *   0     24   26   27   28   29   30        32          48          64
 *   ┌─────┬────┬────┬────┬────┬────┬─────────┬───────────┬───────────┐
 *   │probe│edge│ r  │ i  │ t  │ c  │ n, 0    │g.goid     │stack depth│
 *   └─────┴────┴────┴────┴────┴────┴─────────┴───────────┴───────────┘
 *   edge: EDGE_*               r: g is in its register    i, t: record the first argument
 *   g.goid: its offset, or 0   c: a trial of what a hit costs, not recorded
 *   n (one bit): the generation of the link, see GENERATIONS
 *   stack depth: bytes by which the stack pointer lies below where it was at the entry */
#define COOKIE_PROBE_BITS 24
#define COOKIE_EDGE_SHIFT 24
#define COOKIE_REGISTER (1u << 26)
#define COOKIE_INTEGER (1u << 27)
#define COOKIE_TEXT (1u << 28)
#define COOKIE_TRIAL (1u << 29)
#define COOKIE_GENERATION_SHIFT 30
#define COOKIE_GOID_SHIFT 32
#define COOKIE_DEPTH_SHIFT 48

enum edge { EDGE_ENTRY = 0, EDGE_EXIT = 1, EDGE_TAIL_JUMP = 2 };

/* Of each probe up to this number: the generation (0 or 1) whose hits count; another number when it
 * was given up. A link cannot lose a place: another one is made without it, of the other
 * generation, and takes over. */
#define GENERATIONS 16384

/* A string argument is recorded up to here. */
#define TEXT_BYTES 64

/* Counters, in memory shared with gotrace. */
struct counters {
	u64 lost_forks, lost_execs, lost_argv, lost_ends, lost_samples, lost_switches;
	u64 lost_processes; /* the table of processes was full */
	u64 lost_calls;
	u64 samples;
	u64 spent; /* nanoseconds in the sampling program */
};

/* Where one executable keeps what a stack walk needs, written by gotrace. */
struct layout {
	u64 dev, ino, size; /* whose */
	u32 state;          /* LAYOUT_*; written last */
	s32 tls_offset;     /* of g, from the thread pointer */
	union {
		struct {
			u16 g_m, g_sched_sp, g_sched_pc, g_sched_bp;
			u16 g_goid, m_g0, m_curg; /* all 0 where they are not known */
			u16 moves;                /* a guest that can be loaded anywhere */
		};
		/* Of a translator: tls_offset is that of a pointer to the CPU. */
		struct {
			u16 registers, pc; /* of the guest, in CPUArchState */
			u16 block_pc;      /* in struct TranslationBlock: the guest's address, */
			u16 block_code;    /* a pointer to the code, which its size follows */
			u32 state_of_cpu;  /* from the CPU to its CPUArchState */
			u32 block_bytes;   /* from the block to its code */
		};
	};
	u64 text;      /* first executable address as the file states it */
	u64 code;      /* of a guest: what is at `text`, to know that it is where it should be; of one
			* that moves: where in the file `text` is */
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
#define LAYOUT_TRANSLATOR 3
#define LAYOUTS 1024 /* a power of two */
#define LAYOUT_TRIES 8

#endif

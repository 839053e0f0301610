/* SPDX-License-Identifier: MIT OR GPL-2.0
 *
 * What differs between processors: the registers that a stack walk begins with.
 */
#ifndef GOTRACE_CPU_H
#define GOTRACE_CPU_H

#include "kernel.h"

struct start {
	u64 pc, sp, fp, lr, g;
	bool user;    /* the processor was in user mode */
	bool narrow;  /* a 32-bit program: not walked */
	bool trapped; /* in the kernel, and not by a system call */
};

#if defined(__TARGET_ARCH_x86)

/* struct pt_regs of the kernel, see its arch/x86/include/asm/ptrace.h. */
struct cpu_registers {
	u64 r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, cs, flags,
		sp, ss;
};

#define kernel_registers cpu_registers

/* Width of addresses of user memory. */
#define USER_BITS 47

static __always_inline u64 code_address(u64 address)
{
	return address;
}

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct thread_struct {
	unsigned long fsbase;
};
struct task_struct___cpu {
	struct thread_struct thread;
};
#pragma clang attribute pop

/* Segment selectors of user code, asm/segment.h. */
#define USER_CS32 0x23

static __always_inline void start_from(struct start *s, const struct cpu_registers *r)
{
	s->pc = r->ip;
	s->sp = r->sp;
	s->fp = r->bp;
	s->lr = 0;
	s->g = 0;
	s->user = (r->cs & 3) == 3;
	s->narrow = (u16)r->cs == USER_CS32; /* FRED keeps more above it */
	s->trapped = false;
}

/* Whether the kernel was entered otherwise than by a system call, whose number would be there. */
static __always_inline bool by_trap(const struct cpu_registers *r) { return (s64)r->orig_ax < 0; }

/* The registers with which a probe was hit. Arguments are where Go's ABIInternal puts them, see
 * cmd/compile/abi-internal.md of Go. */
static __always_inline u64 hit_sp(const struct cpu_registers *r) { return r->sp; }
static __always_inline u64 hit_g(const struct cpu_registers *r) { return r->r14; }
static __always_inline u64 hit_first(const struct cpu_registers *r) { return r->ax; }
static __always_inline u64 hit_second(const struct cpu_registers *r) { return r->bx; }

/* Writes a number that tells another processor of what was written before. Stores are seen in their
 * order here. */
static __always_inline void publish(u64 *at, u64 number)
{
	*(volatile u64 *)at = number;
}

/* Where the thread-local storage of a Go program holds g. */
static __always_inline u64 thread_g(const struct start *s, struct task_struct *task, s64 tls_offset)
{
	struct task_struct___cpu *t = (void *)task;
	u64 base = BPF_CORE_READ(t, thread.fsbase);
	u64 g = 0;

	(void)s;
	if (!base || bpf_probe_read_user(&g, sizeof(g), (void *)(base + tls_offset)))
		return 0;
	return g;
}

#elif defined(__TARGET_ARCH_arm64)

/* struct user_pt_regs, the beginning of struct pt_regs: arch/arm64/include/uapi/asm/ptrace.h. */
struct cpu_registers {
	u64 regs[31], sp, pc, pstate;
};

/* struct pt_regs ends with orig_x0, syscallno, sdei_ttbr1, pmr_save, stackframe, lockdep. */
struct kernel_registers {
	struct cpu_registers user;
	u64 more[7];
};

#define USER_BITS 48

/* A return address without the bits that authenticate it. */
static __always_inline u64 code_address(u64 address)
{
	return address & ((1ull << USER_BITS) - 1);
}

#define PSR_MODE_MASK 0xf
#define PSR_MODE32_BIT 0x10

static __always_inline void start_from(struct start *s, const struct cpu_registers *r)
{
	s->pc = r->pc;
	s->sp = r->sp;
	s->fp = r->regs[29];
	s->lr = code_address(r->regs[30]);
	s->g = r->regs[28];
	s->user = (r->pstate & PSR_MODE_MASK) == 0;
	s->narrow = (r->pstate & PSR_MODE32_BIT) != 0;
	s->trapped = false;
}

/* Not asked for: a breakpoint leaves the program counter where it is. */
static __always_inline bool by_trap(const struct cpu_registers *r)
{
	(void)r;
	return false;
}

static __always_inline u64 hit_sp(const struct cpu_registers *r) { return r->sp; }
static __always_inline u64 hit_g(const struct cpu_registers *r) { return r->regs[28]; }
static __always_inline u64 hit_first(const struct cpu_registers *r) { return r->regs[0]; }
static __always_inline u64 hit_second(const struct cpu_registers *r) { return r->regs[1]; }

/* BPF has no store with release order before Linux 6.15; its exchange has full order. */
static __always_inline void publish(u64 *at, u64 number)
{
	__sync_lock_test_and_set(at, number);
}

/* Go keeps g in x28, where C code may have something else until it returns. */
static __always_inline u64 thread_g(const struct start *s, struct task_struct *task, s64 tls_offset)
{
	(void)task;
	(void)tls_offset;
	return s->g;
}

#else
#error "no register layout for this target"
#endif

/* Of kernels before 5.15, which have no helper that finds the registers: asm/page_64_types.h,
 * asm/memory.h (without KASAN). */
#define THREAD_SIZE 16384

/* struct bpf_perf_event_data of linux/bpf_perf_event.h. */
struct bpf_perf_event_data {
	struct cpu_registers regs;
	u64 sample_period;
	u64 addr;
};

#endif

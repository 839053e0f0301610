/* SPDX-License-Identifier: MIT OR GPL-2.0
 *
 * The stack walk: from registers to return addresses, along frame pointers, through the places
 * where Go changes stacks.
 *
 * How the runtime changes stacks (runtime/asm_amd64.s, Go 1.21 to 1.27):
 * - systemstack and asmcgocall go on on g0's stack with their own frame's pointer, so that the
 *   chain crosses over by itself; g.sched.bp is that frame, too, and g.sched.pc lies in
 *   systemstack_switch;
 * - mcall clears the frame pointer (before Go 1.25 it does not, and the chain would lead to a
 *   goroutine that may have left its thread); g.sched holds the caller's pc, sp and frame pointer;
 * - morestack likewise, for a function that has no frame yet: its caller is on top of its stack;
 *   (on arm64 its caller is in g.sched.lr, the word before g.sched.bp);
 * - sigtramp is called by the kernel: the address of the interrupted instruction is in the
 *   signal's frame alone. Until Go 1.22 sigtramp has no frame, and sigtrampgo's is followed by that
 *   of the interrupted function; since then sigtramp's stands in between.
 */
#ifndef GOTRACE_WALK_H
#define GOTRACE_WALK_H

#include "cpu.h"
#include "records.h"

#define MAX_FRAMES 2048 /* a power of two */
#define MIN_ADDRESS 4096
#define MAX_LEAF_DISTANCE 0x2000
#define MAX_FRAME 0x10000

struct walk {
	struct sample_record record;
	u64 frames[MAX_FRAMES];
	/* Not sent: */
	u64 n;
	u64 fp;
	u64 slide;
	u64 lo, hi;                           /* the goroutine's stack */
	u64 sched_sp, sched_pc, sched_fp;     /* where the goroutine left its stack */
	u64 g0_sched_sp, g0_sched_pc;
	u32 has_goroutine;
	u32 on_goroutine; /* the walk has arrived on the goroutine's stack */
	u32 resumed;
	u32 rooted;
	u32 guest; /* SAMPLE_GUEST and what goes with it, or 0 */
	u32 pad;
	u64 block; /* where a block of translated code is looked for */
	u64 guest_pc;
	u64 host_pc;
	u64 last; /* return address */
	u64 g[32];
	u64 read[2];
	u64 scan[16];
};

static __always_inline bool plausible(u64 address)
{
	return address >= MIN_ADDRESS && !(address >> USER_BITS);
}

static __always_inline void push(struct walk *w, u64 address)
{
	u64 n = w->n;

	if (n < MAX_FRAMES) {
		w->frames[n & (MAX_FRAMES - 1)] = address;
		w->n = n + 1;
	}
}

static __always_inline u64 word(const struct walk *w, u16 offset)
{
	return w->g[(offset >> 3) & 31];
}

/* Whether memory holds a word. */
static __always_inline bool is_at(u64 address, u64 word)
{
	u64 found = 0;

	return !bpf_probe_read_user(&found, sizeof(found), (void *)address) && found == word;
}

static __always_inline bool within(u64 address, const u64 range[2])
{
	return address >= range[0] && address < range[1];
}

static __always_inline bool is_root(const struct layout *l, u64 address)
{
	return within(address, l->roots[0]) || within(address, l->roots[1]) ||
	       within(address, l->roots[2]) || within(address, l->roots[3]);
}

/* Whether the program whose stack is walked is one of arm64. */
static __always_inline bool is_arm64(const struct walk *w)
{
#if defined(__TARGET_ARCH_arm64)
	(void)w;
	return true;
#else
	return w->guest != 0;
#endif
}

/* Finds the goroutine that the thread runs, or runs something for. On arm64 g is in a register that
 * C code uses for whatever it likes: there it is one only if its thread knows it, too. */
static __always_inline void find_goroutine(struct walk *w, const struct layout *l, u64 g)
{
	u64 m = 0, g0 = 0, curg = 0;

	if (!g || bpf_probe_read_user(w->g, sizeof(w->g), (void *)g))
		return;
	m = word(w, l->g_m);
	if (word(w, l->g_goid)) { /* g0 and gsignal have none */
		if (is_arm64(w) &&
		    (bpf_probe_read_user(&curg, sizeof(curg), (void *)(m + l->m_curg)) || curg != g))
			return;
		w->on_goroutine = 1;
	} else {
		if (bpf_probe_read_user(&curg, sizeof(curg), (void *)(m + l->m_curg)))
			return;
		if (!bpf_probe_read_user(&g0, sizeof(g0), (void *)(m + l->m_g0)) && g0 == g) {
			w->g0_sched_sp = word(w, l->g_sched_sp);
			w->g0_sched_pc = word(w, l->g_sched_pc);
		}
		if (!curg || bpf_probe_read_user(w->g, sizeof(w->g), (void *)curg) ||
		    (is_arm64(w) && word(w, l->g_m) != m))
			return;
		w->sched_sp = word(w, l->g_sched_sp);
		w->sched_pc = word(w, l->g_sched_pc);
		w->sched_fp = word(w, l->g_sched_bp);
	}
	w->lo = w->g[0];
	w->hi = w->g[1];
	w->has_goroutine = 1;
	w->record.goid = word(w, l->g_goid);
}

/* Whether `target` begins the function that `pc` is in, as far as distance can tell. */
static __always_inline bool begins(u64 target, u64 pc)
{
	return target <= pc && pc - target < MAX_LEAF_DISTANCE;
}

/* Whether the call before the address in the link register of an arm64 program leads to where it
 * is. */
static __always_inline bool is_linked(const struct start *s)
{
	u32 call = 0;

	if (!plausible(s->lr) || bpf_probe_read_user(&call, sizeof(call), (void *)(s->lr - 4)))
		return false;
	if (call >> 26 != 0x25) /* bl */
		return false;
	return begins(s->lr - 4 + (((s64)((u64)call << 38)) >> 36), s->pc);
}

#if defined(__TARGET_ARCH_x86)

#define BREAKPOINT 0xcc

/*
 * Where a function is probed (calls.h), a breakpoint stands in place of `push %rbp` or `ret`. Until
 * the kernel has found out whose it is, the processor stands behind it, and the instruction is yet
 * to be done. A push that is done has left the frame pointer on top of the stack.
 */
static __always_inline void step_back(struct start *s)
{
	u8 before = 0;
	u64 top = 0;

	if (!s->trapped || bpf_probe_read_user(&before, sizeof(before), (void *)(s->pc - 1)) ||
	    before != BREAKPOINT)
		return;
	if (!bpf_probe_read_user(&top, sizeof(top), (void *)s->sp) && top != s->fp)
		s->pc -= 1;
}

/*
 * The caller of a function that has no frame, or not yet, or no longer: its return address is
 * then on top of the stack. Known by the instruction at hand, or by the call before the address,
 * which must go to where we are. Returns 0 where there is a frame.
 */
static __always_inline u64 frameless_caller(const struct start *s)
{
	u8 at[4] = {}, call[5] = {};
	u64 top[2];

	if (bpf_probe_read_user(top, sizeof(top), (void *)s->sp))
		return 0;
	if (bpf_probe_read_user(at, sizeof(at), (void *)s->pc))
		return 0;
	if (at[0] == 0x55 || at[0] == 0xc3 || at[0] == BREAKPOINT) /* push %rbp; ret; either */
		return top[0];
	if (at[0] == 0x48 && at[1] == 0x89 && at[2] == 0xe5) /* mov %rsp,%rbp */
		return top[1];
	if (!plausible(top[0]) || bpf_probe_read_user(call, sizeof(call), (void *)(top[0] - 5)))
		return 0;
	if (call[0] == 0xe8) { /* call rel32 */
		s32 distance = (s32)((u32)call[1] | (u32)call[2] << 8 | (u32)call[3] << 16 |
				     (u32)call[4] << 24);
		if (begins(top[0] + (s64)distance, s->pc))
			return top[0];
	}
	return 0;
}

/* From the frame of sigtrampgo to that of the signal where sigtramp has none and keeps 24 + 232
 * bytes (ADJSP, PUSH_REGS_HOST_TO_ABI0). */
#define FROM_SIGTRAMPGO (16 + 24 + 232)
/* From the frame of sigtramp to that of the signal. */
#define FROM_SIGTRAMP 8

/*
 * Appends the instruction that a signal interrupted, from the signal's frame: a return address,
 * then the kernel's ucontext with r8..r15, di, si, bp, bx, dx, ax, cx, sp, ip from its byte 40 on.
 * It is one if it holds the frame pointer that the walk has found by itself.
 */
static __always_inline bool push_interrupted(struct walk *w, u64 frame, u64 next)
{
	u64 bp = 0, ip = 0;

	if (bpf_probe_read_user(&bp, sizeof(bp), (void *)(frame + 8 + 40 + 10 * 8)) || bp != next)
		return false;
	if (bpf_probe_read_user(&ip, sizeof(ip), (void *)(frame + 8 + 40 + 16 * 8)) ||
	    !plausible(ip))
		return false;
	push(w, ip + 1); /* read as a return address: names the instruction itself */
	return true;
}

/* A block of translated code is looked for over so many bytes before an address. */
#define MAX_BLOCK (MAX_BLOCK_STEPS * 64)
#define MAX_BLOCK_STEPS 128

struct search {
	struct walk *w;
	const struct layout *t;
};

/* qemu puts each block's struct TranslationBlock right before its code, both aligned to 64 bytes
 * (tcg_tb_alloc of its tcg/tcg.c). */
static long look_back(u32 i, struct search *at)
{
	struct walk *w = at->w;
	const struct layout *t = at->t;
	u64 code[2];

	(void)i;
	if (bpf_probe_read_user(code, sizeof(code), (void *)(w->block + t->block_code)))
		return 1;
	if (code[0] == w->block + t->block_bytes && w->host_pc >= code[0] &&
	    w->host_pc - code[0] < code[1]) {
		if (!bpf_probe_read_user(&w->guest_pc, sizeof(w->guest_pc),
					 (void *)(w->block + t->block_pc)))
			w->guest = SAMPLE_GUEST | SAMPLE_BLOCK;
		return 1;
	}
	w->block -= 64;
	return 0;
}

/*
 * Where a thread of a translator is in the program that it runs: from CPUArchState, which is in RBP
 * while translated code runs, and which thread-local storage leads to at any time. The pc there is
 * behind wherever blocks jump to each other; that of the block at hand is not. Before Linux 5.17,
 * which has no bpf_loop, blocks are not looked for. Nothing is told where the guest's memory `l` is
 * not seen to be where its file says.
 */
static __always_inline void find_guest(struct walk *w, struct start *s, const struct layout *t,
				       const struct layout *l, struct task_struct *task)
{
	struct task_struct___cpu *thread = (void *)task;
	struct search at = { w, t };
	u64 base = BPF_CORE_READ(thread, thread.fsbase);
	u64 state, registers[4] = {}, pc = 0; /* x28, x29, x30, sp */

	w->host_pc = s->pc;
	w->block = s->pc & ~63ull;
	if (HAS_HELPER(loop))
		bpf_loop(MAX_BLOCK_STEPS, look_back, &at, 0);
	state = s->fp;
	if (!w->guest) {
		if (!base || bpf_probe_read_user(&state, sizeof(state), (void *)(base + t->tls_offset)) ||
		    !state)
			return;
		state += t->state_of_cpu;
	}
	if (bpf_probe_read_user(registers, sizeof(registers), (void *)(state + t->registers + 28 * 8)) ||
	    bpf_probe_read_user(&pc, sizeof(pc), (void *)(state + t->pc)) ||
	    (l && l->code && !l->moves && !is_at(l->text, l->code))) {
		w->guest = 0;
		return;
	}
	if (!w->guest)
		w->guest_pc = pc;
	w->guest |= SAMPLE_GUEST;
	s->pc = w->guest_pc;
	s->g = registers[0];
	s->fp = registers[1];
	s->lr = registers[2];
	s->sp = registers[3];
	s->narrow = false;
}

#elif defined(__TARGET_ARCH_arm64)

static __always_inline u64 frameless_caller(const struct start *s)
{
	return is_linked(s) ? s->lr : 0;
}

static __always_inline void step_back(struct start *s)
{
	(void)s;
}

#define FROM_SIGTRAMPGO 0
#define FROM_SIGTRAMP 0

static __always_inline bool push_interrupted(struct walk *w, u64 frame, u64 next)
{
	(void)w;
	(void)frame;
	(void)next;
	return false;
}

/* Guests are looked for on amd64 alone. */
static __always_inline void find_guest(struct walk *w, struct start *s, const struct layout *t,
				       const struct layout *l, struct task_struct *task)
{
	(void)w;
	(void)s;
	(void)t;
	(void)l;
	(void)task;
}

#endif

/* The chain has ended: goes on where the goroutine left its stack, or at the thread's root. */
static __always_inline bool resume(struct walk *w, const struct layout *l)
{
	u64 caller = 0;

	if (!l || w->resumed)
		return false;
	w->resumed = 1;
	if (w->has_goroutine && !w->on_goroutine && w->sched_sp) {
		w->on_goroutine = 1;
		w->fp = w->sched_fp;
		if (within(w->sched_pc - w->slide, l->stack_switch))
			return true;
		if (plausible(w->sched_pc))
			push(w, w->sched_pc);
		if (!within(w->last - w->slide, l->morestack))
			return true;
		if (is_arm64(w))
			caller = code_address(word(w, l->g_sched_bp - 8));
		else
			bpf_probe_read_user(&caller, sizeof(caller), (void *)w->sched_sp);
		if (plausible(caller))
			push(w, caller);
		return true;
	}
	if (!w->has_goroutine && w->g0_sched_sp) {
		/* mstart0 has saved its own place, and was called by mstart a few words up. */
		if (!plausible(w->g0_sched_pc) ||
		    bpf_probe_read_user(w->scan, sizeof(w->scan), (void *)w->g0_sched_sp))
			return false;
		push(w, w->g0_sched_pc);
		for (int i = 0; i < 16; i++) {
			if (within(w->scan[i] - w->slide, l->roots[1])) {
				push(w, w->scan[i]);
				w->rooted = 1;
				break;
			}
		}
	}
	return false;
}

struct step {
	struct walk *w;
	const struct layout *l;
};

/* One step of the walk; 1 at its end. */
static long step(u32 i, struct step *at)
{
	struct walk *w = at->w;
	const struct layout *l = at->l;
	u64 fp = w->fp, next, address;

	(void)i;
	if (w->n >= MAX_FRAMES)
		return 1;
	if (!plausible(fp) || (fp & 7) ||
	    bpf_probe_read_user(w->read, sizeof(w->read), (void *)fp) ||
	    !plausible(code_address(w->read[1]))) {
		if (resume(w, l))
			return 0;
		if (!fp && !l)
			w->rooted = 1;
		return 1;
	}
	next = w->fp = w->read[0];
	address = code_address(w->read[1]);
	if (l && !w->guest && within(w->last - w->slide, l->sigtramp) &&
	    push_interrupted(w, fp + FROM_SIGTRAMP, next)) {
		w->last = address;
		return 0;
	}
	w->last = address;
	push(w, address);
	if (!l)
		return next <= fp; /* without Go's stack changes, callers lie higher */
	if (is_root(l, address - w->slide)) {
		w->rooted = 1;
		return 1;
	}
	if (!w->guest && within(address - w->slide, l->sigtramp))
		push_interrupted(w, fp + FROM_SIGTRAMPGO, next);
	if (within(address - w->slide, l->mcall)) {
		w->fp = 0;
		return 0;
	}
	if (next >= w->lo && next < w->hi)
		w->on_goroutine = 1;
	return 0;
}

/* Forgets the walk before. */
static __always_inline void begin_walk(struct walk *w)
{
	__builtin_memset(&w->n, 0,
			 __builtin_offsetof(struct walk, g) - __builtin_offsetof(struct walk, n));
	w->record.goid = 0;
}

/* The caller of a function without a frame, as a guest's link register has it. What it holds may be
 * stale: gotrace, which knows where functions begin, can tell. */
static __always_inline u64 link_of_guest(struct walk *w, const struct start *s)
{
	if (!plausible(s->lr))
		return 0;
	if (is_linked(s)) {
		w->guest |= SAMPLE_LINKED;
		w->last = s->lr;
	}
	return s->lr;
}

/* Walks the stack of the current thread into w->frames. */
static __always_inline void walk_stack(struct walk *w, struct start *s,
				       const struct layout *l, struct task_struct *task, u64 slide)
{
	struct step at = { w, l };
	u64 caller, g;

	w->slide = slide;
	if (w->guest) {
		push(w, w->host_pc);
		push(w, s->pc + 1); /* read as a return address: names the instruction itself */
	} else {
		step_back(s);
		push(w, s->pc);
	}
	w->rooted = l && is_root(l, s->pc - slide);
	if (s->narrow || w->rooted)
		return;
	if (l && l->g_goid) {
		g = w->guest ? s->g : thread_g(s, task, l->tls_offset);
		/* Just cloned, with the frame pointer of the thread that did it. */
		if (!g && s->fp - s->sp > MAX_FRAME)
			return;
		find_goroutine(w, l, g);
	}
	w->fp = s->fp;
	w->last = s->pc;
	caller = w->guest ? link_of_guest(w, s) : frameless_caller(s);
	if (caller) {
		w->read[1] = 0;
		bpf_probe_read_user(w->read, sizeof(w->read), (void *)s->fp);
		if (caller != w->read[1]) {
			push(w, caller);
			if (w->guest)
				w->guest |= SAMPLE_LINK;
		}
		if (!w->guest)
			w->last = caller;
		if (l && is_root(l, caller - slide)) {
			w->rooted = 1;
			return;
		}
	}
	REPEAT(MAX_FRAMES + 4, step, &at);
}

#endif

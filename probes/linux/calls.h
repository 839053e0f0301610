/* SPDX-License-Identifier: MIT OR GPL-2.0
 *
 * A probed place was reached: whose stack the thread is on, how deep, and with what argument.
 * Uses the maps and the processes of gotrace.bpf.c, which includes it behind them.
 */
#ifndef GOTRACE_CALLS_H
#define GOTRACE_CALLS_H

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, GENERATIONS);
	__type(key, u32);
	__type(value, u64);
} generations SEC(".maps");

/* Whether a hit is one of the link that counts. */
static __always_inline bool is_live(u64 cookie)
{
	u32 probe = cookie & ((1u << COOKIE_PROBE_BITS) - 1);
	u64 *generation = bpf_map_lookup_elem(&generations, &probe);

	return !generation || *generation == (cookie >> COOKIE_GENERATION_SHIFT & 1);
}

/* g and the stack that it runs on. */
struct stack_of_g {
	u64 hi; /* the stack's high end */
	u64 owner;
	u32 kind; /* OWNER_* */
};

/* g.stack.hi: runtime/runtime2.go, the second word of every release. */
#define G_STACK_HI 8

/* Goroutines have numbers, g0 and gsignal have none: which of them this is, and for whom. */
static __always_inline void owner_without_number(struct stack_of_g *s, u64 g,
						 const struct process *p)
{
	struct layout *l = layout_of(p);
	u64 m = 0, g0 = 0, current = 0;

	s->kind = OWNER_SYSTEM;
	s->owner = 0;
	if (!l || !l->g_goid)
		return;
	bpf_probe_read_user(&m, sizeof(m), (void *)(g + l->g_m));
	bpf_probe_read_user(&g0, sizeof(g0), (void *)(m + l->m_g0));
	if (g0 != g) {
		s->kind = OWNER_SIGNAL;
		return;
	}
	if (!bpf_probe_read_user(&current, sizeof(current), (void *)(m + l->m_curg)) && current)
		bpf_probe_read_user(&s->owner, sizeof(s->owner), (void *)(current + l->g_goid));
}

static __always_inline void stack_of(struct stack_of_g *s, const struct cpu_registers *r, u64 cookie,
				     const struct process *p)
{
	u32 goid_offset = cookie >> COOKIE_GOID_SHIFT & 0xffff;
	u64 g = 0;

	s->kind = OWNER_FOREIGN;
	s->owner = 0;
	s->hi = 0;
	if (cookie & COOKIE_REGISTER) {
		g = hit_g(r);
	} else {
		struct layout *l = layout_of(p);
		struct start start;

		start_from(&start, r);
		if (l && l->state == LAYOUT_GO && l->g_goid)
			g = thread_g(&start, (void *)bpf_get_current_task(), l->tls_offset);
	}
	if (!g || bpf_probe_read_user(&s->hi, sizeof(s->hi), (void *)(g + G_STACK_HI)))
		return;
	if (!goid_offset) {
		s->kind = OWNER_UNNUMBERED;
		s->owner = g;
		return;
	}
	if (bpf_probe_read_user(&s->owner, sizeof(s->owner), (void *)(g + goid_offset))) {
		s->hi = 0;
		return;
	}
	s->kind = OWNER_GOROUTINE;
	if (!s->owner)
		owner_without_number(s, g, p);
}

struct call_scratch {
	struct call_record record;
	u8 argument[TEXT_BYTES];
};

/* Puts the first argument behind a record; returns how many bytes. */
static __always_inline u64 add_argument(struct call_scratch *s, const struct cpu_registers *r,
					u64 cookie)
{
	u64 first = hit_first(r), n = sizeof(first);

	if (!(cookie & COOKIE_TEXT)) {
		__builtin_memcpy(s->argument, &first, sizeof(first));
		s->record.h.flags |= CALL_INTEGER;
		return n;
	}
	n = hit_second(r);
	if (n > TEXT_BYTES)
		n = TEXT_BYTES;
	if (bpf_probe_read_user(s->argument, n, (void *)first))
		return 0;
	s->record.h.flags |= CALL_TEXT;
	return n;
}

/* A probed place was reached, with these registers. */
static __always_inline int hit(const struct cpu_registers *r, u64 cookie)
{
	u64 id = bpf_get_current_pid_tgid(), n = 0;
	u32 tgid = id >> 32, edge = cookie >> COOKIE_EDGE_SHIFT & 3;
	struct process *p = bpf_map_lookup_elem(&tree, &tgid);
	struct process nobody = {};
	struct call_scratch s;
	struct stack_of_g stack;

	if (!p && cookie & COOKIE_TRIAL)
		p = &nobody;
	if (!p || p->hidden || !is_live(cookie))
		return 0;
	stack_of(&stack, r, cookie, p);
	head_of(&s.record.h, KIND_CALL, sizeof(s.record), tgid, id);
	s.record.h.flags = edge | stack.kind << CALL_OWNER_SHIFT | (p->forked ? CALL_FORKED : 0);
	s.record.owner = stack.owner;
	s.record.probe = cookie & ((1u << COOKIE_PROBE_BITS) - 1);
	s.record.depth = stack.hi - hit_sp(r) - (cookie >> COOKIE_DEPTH_SHIFT);
	if (edge == EDGE_ENTRY && cookie & (COOKIE_INTEGER | COOKIE_TEXT)) {
		__builtin_memset(s.argument, 0, sizeof(s.argument));
		n = add_argument(&s, r, cookie);
		s.record.h.length += n;
	}
	if (bpf_ringbuf_output(&events, &s, sizeof(s.record) + n, wake()))
		COUNT(lost_calls);
	return 0;
}

#endif

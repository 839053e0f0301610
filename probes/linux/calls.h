/* SPDX-License-Identifier: MIT OR GPL-2.0
 *
 * A probed place was reached: whose stack the thread is on, how deep, and with what argument.
 * Uses the maps and the processes of gotrace.bpf.c, which includes it behind them.
 *
 * There may be a million hits a second, so that each nanosecond counts. Hits do not go through the
 * ring buffer, which has one lock for all processors: each processor has a lane of its own in
 * shared memory. Only what a lane cannot take goes through the ring: hits with an argument, and
 * those of a thread that runs while another one was preempted in the middle of a hit.
 */
#ifndef GOTRACE_CALLS_H
#define GOTRACE_CALLS_H

/* Set before loading: entries of a lane less one, a power of two less one. */
const volatile u32 lane_mask = 0;

/* One for each processor. Both sizes are set before loading. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(u32));
	__uint(value_size, sizeof(struct lane) + sizeof(struct lane_entry));
} lanes SEC(".maps");

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

/* The beginning of g: runtime/runtime2.go. stack.hi is its second word in every release; the number
 * is not farther in than this in any (docs/go-versions.md). */
#define G_WORDS 21
#define G_STACK_HI 1

/* What a probed place was reached with. */
struct hit {
	u64 time;
	u64 id;	   /* process and thread */
	u64 owner; /* as call_record.owner */
	u64 hi;	   /* the stack's high end */
	u32 flags; /* as header.flags of a call_record */
};

/* Goroutines have numbers, g0 and gsignal have none: which of them this is, and for whom. */
static __always_inline u32 owner_without_number(u32 tgid, u64 g, u64 *owner)
{
	struct process *p = bpf_map_lookup_elem(&tree, &tgid);
	struct layout *l = p ? layout_of(p->dev, p->ino, p->size) : NULL;
	u64 m = 0, g0 = 0, current = 0;

	if (!l || l->state != LAYOUT_GO || !l->g_goid)
		return OWNER_SYSTEM;
	bpf_probe_read_user(&m, sizeof(m), (void *)(g + l->g_m));
	bpf_probe_read_user(&g0, sizeof(g0), (void *)(m + l->m_g0));
	if (g0 != g)
		return OWNER_SIGNAL;
	if (!bpf_probe_read_user(&current, sizeof(current), (void *)(m + l->m_curg)) && current)
		bpf_probe_read_user(owner, sizeof(*owner), (void *)(current + l->g_goid));
	return OWNER_SYSTEM;
}

/* g of code that does not keep it in its register. */
static __always_inline u64 g_elsewhere(u32 tgid, const struct cpu_registers *r)
{
	struct process *p = bpf_map_lookup_elem(&tree, &tgid);
	struct layout *l = p ? layout_of(p->dev, p->ino, p->size) : NULL;
	struct start start;

	if (!l || l->state != LAYOUT_GO || !l->g_goid)
		return 0;
	start_from(&start, r);
	return thread_g(&start, (void *)bpf_get_current_task(), l->tls_offset);
}

/* Whose stack it is. g is read in one piece: each reading of user memory costs as much as all else
 * that is done here. */
static __always_inline void find_owner(struct hit *h, const struct cpu_registers *r, u64 cookie)
{
	u64 goid = cookie >> COOKIE_GOID_SHIFT & 0xfff8, words[G_WORDS];
	u64 g = cookie & COOKIE_REGISTER ? hit_g(r) : g_elsewhere(h->id >> 32, r);
	u32 kind = OWNER_UNNUMBERED;

	h->owner = 0;
	h->hi = 0;
	if (!g || bpf_probe_read_user(words, sizeof(words), (void *)g))
		return;
	h->hi = words[G_STACK_HI];
	h->owner = g;
	barrier_var(goid); /* What is compared must be what is added. */
	if (goid && goid <= sizeof(words) - sizeof(u64)) {
		kind = OWNER_GOROUTINE;
		h->owner = *(u64 *)((void *)words + goid);
		if (!h->owner)
			kind = owner_without_number(h->id >> 32, g, &h->owner);
	}
	h->flags |= kind << CALL_OWNER_SHIFT;
}

/* What a process' calls are marked with, CALL_FORKED or nothing; negative where it is not followed. */
static __always_inline s32 marks_of(u32 tgid, u64 cookie)
{
	struct process *p = bpf_map_lookup_elem(&tree, &tgid);

	if (!p)
		return cookie & COOKIE_TRIAL ? 0 : -1;
	return p->hidden ? -1 : p->forked ? CALL_FORKED : 0;
}

static __always_inline u32 depth_of(const struct hit *h, const struct cpu_registers *r, u64 cookie)
{
	return h->hi - hit_sp(r) - (cookie >> COOKIE_DEPTH_SHIFT);
}

static __always_inline u32 probe_of(u64 cookie)
{
	return cookie & ((1u << COOKIE_PROBE_BITS) - 1);
}

static __always_inline void fill(struct call_record *c, const struct hit *h,
				 const struct cpu_registers *r, u64 cookie)
{
	c->h.kind = KIND_CALL;
	c->h.flags = h->flags;
	c->h.length = sizeof(*c);
	c->h.tgid = h->id >> 32;
	c->h.tid = h->id;
	c->h.time = h->time;
	c->owner = h->owner;
	c->probe = probe_of(cookie);
	c->depth = depth_of(h, r, cookie);
}

/* Wakes gotrace, and tells it nothing. */
static __always_inline int wake_up(void)
{
	void *nothing = bpf_ringbuf_reserve(&events, 8, 0);

	if (nothing)
		bpf_ringbuf_discard(nothing, BPF_RB_FORCE_WAKEUP);
	return 0;
}

/* Puts a hit into the lane, which the caller has taken. */
static __always_inline void put_hit(struct lane *lane, const struct hit *h,
				    const struct cpu_registers *r, u64 cookie)
{
	u64 head = lane->head;
	struct lane_entry *e =
		(void *)lane + sizeof(*lane) + (head & lane_mask) * sizeof(struct lane_entry);

	if (head - *(volatile u64 *)&lane->tail > lane_mask) {
		COUNT(lost_calls);
		return;
	}
	e->time = h->time;
	e->owner = h->owner;
	e->tgid = h->id >> 32;
	e->tid = h->id;
	e->probe = probe_of(cookie) | h->flags << COOKIE_PROBE_BITS;
	e->depth = depth_of(h, r, cookie);
	publish(&lane->head, head + 1);
	if (!((head + 1) & (lane_mask >> 1)))
		wake_up();
}

/* The lane of this processor, with nobody else in the middle of a hit; or nothing. */
static __always_inline struct lane *take_lane(void)
{
	u32 cpu = bpf_get_smp_processor_id();
	struct lane *lane = bpf_map_lookup_elem(&lanes, &cpu);

	if (!lane || *(volatile u64 *)&lane->taken)
		return NULL;
	*(volatile u64 *)&lane->taken = 1;
	return lane;
}

static __always_inline void leave_lane(struct lane *lane)
{
	*(volatile u64 *)&lane->taken = 0;
}

/* What a place was reached with, if that counts. The lane, where there is one, remembers what was
 * found in the tree until that changes. */
static __always_inline bool meet(struct hit *h, const struct cpu_registers *r, u64 cookie,
				 struct lane *lane)
{
	u64 id = bpf_get_current_pid_tgid(), tgid = id >> 32;
	u64 key = tgid << 32 | *(volatile u32 *)&tree_changes;
	s32 marks;

	if (!is_live(cookie))
		return false;
	/* An ordinary user, who may write to lanes, shall not choose what is shown to him. */
	if (watcher == ANY_USER && lane && lane->key == key) {
		marks = lane->marks;
	} else {
		marks = marks_of(tgid, cookie);
		if (marks < 0)
			return false;
		if (lane && !(cookie & COOKIE_TRIAL)) {
			lane->key = key;
			lane->marks = marks;
		}
	}
	h->id = id;
	h->time = bpf_ktime_get_ns();
	h->flags = (cookie >> COOKIE_EDGE_SHIFT & 3) | marks;
	find_owner(h, r, cookie);
	return true;
}

/* A probed place was reached, with these registers. */
static __always_inline int hit(const struct cpu_registers *r, u64 cookie)
{
	struct lane *lane = take_lane();
	struct call_record record;
	struct hit h;

	if (meet(&h, r, cookie, lane)) {
		if (lane) {
			put_hit(lane, &h, r, cookie);
		} else {
			fill(&record, &h, r, cookie);
			if (bpf_ringbuf_output(&events, &record, sizeof(record), wake()))
				COUNT(lost_calls);
		}
	}
	if (lane)
		leave_lane(lane);
	return 0;
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

/* Likewise, of a function whose first argument is asked for. */
static __always_inline int hit_with_argument(const struct cpu_registers *r, u64 cookie)
{
	struct call_scratch s = {};
	struct hit h;
	u64 n = 0;

	if (!meet(&h, r, cookie, NULL))
		return 0;
	fill(&s.record, &h, r, cookie);
	if ((h.flags & 3) == EDGE_ENTRY) {
		n = add_argument(&s, r, cookie);
		s.record.h.length += n;
	}
	if (bpf_ringbuf_output(&events, &s, sizeof(s.record) + n, wake()))
		COUNT(lost_calls);
	return 0;
}

/* A program that may leave for another one (its tail call) has its stack where the kernel sees at
 * once that user memory may be copied to; since Linux 6.13 others of this size have a private
 * stack, which it looks up at each copy. That saves 20 ns of 140. */
#define WITH_ARGUMENT(cookie) ((cookie) & (COOKIE_INTEGER | COOKIE_TEXT))

#endif

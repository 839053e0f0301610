/* SPDX-License-Identifier: MIT OR GPL-2.0
 *
 * Watches one tree of processes: who forks, executes and ends, with what it used, and where its
 * threads run. What is sent is drawn in records.h.
 *
 * The tree is a hash by process number. gotrace enters the root; each fork of a member enters
 * its child. Every program asks the hash first and leaves at once for anybody else.
 */
#include "cpu.h"
#include "kernel.h"
#include "records.h"
#include "walk.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* Set before loading: only processes of this user are shown; ANY_USER for everybody. */
#define ANY_USER 0xffffffff
const volatile u32 watcher = ANY_USER;
/* Set before loading: stacks are sampled. */
const volatile u32 sampling = 0;
/* Set before loading, as the size of `events` is: gotrace is woken when so much has gathered. */
const volatile u32 wake_bytes = 1;
/* Set before loading. */
const volatile u32 page_bytes = 4096;

#define MAX_PROCESSES 32768

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct counters);
} counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, LAYOUTS);
	__type(key, u32);
	__type(value, struct layout);
} layouts SEC(".maps");

struct process {
	u64 dev, ino, size; /* executable */
	u64 start_code;
	u64 max_rss;
	u64 run_delay; /* of its ended threads */
	u32 threads;
	u32 wait_status;
	u32 hidden; /* belongs to another user: only which program it runs, and what it uses, is shown */
	u32 forked; /* and has not called exec */
	u64 guest[3];   /* what it translates: as dev, ino, size */
	u64 guest_text; /* where that has its first executable address; 0 where that is not seen yet */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_PROCESSES);
	__type(key, u32);
	__type(value, struct process);
} tree SEC(".maps");

/* Changes with every program that begins or ends: until then, what was found in the tree is true. */
static u32 tree_changes;

#define PATH_BYTES 16384
#define MAX_COMPONENT 256
#define MAX_DEPTH 256

struct exec_scratch {
	struct exec_record record;
	char bytes[PATH_BYTES + 4096];
	/* Not sent: where append_component is. */
	struct dentry *dentry, *root;
	struct mount *mount;
	u32 at, whole;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct exec_scratch);
} exec_scratch SEC(".maps");

#define ARGV_CHUNK 16384
#define ARGV_CHUNKS 448 /* 7 MiB: more than Linux allows (3/4 of the 8 MiB stack) */

struct argv_scratch {
	struct argv_record record;
	char bytes[ARGV_CHUNK];
	u64 start; /* not sent */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct argv_scratch);
} argv_scratch SEC(".maps");

/* One for the sampling program, which may interrupt the others, one for sched_switch, one for the
 * end of a thread. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 3);
	__type(key, u32);
	__type(value, struct walk);
} walks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_PROCESSES);
	__type(key, u32);
	__type(value, u64);
} away SEC(".maps");

static __always_inline struct counters *counted(void)
{
	u32 zero = 0;
	return bpf_map_lookup_elem(&counts, &zero);
}

#define COUNT(field)                                                                               \
	do {                                                                                       \
		struct counters *c_ = counted();                                                   \
		if (c_)                                                                            \
			__sync_fetch_and_add(&c_->field, 1);                                       \
	} while (0)

static __always_inline void head_of(struct header *h, u16 kind, u32 length, u32 tgid, u32 tid)
{
	h->kind = kind;
	h->flags = 0;
	h->length = length;
	h->tgid = tgid;
	h->tid = tid;
	h->time = bpf_ktime_get_ns();
}

static __always_inline void head(struct header *h, u16 kind, u32 length, struct task_struct *task)
{
	head_of(h, kind, length, task->tgid, task->pid);
}

/* Wakes gotrace only when much has gathered; it looks by itself several times a second. */
static __always_inline u64 wake(void)
{
	return bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) >= wake_bytes ? BPF_RB_FORCE_WAKEUP :
									     BPF_RB_NO_WAKEUP;
}

/* Whether a process may be looked into by its own user: MMF_DUMPABLE_MASK of linux/mm_types.h is 3,
 * SUID_DUMP_USER is 1. The kernel takes that from programs that are setuid, setgid, have
 * capabilities or cannot be read; others ask for it by prctl(2). */
static __always_inline bool is_dumpable(struct mm_struct *mm)
{
	struct mm_struct___word *word = (void *)mm;
	struct mm_struct___bits *bits = (void *)mm;
	unsigned long flags = 0;

	if (bpf_core_field_exists(word->flags))
		flags = BPF_CORE_READ(word, flags);
	else if (bpf_core_field_exists(bits->flags))
		bpf_probe_read_kernel(&flags, sizeof(flags),
				      (void *)mm + bpf_core_field_offset(bits->flags));
	return (flags & 3) == 1;
}

static __always_inline bool foreign(struct task_struct *task)
{
	const struct cred *cred = task->cred;

	return watcher != ANY_USER &&
	       (cred->uid.val != watcher || cred->euid.val != watcher ||
		cred->gid.val != cred->egid.val || !is_dumpable(task->mm));
}

SEC("tp_btf/sched_process_fork")
int on_fork(u64 *ctx)
{
	struct task_struct *parent = (void *)ctx[0], *child = (void *)ctx[1];
	u32 parent_tgid = parent->tgid, tgid = child->tgid;
	struct process *p = bpf_map_lookup_elem(&tree, &parent_tgid);
	struct process entry;
	struct fork_record record = {};

	if (!p)
		return 0;
	if (tgid == parent_tgid) {
		__sync_fetch_and_add(&p->threads, 1);
		return 0;
	}
	__builtin_memcpy(&entry, p, sizeof(entry));
	entry.threads = 1;
	entry.max_rss = 0;
	entry.run_delay = 0;
	entry.wait_status = 0;
	entry.forked = 1;
	if (bpf_map_update_elem(&tree, &tgid, &entry, BPF_ANY)) {
		COUNT(lost_processes);
		return 0;
	}
	head(&record.h, KIND_FORK, sizeof(record), child);
	record.parent = parent_tgid;
	if (bpf_ringbuf_output(&events, &record, sizeof(record), wake()))
		COUNT(lost_forks);
	return 0;
}

static __always_inline struct mount *mount_of(struct vfsmount *mnt)
{
	return (void *)mnt - bpf_core_field_offset(struct mount, mnt);
}

/* What gotrace itself calls "/", which is not the machine's in a chroot or a container. Known
 * from the first program of the tree: it has not had the time to go elsewhere. */
static struct dentry *root_dentry;
static struct mount *root_mount;

static __always_inline void learn_root(struct task_struct *task)
{
	if (root_mount)
		return;
	root_dentry = task->fs->root.dentry;
	root_mount = mount_of(task->fs->root.mnt);
}

/* Appends one component of the path at hand; 1 when the root is reached. */
static long append_component(u32 i, struct exec_scratch **scratch)
{
	struct exec_scratch *s = *scratch;
	struct dentry *dentry = s->dentry, *parent;
	long n;

	(void)i;
	if (dentry == root_dentry && s->mount == root_mount) {
		s->whole = 1;
		return 1;
	}
	if (dentry == s->root) {
		struct mount *mount = s->mount, *up = BPF_CORE_READ(mount, mnt_parent);

		if (up == mount) {
			s->whole = 1;
			return 1;
		}
		s->dentry = BPF_CORE_READ(mount, mnt_mountpoint);
		s->mount = up;
		s->root = BPF_CORE_READ(up, mnt.mnt_root);
		return 0;
	}
	parent = BPF_CORE_READ(dentry, d_parent);
	if (s->at > PATH_BYTES - MAX_COMPONENT)
		return 1;
	n = bpf_probe_read_kernel_str(&s->bytes[s->at & (PATH_BYTES - 1)], MAX_COMPONENT,
				      BPF_CORE_READ(dentry, d_name.name));
	if (n < 0)
		return 1;
	s->at += n & (2 * MAX_COMPONENT - 1);
	s->dentry = parent;
	if (parent == dentry) { /* of no mount: a memfd, a detached tree */
		s->whole = 1;
		return 1;
	}
	return 0;
}

/* Appends the components of a path, the innermost first; returns how many bytes. */
static __always_inline u32 append_path(struct exec_scratch *s, struct path *path)
{
	struct vfsmount *mnt = path->mnt;
	u32 before = s->at;

	s->mount = mount_of(mnt);
	s->root = mnt->mnt_root;
	s->dentry = path->dentry;
	s->whole = 0;
	REPEAT(MAX_DEPTH, append_component, &s);
	if (!s->whole)
		s->record.h.flags |= EXEC_PATH_CUT;
	return s->at - before;
}

static __always_inline void add_io(struct usage *u, struct task_io_accounting *io)
{
	u->read_bytes += io->read_bytes;
	u->write_bytes += io->write_bytes;
}

static __always_inline void usage_of_thread(struct usage *u, struct task_struct *task)
{
	u->runtime = task->se.sum_exec_runtime;
	u->utime = task->utime;
	u->stime = task->stime;
	u->run_delay = 0;
	if (bpf_core_field_exists(task->sched_info.run_delay))
		u->run_delay = task->sched_info.run_delay;
	u->min_flt = task->min_flt;
	u->maj_flt = task->maj_flt;
	u->nvcsw = task->nvcsw;
	u->nivcsw = task->nivcsw;
	u->read_bytes = 0;
	u->write_bytes = 0;
	if (bpf_core_field_exists(task->ioac.read_bytes)) {
		u->read_bytes = task->ioac.read_bytes;
		u->write_bytes = task->ioac.write_bytes;
	}
}

static __always_inline void add_ended_threads(struct usage *u, struct signal_struct *signal,
					      struct process *p)
{
	u->runtime += signal->sum_sched_runtime;
	u->utime += signal->utime;
	u->stime += signal->stime;
	u->run_delay += p->run_delay;
	u->min_flt += signal->min_flt;
	u->maj_flt += signal->maj_flt;
	u->nvcsw += signal->nvcsw;
	u->nivcsw += signal->nivcsw;
	if (bpf_core_field_exists(signal->ioac.read_bytes))
		add_io(u, &signal->ioac);
}

/* Sends the next piece of the arguments; 1 when they are sent, or cannot be. */
static long send_piece(u32 i, struct argv_scratch **scratch)
{
	struct argv_scratch *s = *scratch;
	struct argv_record *r = &s->record;
	u64 n = r->total - r->offset;

	(void)i;
	if (r->offset >= r->total)
		return 1;
	if (n > ARGV_CHUNK)
		n = ARGV_CHUNK;
	if (bpf_probe_read_user(s->bytes, n, (void *)(s->start + r->offset))) {
		r->h.flags = ARGV_UNREADABLE;
		n = 0;
	}
	r->h.length = sizeof(*r) + n;
	if (bpf_ringbuf_output(&events, s, sizeof(*r) + n, wake())) {
		COUNT(lost_argv);
		return 1;
	}
	r->offset += n;
	return n == 0;
}

static __always_inline void send_argv(struct task_struct *task, u64 start, u64 total)
{
	u32 zero = 0;
	struct argv_scratch *s = bpf_map_lookup_elem(&argv_scratch, &zero);

	if (!s)
		return;
	head(&s->record.h, KIND_ARGV, 0, task);
	s->record.offset = 0;
	s->record.total = total;
	s->start = start;
	REPEAT(ARGV_CHUNKS, send_piece, &s);
}

/* The file that a translator was loaded for: by now it is a descriptor of the process, for the
 * translator to read. */
static __always_inline void find_translated_file(struct process *p, struct task_struct *task,
						 struct linux_binprm *bprm)
{
	struct file **files, *file = NULL;

	__builtin_memset(p->guest, 0, sizeof(p->guest));
	p->guest_text = 0;
	if (!BPF_CORE_READ_BITFIELD(bprm, have_execfd) || bprm->execfd < 0)
		return;
	files = BPF_CORE_READ(task, files, fdt, fd);
	if (bpf_probe_read_kernel(&file, sizeof(file), files + bprm->execfd) || !file)
		return;
	p->guest[0] = BPF_CORE_READ(file, f_inode, i_sb, s_dev);
	p->guest[1] = BPF_CORE_READ(file, f_inode, i_ino);
	p->guest[2] = BPF_CORE_READ(file, f_inode, i_size);
}

SEC("tp_btf/sched_process_exec")
int on_exec(u64 *ctx)
{
	struct task_struct *task = (void *)ctx[0];
	struct linux_binprm *bprm = (void *)ctx[2];
	u32 tgid = task->tgid, zero = 0, at;
	struct process *p = bpf_map_lookup_elem(&tree, &tgid);
	struct exec_scratch *s;
	struct exec_record *r;
	u64 argv_start, argv_end;
	long n;

	if (!p)
		return 0;
	s = bpf_map_lookup_elem(&exec_scratch, &zero);
	if (!s)
		return 0;
	learn_root(task);
	r = &s->record;
	head(&r->h, KIND_EXEC, 0, task);
	usage_of_thread(&r->before, task);
	add_ended_threads(&r->before, task->signal, p);
	r->dev = bprm->file->f_inode->i_sb->s_dev;
	r->ino = bprm->file->f_inode->i_ino;
	r->size = bprm->file->f_inode->i_size;
	p->dev = r->dev;
	p->ino = r->ino;
	p->size = r->size;
	find_translated_file(p, task, bprm);
	__builtin_memcpy(r->guest, p->guest, sizeof(r->guest));
	p->start_code = task->mm->start_code;
	p->max_rss = 0;
	p->hidden = foreign(task);
	p->forked = 0;
	__sync_fetch_and_add(&tree_changes, 1);
	argv_start = task->mm->arg_start;
	argv_end = task->mm->arg_end;
	r->argv_bytes = argv_end > argv_start ? argv_end - argv_start : 0;
	if (p->hidden) {
		r->h.flags |= EXEC_HIDDEN;
		r->argv_bytes = 0;
	}
	__builtin_memset(r->magic, 0, sizeof(r->magic));
	bpf_probe_read_kernel(r->magic, sizeof(r->magic), bprm->buf);

	s->at = 0;
	r->exe_bytes = append_path(s, &bprm->file->f_path);
	r->cwd_bytes = p->hidden ? 0 : append_path(s, &task->fs->pwd);
	at = s->at;
	r->asked_bytes = 0;
	r->pad = 0;
	r->pad2 = 0;
	if (bprm->interp != bprm->filename) {
		r->h.flags |= EXEC_INDIRECT;
		n = bpf_probe_read_kernel_str(&s->bytes[at & (PATH_BYTES - 1)], 4096, bprm->filename);
		if (n > 0) {
			r->asked_bytes = n;
			at += n & 8191;
		}
	}
	at &= 2 * PATH_BYTES - 1;
	if (at > sizeof(s->bytes))
		return 0;
	r->h.length = sizeof(*r) + at;
	/* At once: files that its arguments name may soon be gone. */
	if (bpf_ringbuf_output(&events, s, sizeof(*r) + at, BPF_RB_FORCE_WAKEUP)) {
		COUNT(lost_execs);
		return 0;
	}
	send_argv(task, argv_start, r->argv_bytes);
	return 0;
}

static __always_inline u64 resident_peak(struct task_struct *task)
{
	struct mm_struct *mm = task->mm;
	u64 pages = 0;

	/* Until 6.15 the memory is gone when this tracepoint is reached. */
	if (mm && bpf_core_field_exists(mm->rss_stat[0].count)) {
		u64 first = (u64)mm + bpf_core_field_offset(struct mm_struct, rss_stat) +
			    bpf_core_field_offset(struct percpu_counter, count);

		for (int i = 0; i < 4; i++) {
			u64 at = first + i * bpf_core_type_size(struct percpu_counter);
			s64 n = 0;

			bpf_probe_read_kernel(&n, sizeof(n), (void *)at);
			if (i != 2 && n > 0) /* file, anonymous, shared; not swapped */
				pages += n;
		}
		if (mm->hiwater_rss > pages)
			pages = mm->hiwater_rss;
	} else {
		pages = task->signal->maxrss;
	}
	return pages * page_bytes;
}

static __always_inline u32 state_of(struct task_struct *task)
{
	struct task_struct___state *old = (void *)task;

	if (bpf_core_field_exists(old->state))
		return BPF_CORE_READ(old, state);
	return task->__state;
}

/* A thread has left the processor for the last time: its use of it is final only now. */
static __always_inline void ended(struct task_struct *task)
{
	u32 tgid = task->tgid;
	struct process *p = bpf_map_lookup_elem(&tree, &tgid);
	struct end_record record = {};

	if (!p)
		return;
	head(&record.h, KIND_END, sizeof(record), task);
	record.start = task->start_time;
	usage_of_thread(&record.usage, task);
	__sync_fetch_and_add(&p->run_delay, record.usage.run_delay);
	record.max_rss = p->max_rss;
	record.wait_status = p->wait_status;
	bpf_probe_read_kernel(record.name, sizeof(record.name), task->comm);
	__sync_fetch_and_add(&p->threads, -1);
	/* Two may see the last count; only one can take the entry out. */
	if (*(volatile u32 *)&p->threads == 0 && !bpf_map_delete_elem(&tree, &tgid)) {
		__sync_fetch_and_add(&tree_changes, 1);
		record.h.flags |= END_OF_PROCESS;
	}
	/* The end of a process is heard at once: what it has linked may be run next. */
	if (bpf_ringbuf_output(&events, &record, sizeof(record),
			       record.h.flags & END_OF_PROCESS ? BPF_RB_FORCE_WAKEUP : wake()))
		COUNT(lost_ends);
}

SEC("tp_btf/sched_switch")
int on_last_switch(u64 *ctx)
{
	struct task_struct *previous = (void *)ctx[1];

	if ((previous->flags & PF_EXITING) && (state_of(previous) & TASK_DEAD))
		ended(previous);
	return 0;
}

/* What gotrace knows of an executable, or nothing. */
static __always_inline struct layout *layout_of(u64 dev, u64 ino, u64 size)
{
	u32 slot = dev * 31 + ino * 7 + size;

	for (u32 i = 0; i < LAYOUT_TRIES; i++) {
		u32 index = (slot + i) & (LAYOUTS - 1);
		struct layout *l = bpf_map_lookup_elem(&layouts, &index);

		if (!l || l->state == LAYOUT_EMPTY)
			return NULL;
		if (l->ino == ino && l->dev == dev && l->size == size)
			return l;
	}
	return NULL;
}

struct mapped {
	const u64 *file; /* its numbers */
	u64 start;       /* where the beginning of the file would be, or 0 */
};

static long see_mapping(struct task_struct *task, struct vm_area_struct *vma, struct mapped *at)
{
	struct inode *inode = BPF_CORE_READ(vma, vm_file, f_inode);

	(void)task;
	if (inode && BPF_CORE_READ(inode, i_ino) == at->file[1] &&
	    BPF_CORE_READ(inode, i_sb, s_dev) == at->file[0])
		at->start = BPF_CORE_READ(vma, vm_start) - (BPF_CORE_READ(vma, vm_pgoff) << 12);
	return 0;
}

/* Where the program that a translator runs has its first executable address; 0 where that is not
 * known. One that can be loaded anywhere is looked for until its own code is seen to run. */
static __always_inline u64 text_of_guest(const struct walk *w, struct process *p,
					 const struct layout *l)
{
	struct mapped at = { p->guest, 0 };

	if (!l->moves)
		return l->text;
	if (!p->guest_text && w->guest && HAS_HELPER(find_vma)) {
		bpf_find_vma(bpf_get_current_task_btf(), w->guest_pc, see_mapping, &at, 0);
		if (at.start)
			p->guest_text = at.start + l->code;
	}
	return p->guest_text;
}

/* Walks the current thread's stack and sends it. `task` may be any pointer to it: the walk reads
 * it as memory, for Linux before 5.11 has no other pointer to the current task. */
static __always_inline void send_stack(struct walk *w, struct task_struct *task,
				       struct process *p, struct start *s, u16 kind, u16 flags)
{
	struct layout *l = layout_of(p->dev, p->ino, p->size), *t;
	u64 id = bpf_get_current_pid_tgid(), bytes, slide = p->start_code;

	begin_walk(w);
	if (l && l->state == LAYOUT_TRANSLATOR) {
		t = l;
		l = layout_of(p->guest[0], p->guest[1], p->guest[2]);
		find_guest(w, s, t, l, task);
		slide = l ? text_of_guest(w, p, l) : 0;
		if (!slide)
			l = NULL;
	}
	if (l && l->state != LAYOUT_GO)
		l = NULL;
	walk_stack(w, s, l, task, l ? slide - l->text : 0);
	bytes = w->n * sizeof(u64);
	if (bytes > sizeof(w->frames))
		return;
	head_of(&w->record.h, kind, sizeof(w->record) + bytes, id >> 32, id);
	w->record.h.flags = flags | (w->rooted ? 0 : SAMPLE_CUT) |
			    (w->has_goroutine ? SAMPLE_GOROUTINE : 0) | w->guest;
	w->record.frames = w->n;
	w->record.pad = 0;
	if (bpf_ringbuf_output(&events, w, sizeof(w->record) + bytes, wake())) {
		if (kind == KIND_SAMPLE)
			COUNT(lost_samples);
		else
			COUNT(lost_switches);
	}
}

/* The registers with which the current thread entered the kernel. */
static __always_inline bool entered_with(struct start *s)
{
	struct cpu_registers r;
	struct task_struct *task;
	void *regs;

	if (HAS_HELPER(task_pt_regs)) {
		regs = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());
	} else {
		task = (void *)bpf_get_current_task();
		regs = BPF_CORE_READ(task, stack) + THREAD_SIZE - sizeof(struct kernel_registers);
	}
	if (bpf_probe_read_kernel(&r, sizeof(r), regs))
		return false;
	start_from(s, &r);
	s->trapped = by_trap(&r);
	return s->user;
}

/* A thread begins to end: what will be gone when it has ended. */
SEC("tp_btf/sched_process_exit")
int on_exit(u64 *ctx)
{
	struct task_struct *task = (void *)ctx[0];
	u32 tgid = task->tgid;
	struct process *p = bpf_map_lookup_elem(&tree, &tgid);
	struct walk *w;
	struct start s;
	u32 two = 2;
	u64 peak;

	if (!p)
		return 0;
	peak = resident_peak(task);
	if (peak > p->max_rss)
		p->max_rss = peak;
	if (task->signal->flags & SIGNAL_GROUP_EXIT)
		p->wait_status = task->signal->group_exit_code;
	else if (task->pid == task->tgid)
		p->wait_status = task->exit_code;
	/* The kernel takes the memory down in this thread, and may be sampled doing so. */
	if (!sampling || p->hidden || !task->mm)
		return 0;
	w = bpf_map_lookup_elem(&walks, &two);
	if (w && entered_with(&s))
		send_stack(w, task, p, &s, KIND_LAST, 0);
	return 0;
}

SEC("perf_event")
int on_sample(struct bpf_perf_event_data *ctx)
{
	u32 tgid = bpf_get_current_pid_tgid() >> 32, zero = 0;
	struct process *p = bpf_map_lookup_elem(&tree, &tgid);
	struct counters *c;
	struct task_struct *task;
	struct walk *w;
	struct start s;
	u16 flags = 0;
	u64 begun;

	if (!p || p->hidden)
		return 0;
	begun = bpf_ktime_get_ns();
	w = bpf_map_lookup_elem(&walks, &zero);
	c = counted();
	if (!w || !c)
		return 0;
	task = (void *)bpf_get_current_task();
	start_from(&s, &ctx->regs);
	if (!s.user) {
		flags = SAMPLE_KERNEL;
		if (!entered_with(&s))
			return 0;
	}
	if (!BPF_CORE_READ(task, mm))
		flags |= SAMPLE_GONE;
	send_stack(w, task, p, &s, KIND_SAMPLE, flags);
	__sync_fetch_and_add(&c->samples, 1);
	__sync_fetch_and_add(&c->spent, bpf_ktime_get_ns() - begun);
	return 0;
}

static __always_inline void leaves(struct task_struct *task)
{
	u32 tgid = task->tgid, tid = task->pid, one = 1;
	struct process *p = bpf_map_lookup_elem(&tree, &tgid);
	struct walk *w;
	struct start s;
	u64 now;

	if (!p || p->hidden || (task->flags & PF_EXITING))
		return;
	w = bpf_map_lookup_elem(&walks, &one);
	if (!w || !entered_with(&s))
		return;
	now = bpf_ktime_get_ns();
	if (bpf_map_update_elem(&away, &tid, &now, BPF_ANY)) {
		COUNT(lost_switches);
		return;
	}
	send_stack(w, task, p, &s, KIND_AWAY, state_of(task) ? 0 : AWAY_PREEMPTED);
}

static __always_inline void returns(struct task_struct *task)
{
	u32 tid = task->pid;
	u64 *since = bpf_map_lookup_elem(&away, &tid);
	struct back_record record = {};

	if (!since)
		return;
	head(&record.h, KIND_BACK, sizeof(record), task);
	record.away = record.h.time - *since;
	bpf_map_delete_elem(&away, &tid);
	if (bpf_ringbuf_output(&events, &record, sizeof(record), wake()))
		COUNT(lost_switches);
}

/* Loaded instead of on_last_switch when time off the processor is asked for. */
SEC("tp_btf/sched_switch")
int on_switch(u64 *ctx)
{
	struct task_struct *previous = (void *)ctx[1], *next = (void *)ctx[2];

	if ((previous->flags & PF_EXITING) && (state_of(previous) & TASK_DEAD))
		ended(previous);
	else
		leaves(previous);
	returns(next);
	return 0;
}

#include "calls.h"

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(u32));
	__uint(value_size, sizeof(u32));
} many_with_argument SEC(".maps"), one_with_argument SEC(".maps");

SEC("uprobe.multi")
int on_probe(struct cpu_registers *ctx)
{
	u64 cookie = bpf_get_attach_cookie(ctx);

	if (WITH_ARGUMENT(cookie))
		bpf_tail_call(ctx, &many_with_argument, 0);
	return hit(ctx, cookie);
}

SEC("uprobe.multi")
int on_argument(struct cpu_registers *ctx)
{
	return hit_with_argument(ctx, bpf_get_attach_cookie(ctx));
}

/* For Linux before 6.6, which attaches to one place at a time. */
SEC("uprobe")
int on_probe_single(struct cpu_registers *ctx)
{
	u64 cookie = bpf_get_attach_cookie(ctx);

	if (WITH_ARGUMENT(cookie))
		bpf_tail_call(ctx, &one_with_argument, 0);
	return hit(ctx, cookie);
}

SEC("uprobe")
int on_argument_single(struct cpu_registers *ctx)
{
	return hit_with_argument(ctx, bpf_get_attach_cookie(ctx));
}

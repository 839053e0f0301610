/* SPDX-License-Identifier: MIT OR GPL-2.0
 *
 * The few types of the kernel that gotrace.bpf.c reads, with only the fields that it reads.
 * `preserve_access_index` makes the loader replace every offset by the one that the running
 * kernel's BTF gives, so order, holes and size here mean nothing.
 */
#ifndef GOTRACE_KERNEL_H
#define GOTRACE_KERNEL_H

typedef signed char __s8;
typedef unsigned char __u8;
typedef short __s16;
typedef unsigned short __u16;
typedef int __s32;
typedef unsigned int __u32;
typedef long long __s64;
typedef unsigned long long __u64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u64 __be64;
typedef __u32 __wsum;
typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;

#define bool _Bool
#define true 1
#define false 0
#define NULL ((void *)0)

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define BPF_MAP_TYPE_HASH 1
#define BPF_MAP_TYPE_ARRAY 2
#define BPF_MAP_TYPE_PROG_ARRAY 3
#define BPF_MAP_TYPE_PERCPU_ARRAY 6
#define BPF_MAP_TYPE_RINGBUF 27
#define BPF_F_MMAPABLE (1U << 10)
#define BPF_ANY 0
#define BPF_RB_NO_WAKEUP 1
#define BPF_RB_FORCE_WAKEUP 2
#define BPF_RB_AVAIL_DATA 0

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct qstr {
	u32 len;
	const unsigned char *name;
};
struct super_block {
	u32 s_dev;
};
struct inode {
	u64 i_ino;
	s64 i_size;
	struct super_block *i_sb;
};
struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
};
struct vfsmount {
	struct dentry *mnt_root;
};
struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
};
struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};
struct fdtable {
	struct file **fd;
};
struct files_struct {
	struct fdtable *fdt;
};
struct fs_struct {
	struct path root, pwd;
};
struct file {
	struct path f_path;
	struct inode *f_inode;
};
struct vm_area_struct {
	unsigned long vm_start;
	unsigned long vm_pgoff;
	struct file *vm_file;
};
struct percpu_counter {
	s64 count;
};
struct mm_struct {
	unsigned long arg_start, arg_end;
	unsigned long start_code;
	unsigned long hiwater_rss;
	struct percpu_counter rss_stat[4];
};
struct task_io_accounting {
	u64 read_bytes;
	u64 write_bytes;
};
struct signal_struct {
	u32 flags;
	int group_exit_code;
	u64 utime, stime;
	unsigned long nvcsw, nivcsw;
	unsigned long min_flt, maj_flt;
	unsigned long maxrss;
	struct task_io_accounting ioac;
	u64 sum_sched_runtime;
};
struct sched_entity {
	u64 sum_exec_runtime;
};
struct sched_info {
	unsigned long long run_delay;
};
struct cred {
	struct {
		u32 val;
	} uid, euid, gid, egid;
};
struct task_struct {
	int pid, tgid;
	u32 flags;
	struct task_struct *group_leader;
	struct mm_struct *mm;
	struct fs_struct *fs;
	struct files_struct *files;
	struct signal_struct *signal;
	const struct cred *cred;
	int exit_code;
	u64 utime, stime;
	u64 start_time;
	unsigned long nvcsw, nivcsw;
	unsigned long min_flt, maj_flt;
	struct sched_entity se;
	struct sched_info sched_info;
	struct task_io_accounting ioac;
	char comm[16];
	void *stack;
	u32 __state;
};
/* Until Linux 6.17. */
struct mm_struct___word {
	unsigned long flags;
};
/* Since then. */
struct mm_struct___bits {
	struct {
		unsigned long words[1];
	} flags;
};
/* Before Linux 5.14. */
struct task_struct___state {
	long state;
};
struct linux_binprm {
	struct file *file;
	unsigned int have_execfd : 1; /* binfmt_misc has opened the file that it found a translator for */
	int execfd;
	const char *filename;
	const char *interp;
	char buf[256];
};

#pragma clang attribute pop

/* Values in the kernel's headers and not in its BTF. */
#define PF_EXITING 0x00000004
#define TASK_DEAD 0x00000080
#define SIGNAL_GROUP_EXIT 0x00000004

/* Tells whether the running kernel has the helper; the value itself is ABI. */
enum bpf_func_id___gotrace {
	BPF_FUNC_task_pt_regs___gotrace = 175,
	BPF_FUNC_find_vma___gotrace = 180,
	BPF_FUNC_loop___gotrace = 181,
};

#define HAS_HELPER(name) \
	bpf_core_enum_value_exists(enum bpf_func_id___gotrace, BPF_FUNC_##name##___gotrace)

/*
 * Calls step(i, context) until it returns 1. With bpf_loop (Linux 5.17) the verifier looks at one
 * round only; before, at each, so that all state of a loop lives in memory that it does not track,
 * and there are fewer rounds: more than some 300 of the walk are "too complex" for it. What has
 * no end by then is told as cut.
 */
#define UNROLLED 256
#define REPEAT(count, step, context)                                                               \
	do {                                                                                       \
		if (HAS_HELPER(loop)) {                                                            \
			bpf_loop(count, step, context, 0);                                         \
		} else {                                                                           \
			for (u32 i_ = 0; i_ < (count) && i_ < UNROLLED; i_++)                         \
				if (step(i_, context))                                             \
					break;                                                     \
		}                                                                                  \
	} while (0)

#endif

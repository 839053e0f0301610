/* Trampolines for amd64: what a copy of a program runs beside its own code.
 *
 * The segment that this becomes lies behind 64 KiB of memory of its own (PAGE below), and is followed by one
 * trampoline for each place: `entry`, `exit`, `span_entry` or `span_exit`, and then the instructions that the place had.
 * It is small, for there are thousands, which displace the program's own code in the caches: what all of them do is
 * there once, `tell_entry` and so on.
 * binary/trampoline/code.rs reads it by its symbols: a symbol `x.y` marks the end of the four bytes y of x that are
 * to be filled in. The layout of the ring is drawn in binary/trampoline/ring.rs.
 *
 * What holds at a place (Go's internal ABI, cmd/compile/abi-internal.md): R14 is g, R12, R13 and the flags are free; all
 * else is live, RDX too, for it may hold a closure. Behind the check of its stack a function has more than 800 bytes
 * below it (StackGuard less StackSmall, runtime/stack.go), of which at most 80 are used here.
 *
 * With MACOS defined there is nothing of the kernel's in it: a library that dyld loads maps the ring, and a program that
 * finds no chunk drops records at once, for calls of Darwin's kernel are private to its own libraries.
 */
	.intel_syntax noprefix
	.text

	.include "ring.S"

	.set SYS_mmap, 9
	.set SYS_pread64, 17
	.set SYS_madvise, 28
	.set SYS_nanosleep, 35
	.set SYS_getpid, 39
	.set SYS_close, 3

start:
.Lorigin:
	.ifndef MACOS
/* The program begins. RDX is the loader's, RSP the arguments'; all else is unspecified (psABI 3.4.1). */
	push	rdx
	sub	rsp, 72
	lea	rbx, [rip + descriptors]
.Lnext:
	mov	ebp, [rbx]
	add	rbx, 4
	test	ebp, ebp
	js	.Lbegin
	mov	eax, SYS_pread64
	mov	edi, ebp
	mov	rsi, rsp
	mov	edx, 64
	xor	r10d, r10d
	syscall
	cmp	rax, 64
	jne	.Lnext
	movabs	rax, 0x3172656361727467		/* "gtracer1" */
	cmp	[rsp + RING_MAGIC], rax
	jne	.Lnext
	/* Room for the ring at a multiple of 64 KiB: a chunk's end is seen by its address. */
	mov	r12, [rsp + RING_BYTES]
	xor	edi, edi
	lea	rsi, [r12 + CHUNKS]
	xor	edx, edx			/* PROT_NONE */
	mov	r10d, 0x4022			/* PRIVATE | ANONYMOUS | NORESERVE */
	mov	r8d, -1
	xor	r9d, r9d
	mov	eax, SYS_mmap
	syscall
	cmp	rax, -4096
	ja	.Lclose
	lea	rdi, [rax + CHUNKS - 1]
	and	rdi, -CHUNKS
	mov	rsi, r12
	mov	edx, 3				/* READ | WRITE */
	mov	r10d, 0x11			/* SHARED | FIXED */
	mov	r8d, ebp
	mov	eax, SYS_mmap
	syscall
	cmp	rax, -4096
	ja	.Lclose
	mov	r13, rax
	/* Memory that a forked child finds empty: it has no ring. */
	mov	r14, [rip + .Lorigin + IMAGE]
	lea	rdi, [rip + .Lorigin + PAGE]
	mov	esi, 0x10000
	mov	edx, 3
	mov	r10d, 0x32			/* PRIVATE | FIXED | ANONYMOUS */
	mov	r8d, -1
	xor	r9d, r9d
	mov	eax, SYS_mmap
	syscall
	cmp	rax, -4096
	ja	.Lclose
	mov	rdi, rax
	mov	esi, 0x10000
	mov	edx, 18				/* MADV_WIPEONFORK: Linux 4.14 */
	mov	eax, SYS_madvise
	syscall
	test	eax, eax
	jnz	.Lclose
	mov	eax, SYS_getpid
	syscall
	mov	[rip + .Lorigin + PID], eax
	mov	[rip + .Lorigin + IMAGE], r14
	mov	[rip + .Lorigin + RING], r13
	lock inc qword ptr [r13 + RING_MAPPED]
.Lclose:
	mov	edi, ebp
	mov	eax, SYS_close
	syscall
.Lbegin:
	add	rsp, 72
	pop	rdx
	xor	eax, eax
	xor	ebx, ebx
	xor	ecx, ecx
	xor	ebp, ebp
	xor	esi, esi
	xor	edi, edi
	xor	r8d, r8d
	xor	r9d, r9d
	xor	r10d, r10d
	xor	r11d, r11d
	xor	r12d, r12d
	xor	r13d, r13d
	xor	r14d, r14d
	.byte	0xe9				/* jmp to where the program begins */
	.long	0
start.program:

	.balign	4
descriptors:
	.long	0, 0, 0, -1
descriptors.numbers:

	.balign	8
.Lwhile:
	.quad	0, 50000			/* seconds, nanoseconds: about twice that, for timers have slack */
	.endif

/* A thread has no chunk, or its chunk is full. RAX is m; it and RDX are the caller's to lose. */
	.balign	16
claim:
	push	rcx
	push	rsi
	push	rdi
	push	r8
	push	r11
	push	r12
	mov	r12, rax
	mov	rsi, [rip + .Lorigin + RING]
	test	rsi, rsi
	jz	.Lscratch
	mov	edx, [rsi + RING_TAIL]
	mov	r8d, [rsi + RING_PATIENCE]
.Ltry:
	cmp	dword ptr [rsi + RING_CLOSED], 0
	jne	.Ldrop
	mov	rax, [rsi + RING_HEAD]
.Lagain:
	cmp	rax, [rsi + RING_TAIL]
	jae	.Lfull
	mov	edi, [rsi + RING_MASK]
	and	edi, eax
	mov	edi, [rsi + RING_QUEUE + 4*rdi]
	lea	rcx, [rax + 1]
	lock cmpxchg [rsi + RING_HEAD], rcx
	jne	.Lagain
	cmp	edi, [rsi + RING_CHUNKS]
	jae	.Ldrop
	shl	rdi, 16
	lea	rdi, [rsi + rdi + CHUNKS]
	.ifndef MACOS
	/* What a process reads Linux maps with what there is of the 64 KiB around it (fault_around_bytes), which is the
	 * chunk; what it writes, that page alone. */
	mov	eax, [rdi]
	.endif
	mov	eax, [rip + .Lorigin + PID]
	mov	[rdi], eax
	.byte	0x41, 0x8b, 0x84, 0x24		/* mov eax, [r12 + m.procid] */
	.long	0
claim.m_procid:
	mov	[rdi + 4], eax
	mov	rax, [rip + .Lorigin + IMAGE]
	mov	[rdi + 8], rax
	mov	[rdi + 16], rcx			/* last: the chunk is taken */
	add	rdi, 32
.Lset:
	.byte	0x49, 0x89, 0xbc, 0x24		/* mov [r12 + m.tls + 8], rdi */
	.long	0
claim.m_slot:
	.byte	0x49, 0x89, 0xb4, 0x24		/* mov [r12 + m.tls + 16], rsi */
	.long	0
claim.m_ring:
	pop	r12
	pop	r11
	pop	r8
	pop	rdi
	pop	rsi
	pop	rcx
	ret
.Lfull:
	.ifndef MACOS
	mov	eax, [rsi + RING_PATIENCE]
	test	eax, eax
	jz	.Ldrop
	mov	ecx, [rsi + RING_TAIL]
	cmp	ecx, edx
	je	.Lwait
	mov	edx, ecx			/* the recorder gives chunks back: it lives */
	cmp	dword ptr [rsi + RING_INSISTS], 0
	cmovne	r8d, eax
.Lwait:
	sub	r8d, 1
	jb	.Lstalled
	mov	eax, SYS_nanosleep
	lea	rdi, [rip + .Lwhile]
	xor	esi, esi
	syscall
	mov	rsi, [rip + .Lorigin + RING]
	jmp	.Ltry
.Lstalled:
	mov	dword ptr [rsi + RING_PATIENCE], 0	/* nobody waits until the recorder lives again */
	.endif
.Ldrop:
	lock add qword ptr [rsi + RING_DROPPED], SCRATCH_RECORDS
.Lscratch:
	lea	rdi, [rip + .Lorigin]
	xor	di, di				/* it ends where a chunk would */
	sub	rdi, 32*SCRATCH_RECORDS
	jmp	.Lset

/* Writes down that a place is passed. R13D is the number of its function, with the bits of its edge; at an exit R12 is
 * what RSP was when the function began. */
	.macro	teller edge, is_entry, is_span
	.balign	64
tell_\edge:
	push	rax
	push	rdx
	.if	\is_entry
	lea	r12, [rsp + 24]
	.endif
.Ltell_\edge:
	mov	rax, [r14 + 48]			/* g.m */
	mov	rdx, [rip + .Lorigin + RING]
	.byte	0x48, 0x3b, 0x90		/* cmp rdx, [rax + m.tls + 16] */
	.long	0
tell_\edge\().m_ring:
	jne	.Lclaim_\edge
	.if	\is_span && !\is_entry
	/* A return: if nothing was written since the entry it belongs to, it ends what that has begun. A full chunk may be
	 * another thread's by now. */
	.byte	0x48, 0x8b, 0x90		/* mov rdx, [rax + m.tls + 8] */
	.long	0
tell_\edge\().m_next:
	test	dx, dx
	jz	.Lclaim_\edge
	xor	r13d, RETURN
	cmp	[rdx - 12], r13d
	jne	.Lother_\edge
	mov	rax, [r14 + 8]			/* g.stack.hi */
	sub	eax, r12d
	cmp	[rdx - 16], eax
	jne	.Lother_\edge
	.byte	0x49, 0x8b, 0x86		/* mov rax, [r14 + g.goid] */
	.long	0
tell_\edge\().g_own:
	cmp	[rdx - 24], rax
	jne	.Lother_\edge
	cmp	qword ptr [rdx - 8], 0
	jne	.Lother_\edge
	mov	r13, rdx
	rdtsc
	shl	rdx, 32
	or	rax, rdx
	mov	[r13 - 8], rax
	pop	rdx
	pop	rax
	ret
.Lother_\edge:
	mov	rax, [r14 + 48]
	xor	r13d, RETURN
	.endif
	mov	edx, 32
	.byte	0x48, 0x0f, 0xc1, 0x90		/* xadd [rax + m.tls + 8], rdx */
	.long	0
tell_\edge\().m_slot:
	test	dx, dx
	jz	.Lclaim_\edge
	mov	[rdx + 20], r13d
	mov	r13, [r14 + 8]
	sub	r13d, r12d
	mov	[rdx + 16], r13d
	.byte	0x4d, 0x8b, 0xae		/* mov r13, [r14 + g.goid] */
	.long	0
tell_\edge\().g_goid:
	mov	[rdx + 8], r13
	.if	\is_entry
	.if	\is_span
	mov	qword ptr [rdx + 24], 0
	.else
	mov	r13, [rsp + 8]			/* RAX as it was */
	mov	[rdx + 24], r13
	.endif
	.endif
	mov	r13, rdx
	rdtsc
	shl	rdx, 32
	or	rax, rdx
	mov	[r13], rax			/* last: the record is whole */
	pop	rdx
	pop	rax
	ret
.Lclaim_\edge:
	call	claim
	jmp	.Ltell_\edge
	.endm

	teller	entry, 1, 0
	teller	exit, 0, 0
	.ifndef MACOS
	teller	span_entry, 1, 1
	teller	span_exit, 0, 1
	.endif

/* An entry, of which RAX may be the first argument; or an exit: a return, or a jump to another function, for which RDX may
 * be live. At an exit the frame is still there. Whoever spans has no argument recorded. */
	.macro	trampoline edge, is_entry
	.balign	16
\edge:
	.if	!\is_entry
	.byte	0x4c, 0x8d, 0xa4, 0x24		/* lea r12, [rsp + size of the frame] */
	.long	0
\edge\().frame:
	.endif
	.byte	0x41, 0xbd			/* mov r13d, number */
	.long	0
\edge\().number:
	.byte	0xe8				/* call tell_... */
	.long	0
\edge\().tell:
\edge\().end:
	.endm

	trampoline	entry, 1
	trampoline	exit, 0
	.ifndef MACOS
	trampoline	span_entry, 1
	trampoline	span_exit, 0
	.endif

/* Trampolines for arm64: what a copy of a program runs beside its own code.
 *
 * The segment that this becomes lies behind 64 KiB of memory of its own (PAGE below), and is followed by one
 * trampoline for each place, made of `entry` or `exit` and of the instruction that the place had.
 * binary/trampoline/code.rs reads it by its symbols: a symbol `x.y` marks the end of the instruction or word y of x
 * that is to be filled in. The layout of the ring is drawn in binary/trampoline/ring.rs.
 *
 * What holds at a place (Go's internal ABI, cmd/compile/abi-internal.md): X28 is g; X16, X17, X19 to X25, X27 and the
 * flags are free; all else is live, X26 too, for it may hold a closure. Whatever the program passes is in registers
 * that stay as they are, so nothing is put on the stack. Instructions are those of Armv8.0.
 *
 * With MACOS defined there is nothing of the kernel's in it, as in amd64.S. X18 is the system's there, and stays.
 */
	.text

	.include "ring.S"

	.set SYS_close, 57
	.set SYS_pread64, 67
	.set SYS_nanosleep, 101
	.set SYS_getpid, 172
	.set SYS_mmap, 222
	.set SYS_madvise, 233

start:
.Lorigin:
	.ifndef MACOS
/* The program begins. X0 is the loader's, SP the arguments'; all else is unspecified. */
	mov	x19, x0
	sub	sp, sp, #64
	adr	x20, descriptors
.Lnext:
	ldr	w21, [x20], #4
	tbnz	w21, #31, .Lbegin
	mov	w0, w21
	mov	x1, sp
	mov	x2, #64
	mov	x3, #0
	mov	x8, #SYS_pread64
	svc	#0
	cmp	x0, #64
	b.ne	.Lnext
	ldr	x0, [sp, #RING_MAGIC]
	ldr	x1, .Lmagic
	cmp	x0, x1
	b.ne	.Lnext
	/* Room for the ring at a multiple of 64 KiB: a chunk's end is seen by its address. */
	ldr	x22, [sp, #RING_BYTES]
	mov	x0, #0
	add	x1, x22, #CHUNKS
	mov	x2, #0				/* PROT_NONE */
	mov	x3, #0x4022			/* PRIVATE | ANONYMOUS | NORESERVE */
	mov	x4, #-1
	mov	x5, #0
	mov	x8, #SYS_mmap
	svc	#0
	cmn	x0, #4095
	b.hs	.Lclose
	mov	x1, #CHUNKS - 1
	add	x0, x0, x1
	and	x0, x0, #-CHUNKS
	mov	x1, x22
	mov	x2, #3				/* READ | WRITE */
	mov	x3, #0x11			/* SHARED | FIXED */
	mov	w4, w21
	mov	x5, #0
	mov	x8, #SYS_mmap
	svc	#0
	cmn	x0, #4095
	b.hs	.Lclose
	mov	x23, x0
	/* Memory that a forked child finds empty: it has no ring. */
	adr	x24, .Lorigin + PAGE
	ldr	x25, [x24, #IMAGE - PAGE]
	mov	x0, x24
	mov	x1, #0x10000
	mov	x2, #3
	mov	x3, #0x32			/* PRIVATE | FIXED | ANONYMOUS */
	mov	x4, #-1
	mov	x5, #0
	mov	x8, #SYS_mmap
	svc	#0
	cmn	x0, #4095
	b.hs	.Lclose
	mov	x1, #0x10000
	mov	x2, #18				/* MADV_WIPEONFORK: Linux 4.14 */
	mov	x8, #SYS_madvise
	svc	#0
	cbnz	x0, .Lclose
	mov	x8, #SYS_getpid
	svc	#0
	str	w0, [x24, #PID - PAGE]
	str	x25, [x24, #IMAGE - PAGE]
	str	x23, [x24, #RING - PAGE]
	add	x24, x23, #RING_MAPPED
.Lmapped:
	ldxr	x0, [x24]
	add	x0, x0, #1
	stxr	w1, x0, [x24]
	cbnz	w1, .Lmapped
.Lclose:
	mov	w0, w21
	mov	x8, #SYS_close
	svc	#0
.Lbegin:
	add	sp, sp, #64
	mov	x0, x19
	b	.				/* to where the program begins */
start.program:

	.balign	8
.Lmagic:
	.ascii	"gtracer1"
descriptors:
	.word	0, 0, 0, -1
descriptors.numbers:

	.balign	8
.Lwhile:
	.quad	0, 50000			/* seconds, nanoseconds: about twice that, for timers have slack */
	.endif

/* A thread has no chunk, or its chunk is full. X19 is the address of m.tls[1], X21 where to go on. */
	.balign	16
claim:
	adr	x20, .Lorigin + PAGE
	ldr	x22, [x20, #RING - PAGE]
	cbz	x22, .Lscratch
	ldr	w23, [x22, #RING_PATIENCE]
	ldr	w20, [x22, #RING_TAIL]
	add	x24, x22, #RING_HEAD
.Ltry:
	ldr	w16, [x22, #RING_CLOSED]
	cbnz	w16, .Ldrop
	ldar	x16, [x24]
.Lagain:
	/* What is at the head stays there until somebody takes it. */
	add	x17, x22, #RING_TAIL
	ldar	x17, [x17]
	cmp	x16, x17
	b.hs	.Lfull
	ldr	w27, [x22, #RING_MASK]
	and	w27, w27, w16
	add	x27, x22, x27, lsl #2
	ldr	w27, [x27, #RING_QUEUE]
	add	x25, x16, #1
.Ltake:
	ldaxr	x17, [x24]
	cmp	x17, x16
	b.ne	.Lother
	stlxr	w17, x25, [x24]
	cbnz	w17, .Ltake
	ldr	w17, [x22, #RING_CHUNKS]
	cmp	w27, w17
	b.hs	.Ldrop
	add	x27, x22, x27, lsl #16
	mov	x17, #CHUNKS
	add	x27, x27, x17
	.ifndef MACOS
	/* What a process reads Linux maps with what there is of the 64 KiB around it (fault_around_bytes), which is the
	 * chunk; what it writes, that page alone. */
	ldr	w17, [x27]
	.endif
	adr	x20, .Lorigin + PAGE
	ldr	w17, [x20, #PID - PAGE]
	ldr	x16, [x28, #48]			/* g.m */
	ldr	w16, [x16]			/* m.procid */
claim.m_procid:
	stp	w17, w16, [x27]
	ldr	x17, [x20, #IMAGE - PAGE]
	str	x17, [x27, #8]
	add	x16, x27, #16
	stlr	x25, [x16]			/* last: the chunk is taken */
	add	x27, x27, #32
.Lset:
	stp	x27, x22, [x19]			/* m.tls[1], m.tls[2] */
	br	x21
.Lother:
	clrex
	mov	x16, x17
	b	.Lagain
.Lfull:
	.ifndef MACOS
	ldr	w16, [x22, #RING_PATIENCE]
	cbz	w16, .Ldrop
	ldr	w17, [x22, #RING_TAIL]
	cmp	w17, w20
	b.eq	.Lwait
	mov	w20, w17			/* the recorder gives chunks back: it lives */
	ldr	w17, [x22, #RING_INSISTS]
	cmp	w17, #0
	csel	w23, w16, w23, ne
.Lwait:
	subs	w23, w23, #1
	b.lo	.Lstalled
	mov	x25, x0
	mov	x17, x1
	mov	x27, x8
	adr	x0, .Lwhile
	mov	x1, #0
	mov	x8, #SYS_nanosleep
	svc	#0
	mov	x8, x27
	mov	x1, x17
	mov	x0, x25
	b	.Ltry
.Lstalled:
	str	wzr, [x22, #RING_PATIENCE]	/* nobody waits until the recorder lives again */
	.endif
.Ldrop:
	add	x24, x22, #RING_DROPPED
.Lcount:
	ldxr	x16, [x24]
	add	x16, x16, #SCRATCH_RECORDS
	stxr	w17, x16, [x24]
	cbnz	w17, .Lcount
.Lscratch:
	adr	x27, .Lorigin
	and	x27, x27, #-CHUNKS		/* it ends where a chunk would */
	sub	x27, x27, #32*SCRATCH_RECORDS
	b	.Lset

/* An entry, of which X0 may be the first argument; or an exit: a return, or a jump to another function. The frame is not
 * there yet, or no more. */
	.macro	tell edge, is_entry
	.balign	16
\edge:
	adr	x21, .L\edge
	b	claim
\edge\().claim:
.L\edge\()_number:
	.word	0
\edge\().number:
.L\edge:
\edge\().begin:
	ldr	x19, [x28, #48]			/* g.m */
	adrp	x16, 0				/* to PAGE */
\edge\().ring:
	ldr	x16, [x16]
	add	x19, x19, #0			/* to m.tls[1] */
\edge\().m_slot:
	ldp	x20, x17, [x19]
	cmp	x16, x17
	b.ne	\edge
	tst	x20, #CHUNKS - 1
	b.eq	\edge
	add	x17, x20, #32
	str	x17, [x19]
	ldr	x17, [x28]			/* g.goid */
\edge\().g_goid:
	str	x17, [x20, #8]
	ldr	x17, [x28, #8]			/* g.stack.hi */
	mov	x16, sp
	sub	x17, x17, x16
	ldr	w16, .L\edge\()_number
	stp	w17, w16, [x20, #16]
	.if	\is_entry
	str	x0, [x20, #24]
	.endif
	mrs	x16, cntvct_el0
	stlr	x16, [x20]			/* last: the record is whole */
\edge\().end:
	.endm

	tell	entry, 1
	tell	exit, 0

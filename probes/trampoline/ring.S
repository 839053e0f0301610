/* What trampolines of each kind of processor know of a copy's own memory and of the ring:
 * binary/trampoline/ring.rs draws it, and a test holds both against each other.
 */
	.set PAGE, -0x10000		/* from here, `start` */
	.set RING, PAGE			/* the ring's address; 0 without one */
	.set PID, PAGE + 8
	.set IMAGE, PAGE + 16		/* which copy this is */
	.set SCRATCH_RECORDS, 96	/* room for records that nobody reads */

	.set RING_MAGIC, 0
	.set RING_BYTES, 8
	.set RING_MASK, 16
	.set RING_CHUNKS, 20
	.set RING_PATIENCE, 24
	.set RING_CLOSED, 28
	.set RING_INSISTS, 32
	.set RING_HEAD, 64
	.set RING_TAIL, 128
	.set RING_DROPPED, 192
	.set RING_MAPPED, 256
	.set RING_QUEUE, 4096
	.set CHUNKS, 0x10000
	.set RETURN, 1 << 30		/* of a record's number */

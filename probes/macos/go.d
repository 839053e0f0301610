/*
 * Go functions that keep Go's register conventions: g is in a register, and its stack begins with the structure
 * stack { lo, hi } (runtime/runtime2.go). The pid provider knows the registers of C's conventions alone.
 */
$$PROBES
{
	printf("$$KIND\t%d\t%d\t%d\t%s\t%s\t%x\t%d\t%x\n", timestamp, pid, tid, probemod, probefunc, $$VALUE,
	    *(uint64_t *)copyin($$G_REGISTER + $$NUMBER_OFFSET, 8),
	    *(uint64_t *)copyin($$G_REGISTER + 8, 8) - uregs[R_SP]);
}

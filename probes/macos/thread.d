/* Functions that may have no g: those in assembly, and all of Go before 1.17 on amd64. */
$$PROBES
{
	printf("$$KIND\t%d\t%d\t%d\t%s\t%s\t%x\t-\t%x\n", timestamp, pid, tid, probemod, probefunc, $$VALUE,
	    uregs[R_SP]);
}

/* What the process runs: arg1 is where, 0 in the kernel. */
profile-$$RATE
/pid == $target && arg1 != 0/
{
	printf("s\t%d\t%d\t%d\n", timestamp, pid, tid);
	ustack();
	printf(".\n");
}

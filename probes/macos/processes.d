/* What the process starts. Under System Integrity Protection there is no `proc`, and nothing matches. */
proc:::exec-success
/progenyof($target) && pid != $target/
{
	printf("x\t%d\t%d\t%d\t%s\n", timestamp, pid, ppid, execname);
}

proc:::exit
/progenyof($target) && pid != $target/
{
	printf("z\t%d\t%d\t%d\t%d\n", timestamp, pid, tid, arg0);
}

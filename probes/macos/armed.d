/*
 * Begins every script. By its BEGIN gotrace knows that the probes of all clauses are armed, and what the
 * clock of `timestamp` shows when the wall clock shows something else.
 */
#pragma D option quiet
#pragma D option switchrate=50hz
#pragma D option bufsize=4m
#pragma D option ustackframes=127

BEGIN
{
	printf("b\t%d\t%d\t%d\n", timestamp, $target, walltimestamp);
}

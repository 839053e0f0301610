#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

extern int exported(int n);

void callBack(int often)
{
	for (int i = 0; i < often; i++)
		if (exported(i) != i + 1)
			abort();
}

/* A child that calls back into Go, though only one thread of it is left: 0 unless it cannot. Whatever the others held
 * when it was forked is held for ever, so it may be that it has to be tried again. */
int callBackForked(void)
{
	int status = 1;

	for (int tries = 0; status != 0 && tries < 5; tries++) {
		pid_t child = fork();

		if (child == 0) {
			signal(SIGALRM, SIG_DFL);
			alarm(5);
			_exit(exported(41) != 42);
		}
		waitpid(child, &status, 0);
	}
	return status;
}

/* Forks two children, one after the other, with the same process number; the first runs `true`,
 * the second `false`. Ends with 3 where the kernel does not let it choose the number. */
#define _GNU_SOURCE
#include <linux/sched.h>
#include <stdint.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t fork_as(pid_t pid)
{
	struct clone_args args = { .exit_signal = SIGCHLD };

	if (pid) {
		args.set_tid = (uintptr_t)&pid;
		args.set_tid_size = 1;
	}
	return syscall(SYS_clone3, &args, sizeof(args));
}

int main(void)
{
	const char *programs[] = { "true", "false" };
	pid_t pid = 0;

	for (int i = 0; i < 2; i++) {
		pid_t child = fork_as(pid);

		if (child < 0)
			return 3;
		if (child == 0) {
			execlp(programs[i], programs[i], (char *)0);
			_exit(127);
		}
		if (waitpid(child, 0, 0) != child || (pid && child != pid))
			return 1;
		pid = child;
	}
	return 0;
}

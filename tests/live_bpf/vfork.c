/* A child that shares its parent's memory until it runs `true`, and one that only ends. */
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
	int status;
	pid_t child = vfork();

	if (child == 0) {
		execlp("true", "true", (char *)0);
		_exit(127);
	}
	if (waitpid(child, &status, 0) != child || status)
		return 1;
	child = vfork();
	if (child == 0)
		_exit(9);
	return waitpid(child, &status, 0) != child || WEXITSTATUS(status) != 9;
}

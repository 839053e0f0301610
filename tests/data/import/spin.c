/* Spends CPU time at known places: `spin MILLISECONDS [MORE]` spins in inner() called by outer(), then,
   with MORE, forks a child that calls exec of `spin MORE`, and one that spins itself and calls no exec. */
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

__attribute__((noinline)) static void inner(long milliseconds) {
	struct timespec now;
	do
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	while (now.tv_sec * 1000 + now.tv_nsec / 1000000 < milliseconds);
}

__attribute__((noinline)) static void outer(long milliseconds) {
	inner(milliseconds);
	__asm__ volatile("");
}

int main(int count, char **words) {
	outer(atol(words[1]));
	if (count > 2) {
		if (fork() == 0) {
			execl(words[0], "spin", words[2], (char *)0);
			_exit(1);
		}
		wait(0);
		if (fork() == 0) {
			outer(atol(words[2]));
			_exit(0);
		}
		wait(0);
	}
	return 0;
}

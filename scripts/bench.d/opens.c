/* Opens a library again and again: prints what each time took of the thread's CPU time, in nanoseconds. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static long long now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	for (int left = atoi(argv[2]); left > 0; left--) {
		long long before = now();
		void *library = dlopen(argv[1], RTLD_NOW);
		long long after = now();
		if (!library)
			return 1;
		printf("%lld\n", after - before);
		dlclose(library);
	}
	return 0;
}

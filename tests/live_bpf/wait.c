/* Waits in two threads, always called from one function, which enters the kernel itself: a C
 * library may keep no frame pointers. */
#include <pthread.h>
#include <sys/syscall.h>
#include <time.h>

static long enter(long number, const void *first, long second)
{
#if defined(__x86_64__)
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(first), "S"(second)
			 : "rcx", "r11", "memory");
	return result;
#else
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = (long)first;
	register long x1 __asm__("x1") = second;

	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1) : "memory");
	return x0;
#endif
}

__attribute__((noinline)) int wait_in_here(long milliseconds)
{
	struct timespec time = { .tv_nsec = milliseconds * 1000000 };

	return enter(SYS_nanosleep, &time, 0);
}

static void *other(void *unused)
{
	wait_in_here(100);
	return unused;
}

int main(void)
{
	pthread_t thread;

	pthread_create(&thread, 0, other, 0);
	for (int i = 0; i < 3; i++)
		wait_in_here(50);
	pthread_join(thread, 0);
	return 0;
}

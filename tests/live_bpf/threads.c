/* A thread that is not the first one replaces its whole process by `true`. */
#include <pthread.h>
#include <unistd.h>

static void *replace(void *unused)
{
	(void)unused;
	execlp("true", "true", "from a thread", (char *)0);
	_exit(1);
}

static void *wait_forever(void *unused)
{
	(void)unused;
	for (;;)
		pause();
}

int main(void)
{
	pthread_t thread;

	for (int i = 0; i < 3; i++)
		pthread_create(&thread, 0, wait_forever, 0);
	pthread_create(&thread, 0, replace, 0);
	pthread_join(thread, 0);
	return 1;
}

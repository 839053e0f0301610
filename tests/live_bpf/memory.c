/* Touches each page of 256 MiB. */
#include <stdlib.h>

int main(void)
{
	size_t size = 256 << 20;
	volatile char *memory = malloc(size);

	if (!memory)
		return 1;
	for (size_t i = 0; i < size; i += 4096)
		memory[i] = 1;
	return 0;
}

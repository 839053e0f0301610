// A program with what symbols are of: functions that are called, inlined and never named, variables.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((noinline)) static int square(int x) { return x * x; }

static inline int twice(int x) { return printf("%d\n", x) + x; }

int answer = 42;
static const char *words[] = {"one", "two"};

int main(int argc, char **argv) {
  answer += square(argc) + twice(argc);
  char *copy = strdup(words[argc & 1]);
  int length = strlen(copy);
  free(copy);
  return answer + length;
}

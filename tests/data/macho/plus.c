// A library without imports: it can be linked for any of Apple's systems without an SDK.
int plus_calls;

__attribute__((noinline)) static int add(int a, int b) { return a + b; }

int plus(int a, int b) {
  plus_calls++;
  return add(a, b);
}

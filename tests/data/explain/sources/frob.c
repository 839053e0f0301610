int frob_open(int a) { return a + 1; }
int frob_close(int a) { return a - 1; }

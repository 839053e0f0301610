int frob_open(int a) { return a + 1; }

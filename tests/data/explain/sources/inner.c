int inner(int a) { return a; }

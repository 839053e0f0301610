int frob_open(int); int frob_close(int);
int main(void) { return frob_open(1) + frob_close(2); }

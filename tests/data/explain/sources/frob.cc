namespace frob {
struct Box { int open(int, const char *); };
int Box::open(int a, const char *) { return a; }
int close(long a) { return int(a); }
} // namespace frob
int plain(int a) { return a; }

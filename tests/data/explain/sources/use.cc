namespace frob { struct Box { int open(int, const char *); }; int close(long); }
extern "C" int plain(int);
extern int (*table[])(void);
int main() { frob::Box b; return b.open(1, "x") + frob::close(2) + plain(3); }

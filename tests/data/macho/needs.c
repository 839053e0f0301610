// An object that needs others: a function that must be there, one that may be missing, and a variable
// that any file may define.
int tentative;
extern int must(void);
extern int may(void) __attribute__((weak_import));

int call(void) { return must() + (may ? may() : tentative); }

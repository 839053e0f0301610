int frob_open(void); int frob_close(void);
int main(void){ return frob_open() + frob_close(); }

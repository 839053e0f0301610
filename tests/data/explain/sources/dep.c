int inner(int); int outer(int a){return inner(a);}

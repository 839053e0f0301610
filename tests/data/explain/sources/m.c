int outer(int); int main(){return outer(1);}

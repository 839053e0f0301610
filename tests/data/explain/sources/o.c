int plain(int); int main(){return plain(1);}

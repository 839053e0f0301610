package main

// #include <zlib.h>
import "C"

func main() { println(C.compressBound(1)) }

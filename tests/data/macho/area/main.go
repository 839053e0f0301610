// Area is Go with C in it, for C to call: a library, an archive and a program.
package main

/*
#include <stdlib.h>
#include <string.h>

__attribute__((noinline)) static int
twice_of(int x) { return 2 * x; }
*/
import "C"

import "unsafe"

//export Area
func Area(width, height C.int) C.int {
	return C.twice_of(width) * height
}

//export Length
func Length(text *C.char) C.size_t {
	copied := C.strdup(text)
	defer C.free(unsafe.Pointer(copied))
	return C.strlen(copied)
}

func main() {
	println(Area(2, 3))
}

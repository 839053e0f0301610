// Cgo-zlib packs a text with the system's zlib: its build runs cgo, gcc and the external
// linker, and the program loads a shared library.
package main

/*
#cgo pkg-config: zlib
#include <stdlib.h>
#include <zlib.h>
*/
import "C"

import (
	"fmt"
	"os"
	"strings"
	"unsafe"
)

func main() {
	text := []byte(strings.Repeat("where does the time go? ", 1000))
	packed, err := pack(text)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("zlib %s packs %d bytes into %d\n", C.GoString(C.zlibVersion()), len(text), len(packed))
}

func pack(text []byte) ([]byte, error) {
	size := C.compressBound(C.uLong(len(text)))
	packed := make([]byte, size)
	status := C.compress((*C.Bytef)(unsafe.Pointer(&packed[0])), &size,
		(*C.Bytef)(unsafe.Pointer(unsafe.SliceData(text))), C.uLong(len(text)))
	if status != C.Z_OK {
		return nil, fmt.Errorf("compress: status %d", int(status))
	}
	return packed[:size], nil
}

// Calls a function again and again, and prints before and after what the time was, in nanoseconds of
// the clock that traces are in.
package main

import (
	"fmt"
	"syscall"
	"unsafe"
)

const monotonic = 1

func now() int64 {
	var time syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, monotonic, uintptr(unsafe.Pointer(&time)), 0)
	return time.Nano()
}

//go:noinline
func mark(n int) int {
	var room [64]byte
	return fill(room[:], n)
}

//go:noinline
func fill(room []byte, n int) int {
	for i := range room {
		room[i] = byte(n)
	}
	return int(room[n%len(room)])
}

func main() {
	times := make([][2]int64, 200)
	for i := range times {
		before := now()
		mark(i)
		times[i] = [2]int64{before, now()}
	}
	for _, pair := range times {
		fmt.Println(pair[0], pair[1])
	}
}

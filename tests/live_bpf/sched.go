// Goroutines that wait, and are in system calls, as often as they say.
package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
)

const (
	workers = 4
	sleeps  = 40
	reads   = 70
)

func number() string {
	buffer := make([]byte, 64)
	stack := string(buffer[:runtime.Stack(buffer, false)])
	return strings.Fields(stack)[1]
}

func work(zero int, done chan<- string) {
	id := number()
	buffer := make([]byte, 8)
	for i := 0; i < reads; i++ {
		if _, err := syscall.Read(zero, buffer); err != nil {
			panic(err)
		}
	}
	for i := 0; i < sleeps; i++ {
		time.Sleep(50 * time.Microsecond)
	}
	done <- id
}

func main() {
	debug.SetGCPercent(-1)
	zero, err := os.Open("/dev/zero")
	if err != nil {
		panic(err)
	}
	// There is room for all, so that telling waits for nobody.
	done := make(chan string, workers)
	for i := 0; i < workers; i++ {
		go work(int(zero.Fd()), done)
	}
	for i := 0; i < workers; i++ {
		fmt.Println(<-done, sleeps, reads)
	}
}

// Calls step until its standard input ends, then prints how often.
package main

import (
	"fmt"
	"os"
	"sync/atomic"
	"time"
)

//go:noinline
func step(n int) int { return n + 1 }

func main() {
	var over atomic.Bool
	go func() {
		os.Stdin.Read(make([]byte, 1))
		over.Store(true)
	}()
	n := 0
	for !over.Load() {
		for range 100 {
			n = step(n)
		}
		time.Sleep(time.Millisecond)
	}
	fmt.Println(n)
}

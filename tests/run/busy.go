// Calls step once, and when its standard input ends five million times more; prints what came of it.
package main

import (
	"fmt"
	"os"
)

//go:noinline
func step(n int) int {
	var b [8]int
	for i := range b {
		b[i] = n + i
	}
	return last(&b) - 6
}

//go:noinline
func last(b *[8]int) int { return b[7] }

func main() {
	n := step(0)
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
	for i := 0; i < 5000000; i++ {
		n = step(n)
	}
	fmt.Println(n)
}

// A program for arm64 that spins at the end of a known chain of calls, and prints that chain as the
// runtime tells it, with the goroutine's number: "NAME ID FUNCTION FUNCTION ...", innermost first.
package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
)

var (
	rounds = 150_000_000
	sums   [3]int
)

func chain() string {
	text := make([]byte, 64)
	text = text[:runtime.Stack(text, false)]
	var names []string
	callers := make([]uintptr, 128)
	frames := runtime.CallersFrames(callers[:runtime.Callers(3, callers)])
	for more := true; more; {
		var frame runtime.Frame
		frame, more = frames.Next()
		names = append(names, frame.Function)
	}
	return string(bytes.Fields(text)[1]) + " " + strings.Join(names, " ")
}

// tell is called where the loop that spins stands.
//
//go:noinline
func tell(name string) { fmt.Println(name, chain()) }

//go:noinline
func leaf(n int) (sum int) {
	for i := 0; i < n; i++ {
		sum += i ^ sum>>3
	}
	return sum
}

// before calls a function that lies before it in memory, so that its link register leads into itself
// afterwards.
//
//go:noinline
func before(name string) (sum int) {
	tell(name)
	sum = leaf(1)
	for i := 0; i < rounds; i++ {
		sum += i ^ sum>>3
	}
	return sum
}

//go:noinline
func middle(name string) int { return before(name) + 1 }

//go:noinline
func recursive(name string, depth int) int {
	if depth > 0 {
		return recursive(name, depth-1) + 1
	}
	return before(name) + 1
}

func main() {
	if len(os.Args) != 3 || os.Args[1] != "two words" {
		panic(fmt.Sprint("arguments: ", os.Args))
	}
	if os.Args[2] == "die" {
		var nowhere *int
		*nowhere = before("main.dies")
	}
	var group sync.WaitGroup
	group.Add(2)
	go func() { defer group.Done(); sums[0] = middle("main.middle") }()
	go func() { defer group.Done(); sums[1] = recursive("main.recursive", 40) }()
	group.Wait()
}

// Calls functions that are made of the same instructions, on which different programs of the
// kernel stand, and prints what that takes. scripts/bench builds it for itself.
//
//	calls cost ROUNDS CALLS          CPU time of a call on one thread: "free 2.1", "empty 950.7", ...
//	calls rate SECONDS THREADS [A_SECOND]  calls from threads at once: "recorded CALLS SECONDS"
//	calls steps ROUNDS THREADS       the same for the functions empty and recorded, in turn
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

// The functions have a frame and one way out, so that a probe finds a PUSH and a RET.

//go:noinline
func leaf(n int) int { return n + 1 }

//go:noinline
func free(n int) int { return leaf(n) + 1 }

//go:noinline
func empty(n int) int { return leaf(n) + 1 }

//go:noinline
func recorded(n int) int { return leaf(n) + 1 }

type function struct {
	name string
	call func(int) int
}

var functions = []function{{"free", free}, {"empty", empty}, {"recorded", recorded}}

// CLOCK_THREAD_CPUTIME_ID: what the kernel charges this thread.
const threadClock = 3

func threadTime() int64 {
	var t syscall.Timespec
	_, _, errno := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, threadClock, uintptr(unsafe.Pointer(&t)), 0)
	if errno != 0 {
		fmt.Fprintln(os.Stderr, "calls: clock_gettime:", errno)
		os.Exit(1)
	}
	return t.Nano()
}

// One batch of every function in each round, forwards and backwards in turn.
func cost(rounds, calls int) {
	runtime.LockOSThread()
	for _, f := range functions {
		f.call(0) // The first hit makes a page of this process' own.
	}
	for round := range rounds {
		for at := range functions {
			if round%2 == 1 {
				at = len(functions) - 1 - at
			}
			f := functions[at]
			begun := threadTime()
			for n := range calls {
				f.call(n)
			}
			spent := threadTime() - begun
			fmt.Println(f.name, float64(spent)/float64(calls))
		}
	}
}

// How many calls are made between two looks at the clock.
const batch = 100

// Calls from threads at once, no more than so many a second where that is not 0.
func calling(f function, threads, aSecond int, lasts time.Duration) {
	var group sync.WaitGroup
	made := make([]int, threads)
	begun := time.Now()
	for thread := range threads {
		group.Add(1)
		go func() {
			defer group.Done()
			runtime.LockOSThread()
			calls := 0
			for time.Since(begun) < lasts {
				if aSecond > 0 && float64(calls) > time.Since(begun).Seconds()*float64(aSecond)/float64(threads) {
					time.Sleep(100 * time.Microsecond)
					continue
				}
				for n := range batch {
					f.call(n)
				}
				calls += batch
			}
			made[thread] = calls
		}()
	}
	group.Wait()
	seconds := time.Since(begun).Seconds()
	all := 0
	for _, calls := range made {
		all += calls
	}
	fmt.Println(f.name, all, seconds)
}

func number(at int) int {
	if at >= len(os.Args) {
		return 0
	}
	n, err := strconv.Atoi(os.Args[at])
	if err != nil {
		fmt.Fprintln(os.Stderr, "calls:", err)
		os.Exit(2)
	}
	return n
}

func main() {
	if len(os.Args) < 4 {
		fmt.Fprintln(os.Stderr, "usage: calls cost|rate|steps NUMBER NUMBER [NUMBER]")
		os.Exit(2)
	}
	switch os.Args[1] {
	case "cost":
		cost(number(2), number(3))
	case "rate":
		calling(functions[2], number(3), number(4), time.Duration(number(2))*time.Second)
	case "steps":
		for round := range number(2) {
			for at := range 2 {
				calling(functions[1+(at+round)%2], number(3), 0, time.Second)
			}
		}
	}
}

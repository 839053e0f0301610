// Calls functions that are made of the same instructions, on which different programs of the
// kernel stand, and prints what that takes. scripts/bench builds it for itself.
//
//	calls cost ROUNDS CALLS [THREADS [MS]]  CPU time of a call on each of some threads (1), which wait so long
//	                                 behind each round: "free 2.1", "empty 950.7", ...
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

// One batch of every function in each round, forwards and backwards in turn, on so many threads at once: all of them
// make the same batch at the same time, and wait for a while behind it.
func cost(rounds, calls, threads int, pause time.Duration) {
	var batch, all sync.WaitGroup
	spent := make([]float64, threads)
	begin := make([]chan function, threads)
	for thread := range threads {
		begin[thread] = make(chan function)
		all.Add(1)
		go func() {
			defer all.Done()
			runtime.LockOSThread()
			for _, f := range functions {
				f.call(0) // The first hit makes a page of this process' own.
			}
			for f := range begin[thread] {
				begun := threadTime()
				for n := range calls {
					f.call(n)
				}
				spent[thread] = float64(threadTime()-begun) / float64(calls)
				batch.Done()
			}
		}()
	}
	for round := range rounds {
		for at := range functions {
			if round%2 == 1 {
				at = len(functions) - 1 - at
			}
			batch.Add(threads)
			for _, thread := range begin {
				thread <- functions[at]
			}
			batch.Wait()
			for _, ns := range spent {
				fmt.Println(functions[at].name, ns)
			}
			time.Sleep(pause)
		}
	}
	for _, thread := range begin {
		close(thread)
	}
	all.Wait()
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
		fmt.Fprintln(os.Stderr, "usage: calls cost|rate|steps NUMBER NUMBER [NUMBER [NUMBER]]")
		os.Exit(2)
	}
	switch os.Args[1] {
	case "cost":
		cost(number(2), number(3), max(number(4), 1), time.Duration(number(5))*time.Millisecond)
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

// Goroutines that run C functions, one of which calls back into Go.
package main

/*
#include <time.h>

static double spent(void)
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

#define SPIN                                                                                       \
	double until = spent() + 0.4;                                                              \
	while (spent() < until)                                                                    \
		for (volatile int i = 0; i < 1000000; i++)                                         \
			;

__attribute__((noinline, weak)) void spin_one(void) { SPIN }
__attribute__((noinline, weak)) void spin_two(void) { SPIN }

extern void callback(void);
__attribute__((noinline, weak)) void call_back(void) { callback(); }
*/
import "C"

import (
	"bytes"
	"fmt"
	"runtime"
	"sync"
	"syscall"
)

func id() string {
	text := make([]byte, 64)
	text = text[:runtime.Stack(text, false)]
	return string(bytes.Fields(text)[1])
}

//go:noinline
func work() (sum int) {
	var usage syscall.Rusage
	for until := int64(-1); ; {
		if syscall.Getrusage(1, &usage) != nil { // of this thread
			panic("getrusage")
		}
		spent := usage.Utime.Nano() + usage.Stime.Nano()
		if until < 0 {
			until = spent + 4e8
		}
		if spent > until {
			return sum
		}
		for i := 0; i < 1_000_000; i++ {
			sum += i * i
		}
	}
}

//export callback
func callback() {
	fmt.Println("callback", id())
	work()
}

func main() {
	var group sync.WaitGroup
	for _, worker := range []struct {
		name     string
		function func()
	}{
		{"spin_one", func() { C.spin_one() }},
		{"spin_two", func() { C.spin_two() }},
		{"call_back", func() { C.call_back() }},
	} {
		worker := worker
		group.Add(1)
		go func() {
			defer group.Done()
			runtime.LockOSThread()
			fmt.Println(worker.name, id())
			worker.function()
		}()
	}
	group.Wait()
}

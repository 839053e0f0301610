// Goroutines that each run a function of their own, and print their ids under its name.
package main

import (
	"bytes"
	"fmt"
	"runtime"
	"sync"
	"syscall"
)

// id is the goroutine's as the runtime prints it: "goroutine 18 [running]:".
func id() string {
	text := make([]byte, 64)
	text = text[:runtime.Stack(text, false)]
	return string(bytes.Fields(text)[1])
}

// spent is the CPU time of the whole process in milliseconds.
func spent() int64 {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		panic("getrusage")
	}
	return (usage.Utime.Nano() + usage.Stime.Nano()) / 1e6
}

var until int64

//go:noinline
func work() (sum int) {
	for spent() < until {
		for i := 0; i < 1_000_000; i++ {
			sum += i * i
		}
	}
	return sum
}

// deep needs a stack that is grown several times, and works at its end.
//
//go:noinline
func deep(n int) int {
	var room [256]byte
	if n == 0 {
		return work()
	}
	room[n&255] = byte(deep(n - 1))
	return int(room[n&127])
}

//go:noinline
func one(name string) { fmt.Println(name, id()); work() }

//go:noinline
func two(name string) { fmt.Println(name, id()); work() }

//go:noinline
func three(name string) { fmt.Println(name, id()); deep(200) }

// four allocates: it is often found on the system stack, or in the garbage collector's service.
//
//go:noinline
func four(name string) {
	fmt.Println(name, id())
	for spent() < until {
		kept := make([][]byte, 1000)
		for i := range kept {
			kept[i] = make([]byte, 100+i)
		}
		runtime.KeepAlive(kept)
	}
}

// signals sends its own thread signals, so that it is often found in the handler.
//
//go:noinline
func signals(name string) {
	runtime.LockOSThread()
	fmt.Println(name, id())
	pid, tid := syscall.Getpid(), syscall.Gettid()
	for spent() < until {
		for i := 0; i < 1000; i++ {
			if syscall.Tgkill(pid, tid, syscall.SIGURG) != nil {
				panic("tgkill")
			}
		}
	}
}

func main() {
	until = spent() + 1500
	var group sync.WaitGroup
	for _, worker := range []struct {
		name     string
		function func(string)
	}{
		{"main.one", one}, {"main.two", two}, {"main.three", three}, {"main.four", four},
	} {
		worker := worker
		group.Add(1)
		go func() {
			defer group.Done()
			worker.function(worker.name)
		}()
	}
	group.Wait()
	until = spent() + 1500
	signals("main.signals")
}

// Calls functions on paths that can be counted by hand.
package main

import (
	"os"
	"runtime"
	"sync"
	"time"
)

//go:noinline
func touch(b *[8]int) int { return b[0] }

//go:noinline
func leaf(n int) int {
	var b [8]int
	b[n&7] = n
	return touch(&b)
}

// Calls leaf twice.
//
//go:noinline
func beta(n int) int {
	var b [8]int
	b[0] = leaf(n) + leaf(n+1)
	return touch(&b)
}

// Calls beta twice.
//
//go:noinline
func alpha(n int) int {
	var b [8]int
	b[0] = beta(n) + beta(n+1)
	return touch(&b)
}

// Calls itself, so that there are n of it in each other, and the innermost one a leaf.
//
//go:noinline
func fall(n int) int {
	var b [8]int
	if n == 1 {
		b[0] = leaf(n)
	} else {
		b[0] = fall(n - 1)
	}
	return touch(&b)
}

//go:noinline
func thrower(n int) int {
	var b [8]int
	b[0] = n
	if touch(&b) == n {
		panic(n)
	}
	return touch(&b)
}

//go:noinline
func guard(n int) (result int) {
	defer forget(&result)
	return thrower(n)
}

//go:noinline
func forget(result *int) { *result, _ = recover().(int) }

//go:noinline
func hop(n int) int {
	var b [8]int
	b[0] = n
	runtime.Gosched()
	return touch(&b)
}

//go:noinline
func worker(done *sync.WaitGroup) {
	for i := 0; i < 1000; i++ {
		hop(i)
	}
	done.Done()
}

//go:noinline
func pause() int {
	var b [8]int
	time.Sleep(40 * time.Millisecond)
	return touch(&b)
}

func main() {
	n := alpha(1) + alpha(2) + alpha(3)
	for i := 0; i < 5; i++ {
		n += leaf(i)
	}
	n += guard(7) + guard(8)
	n += fall(3)
	var done sync.WaitGroup
	done.Add(4)
	for i := 0; i < 4; i++ {
		go worker(&done)
	}
	done.Wait()
	// Who says that it is done has yet to return.
	for runtime.NumGoroutine() > 1 {
		runtime.Gosched()
	}
	n += pause()
	if n == 0 {
		os.Exit(1)
	}
}

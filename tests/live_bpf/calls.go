// Calls functions in every way that makes their entries and exits hard to pair, counts for itself
// how often, and prints: name, entries, returns.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

type counter struct{ entries, returns atomic.Int64 }

var deep, moving, panics, recovers, defers, leaves, quits, wrapped, text counter

// Grows its stack again and again: 64 bytes of locals a level.
//
//go:noinline
func goDeep(n int) int {
	deep.entries.Add(1)
	var local [64]byte
	local[n%64] = byte(n)
	if n == 0 {
		deep.returns.Add(1)
		return 0
	}
	sum := goDeep(n-1) + int(local[n%64])
	deep.returns.Add(1)
	return sum
}

// Yields its thread within the call.
//
//go:noinline
func move(n int) int {
	moving.entries.Add(1)
	for i := 0; i < 3; i++ {
		runtime.Gosched()
	}
	if n > 0 {
		n = move(n-1) + 1
	}
	moving.returns.Add(1)
	return n
}

//go:noinline
func mayPanic(depth int) int {
	panics.entries.Add(1)
	if depth == 0 {
		panic("down here")
	}
	n := mayPanic(depth-1) + 1
	panics.returns.Add(1)
	return n
}

//go:noinline
func recovering(depth int) (n int) {
	recovers.entries.Add(1)
	defer func() {
		recover()
		recovers.returns.Add(1)
	}()
	return mayPanic(depth)
}

//go:noinline
func deferring(n *int) int {
	defers.entries.Add(1)
	for i := 0; i < 3; i++ {
		defer leaf(n)
	}
	defers.returns.Add(1)
	return *n
}

//go:noinline
func leaf(n *int) {
	leaves.entries.Add(1)
	*n++
	leaves.returns.Add(1)
}

//go:noinline
func quit(n int) {
	quits.entries.Add(1)
	if n == 0 {
		runtime.Goexit()
	}
	quit(n - 1)
	quits.returns.Add(1)
}

type inner struct{ n int }

//go:noinline
func (i *inner) Method(n int) int {
	wrapped.entries.Add(1)
	i.n += n
	wrapped.returns.Add(1)
	return i.n
}

// Its method Method is a wrapper that jumps to that of inner.
type outer struct {
	pad int
	*inner
}

type methoder interface{ Method(int) int }

//go:noinline
func withText(s string, n int) int {
	text.entries.Add(1)
	n += len(s)
	text.returns.Add(1)
	return n
}

func main() {
	var group sync.WaitGroup
	run := func(f func()) {
		group.Add(1)
		go func() {
			defer group.Done()
			f()
		}()
	}
	for i := 0; i < 4; i++ {
		run(func() { goDeep(5000) })
	}
	for i := 0; i < 1000; i++ {
		run(func() { move(3) })
	}
	for i := 0; i < 200; i++ {
		i := i // Go 1.21 has one for all rounds.
		run(func() { recovering(i % 50) })
		run(func() { quit(i % 20) })
	}
	n := 0
	for i := 0; i < 500; i++ {
		deferring(&n)
	}
	var m methoder = outer{inner: &inner{}}
	for i := 0; i < 300; i++ {
		m.Method(i)
	}
	for i := 0; i < 100; i++ {
		withText(fmt.Sprintf("argument %d, and some more that makes it longer than sixty-four bytes in all", i), i)
	}
	for i := 0; i < 5; i++ {
		if err := exec.Command("true").Run(); err != nil {
			panic(err)
		}
		time.Sleep(time.Millisecond)
	}
	group.Wait()
	for _, c := range []struct {
		name string
		*counter
	}{
		{"main.goDeep", &deep}, {"main.move", &moving}, {"main.mayPanic", &panics},
		{"main.recovering", &recovers}, {"main.deferring", &defers}, {"main.leaf", &leaves},
		{"main.quit", &quits}, {"main.(*inner).Method", &wrapped}, {"main.withText", &text},
	} {
		fmt.Fprintln(os.Stdout, c.name, c.entries.Load(), c.returns.Load())
	}
}

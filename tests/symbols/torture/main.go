// Calls functions in the ways that are hardest on whatever watches them, and counts for itself: prints a line
// `FUNCTION ENTRIES RETURNS` for each. What it prints is the same each time.
//
// Arguments: how often, and a command that it starts now and then.
package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/pprof"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

type counter struct {
	name             string
	entries, returns atomic.Int64
}

var counters []*counter

func counted(name string) *counter {
	c := &counter{name: name}
	counters = append(counters, c)
	return c
}

var (
	deep      = counted("main.descend")
	wide      = counted("main.large")
	yields    = counted("main.yield")
	loops     = counted("main.loop")
	throws    = counted("main.throw")
	catches   = counted("main.catch")
	recovers  = counted("main.catch.func1")
	faults    = counted("main.fault")
	quits     = counted("main.quit")
	defers    = counted("main.deferring")
	deferred  = counted("main.later")
	switches  = counted("main.choose")
	many      = counted("main.manyResults")
	closures  = counted("main.adder.func1")
	methods   = counted("main.(*inner).Method")
	allocates = counted("main.allocate")
	sends     = counted("main.send")
)

// Its frame makes a stack grow again and again.
//
//go:noinline
func descend(n int) int {
	deep.entries.Add(1)
	var local [64]byte
	local[n%64] = byte(n)
	sum := 0
	if n > 0 {
		sum = descend(n-1) + int(local[n%64])
	}
	deep.returns.Add(1)
	return sum
}

// Its check of the stack's size is the one for large frames.
//
//go:noinline
func large(n int) int {
	wide.entries.Add(1)
	var local [40 << 10]byte
	local[n] = 1
	sum := int(local[n]) + len(pass(&local))
	wide.returns.Add(1)
	return sum
}

//go:noinline
func pass(local *[40 << 10]byte) []byte { return local[:3] }

// Another goroutine, and maybe another thread, goes on in the middle of each.
//
//go:noinline
func yield(n int) int {
	yields.entries.Add(1)
	runtime.Gosched()
	if n > 0 {
		n = yield(n-1) + 1
	}
	runtime.Gosched()
	yields.returns.Add(1)
	return n
}

// Is stopped by signals alone.
//
//go:noinline
func loop(rounds int) (sum int) {
	loops.entries.Add(1)
	for i := 0; i < rounds; i++ {
		sum += i*i ^ sum
	}
	use(&sum)
	loops.returns.Add(1)
	return sum
}

//go:noinline
func use(*int) {}

//go:noinline
func throw(levels int) int {
	throws.entries.Add(1)
	if levels == 0 {
		panic("thrown")
	}
	n := throw(levels-1) + 1
	throws.returns.Add(1)
	return n
}

//go:noinline
func fault(at *inner, levels int) int {
	faults.entries.Add(1)
	n := 0
	if levels == 0 {
		n = at.n
	} else {
		n = fault(at, levels-1) + 1
	}
	faults.returns.Add(1)
	return n
}

//go:noinline
func catch(run func(int) int, levels int) (caught any) {
	catches.entries.Add(1)
	defer func() {
		recovers.entries.Add(1)
		caught = recover()
		recovers.returns.Add(1)
		catches.returns.Add(1)
	}()
	return run(levels)
}

//go:noinline
func quit(levels int) {
	quits.entries.Add(1)
	if levels == 0 {
		runtime.Goexit()
	}
	quit(levels - 1)
	quits.returns.Add(1)
}

//go:noinline
func deferring(n *int) int {
	defers.entries.Add(1)
	for i := 0; i < 3; i++ {
		defer later(n, i)
	}
	defers.returns.Add(1)
	return *n
}

//go:noinline
func later(n *int, i int) {
	deferred.entries.Add(1)
	use(n)
	*n += i
	deferred.returns.Add(1)
}

// Has an exit for each case, and a table of jumps.
//
//go:noinline
func choose(n int) int {
	switches.entries.Add(1)
	local := n
	use(&local)
	switch switches.returns.Add(1); n {
	case 0:
		return local + 13
	case 1:
		return local ^ 5
	case 2:
		return local * 3
	case 3:
		return local - 9
	case 4:
		return local << 2
	case 5:
		return -local
	case 6:
		return local / 7
	case 7:
		return local % 11
	case 8:
		return local | 64
	case 9:
		return ^local
	}
	return local
}

// More arguments and results than there are registers of some kinds.
//
//go:noinline
func manyResults(a, b, c, d, e int, x, y float64, s string, l []int) (int, int, int, float64, float64, string, []int) {
	many.entries.Add(1)
	use(&a)
	many.returns.Add(1)
	return a + b, c + d, e, x + y, x - y, s + "!", l[1:]
}

//go:noinline
func adder(by *int) func(int) int {
	return func(n int) int {
		closures.entries.Add(1)
		use(by)
		n += *by
		closures.returns.Add(1)
		return n
	}
}

type inner struct{ n int }

//go:noinline
func (i *inner) Method(n int) int {
	methods.entries.Add(1)
	use(&i.n)
	i.n += n
	methods.returns.Add(1)
	return i.n
}

// Its method Method is a wrapper that may jump to that of inner.
type outer struct {
	pad int
	*inner
}

type methoder interface{ Method(int) int }

type tree struct {
	left, right *tree
	pad         [5]int
}

//go:noinline
func allocate(levels int) *tree {
	allocates.entries.Add(1)
	t := &tree{}
	if levels > 0 {
		t.left, t.right = allocate(levels-1), allocate(levels-1)
	}
	allocates.returns.Add(1)
	return t
}

//go:noinline
func send(to chan<- int, n int) {
	sends.entries.Add(1)
	select {
	case to <- n:
	case <-time.After(time.Hour):
	}
	sends.returns.Add(1)
}

// What goes on beside all else until it ends: signals by which the scheduler stops goroutines, and collections.
func disturb(ended *atomic.Bool) *sync.WaitGroup {
	var group sync.WaitGroup
	for _, disturbance := range []func(){
		func() {
			for i := 0; i < 100; i++ {
				syscall.Kill(syscall.Getpid(), syscall.SIGURG)
			}
		},
		func() {
			runtime.GC()
			time.Sleep(3 * time.Millisecond)
		},
	} {
		group.Add(1)
		go func(disturbance func()) {
			defer group.Done()
			for !ended.Load() {
				disturbance()
			}
		}(disturbance)
	}
	return &group
}

// callbacks has C call functions of Go, where there is C.
var callbacks = func(int) {}

// fork has a forked child do the same, once nothing else goes on.
var fork = func() {}

func results(often int, by *int) (sum int) {
	l := []int{1, 2, 3}
	for i := 0; i < often; i++ {
		a, b, c, x, y, s, rest := manyResults(i, 2, 3, 4, 5, 0.5, float64(i), "many", l)
		sum += a + b + c + int(x+y) + len(s) + len(rest) + choose(i%12) + deferring(by) + adder(by)(i)
	}
	return sum
}

func main() {
	if len(os.Args) < 2 {
		return
	}
	often, _ := strconv.Atoi(os.Args[1])
	// Which complains that it is asked for another rate then, and goes on at this one.
	runtime.SetCPUProfileRate(1000)
	pprof.StartCPUProfile(io.Discard)
	var ended atomic.Bool
	disturbed := disturb(&ended)
	var group sync.WaitGroup
	run := func(f func()) {
		group.Add(1)
		go func() {
			defer group.Done()
			f()
		}()
	}
	for i := 0; i < 3; i++ {
		run(func() { descend(20_000) })
	}
	for i := 0; i < 1000; i++ {
		run(func() { yield(3) })
	}
	n, by, sum := 0, 1, 0
	values := make(chan int)
	for i := 0; i < often; i++ {
		i := i // Go 1.21 has one for all rounds.
		run(func() { catch(throw, i%50) })
		run(func() { catch(func(levels int) int { return fault(nil, levels) }, i%20) })
		run(func() { quit(i % 20) })
		run(func() { send(values, i) })
		run(func() { allocate(6) })
		sum += <-values + large(i) + loop(20_000)
	}
	sum += results(10*often, &by)
	var m methoder = outer{inner: &inner{}}
	for i := 0; i < often; i++ {
		n = m.Method(i)
	}
	callbacks(often)
	for i := 0; i < 5 && len(os.Args) > 2; i++ {
		out, err := exec.Command(os.Args[2], os.Args[3:]...).Output()
		fmt.Printf("%s%v\n", out, err)
	}
	group.Wait()
	ended.Store(true)
	disturbed.Wait()
	pprof.StopCPUProfile()
	fork()
	fmt.Println("sums", n, by, sum)
	for _, c := range counters {
		fmt.Println(c.name, c.entries.Load(), c.returns.Load())
	}
}

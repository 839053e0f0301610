// Command selftest does what `gotrace selftest` asks of it, and prints what it did: a fact a line,
// by which the recording of it is judged.
package main

import (
	"bytes"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"

	"selftest/numbers"
)

func main() {
	say("pid", os.Getpid())
	switch number := argument(2); argument0() {
	case "build":
		os.Stdout.WriteString("build " + numbers.OfThisBuild + "\n")
	case "spin":
		before := cpu()
		spin(time.Duration(number) * time.Millisecond)
		say("spun", goroutine(), int(cpu()-before))
	case "wait":
		await(time.Duration(number) * time.Millisecond)
	case "calls":
		calls(number, argument(3))
	case "call-until":
		callUntilStandardInputEnds()
	case "tree":
		tree(number)
	case "end":
		os.Exit(number)
	}
}

// say prints a fact: its name, and numbers.
func say(name string, values ...int) {
	line := []byte(name)
	for _, value := range values {
		line = strconv.AppendInt(append(line, ' '), int64(value), 10)
	}
	os.Stdout.Write(append(line, '\n'))
}

func argument0() string {
	if len(os.Args) < 2 {
		return "build"
	}
	return os.Args[1]
}

func argument(at int) int {
	if len(os.Args) <= at {
		return 0
	}
	number, _ := strconv.Atoi(os.Args[at])
	return number
}

// cpu is what the kernel says that this process has used.
func cpu() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// goroutine is the number that the runtime prints in front of a stack.
func goroutine() int {
	text := make([]byte, 64)
	text = text[:runtime.Stack(text, false)]
	word := bytes.Fields(text)[1]
	number, _ := strconv.Atoi(string(word))
	return number
}

// spin uses so much CPU time.
//
//go:noinline
func spin(much time.Duration) {
	for end := cpu() + much; cpu() < end; {
		for turn := 0; turn < 100_000; turn++ {
			sink += turn
		}
	}
}

var sink int

// await waits in the kernel, on a thread of its own.
//
//go:noinline
func await(long time.Duration) {
	runtime.LockOSThread()
	var ends [2]int
	if err := syscall.Pipe(ends[:]); err != nil {
		panic(err)
	}
	time.AfterFunc(long, func() { syscall.Close(ends[1]) })
	start := time.Now()
	syscall.Read(ends[0], make([]byte, 1))
	say("waited", goroutine(), int(time.Since(start)))
}

// work is the function that is watched. Its argument is counted from 1.
//
//go:noinline
func work(number int) int {
	return flipped(number)
}

// flipped is there so that work has a frame, as most functions have.
//
//go:noinline
func flipped(number int) int {
	return number ^ 1
}

// calls has goroutines call work, each so many times.
func calls(each, goroutines int) {
	var done sync.WaitGroup
	for range make([]struct{}, goroutines) {
		done.Add(1)
		go func() {
			defer done.Done()
			for number := 1; number <= each; number++ {
				work(number)
			}
			say("called", goroutine(), each)
		}()
	}
	done.Wait()
}

// callUntilStandardInputEnds calls work every millisecond.
func callUntilStandardInputEnds() {
	ended := make(chan struct{})
	go func() {
		os.Stdin.Read(make([]byte, 1))
		close(ended)
	}()
	for number := 1; ; number++ {
		work(number)
		select {
		case <-ended:
			say("called", goroutine(), number)
			return
		case <-time.After(time.Millisecond):
		}
	}
}

// tree starts children, the first of which ends with 1, and so on.
func tree(children int) {
	itself, err := os.Executable()
	if err != nil {
		panic(err)
	}
	for code := 1; code <= children; code++ {
		attributes := os.ProcAttr{Files: []*os.File{nil, nil, os.Stderr}}
		child, err := os.StartProcess(itself, []string{itself, "end", strconv.Itoa(code)}, &attributes)
		if err != nil {
			panic(err)
		}
		state, err := child.Wait()
		if err != nil {
			panic(err)
		}
		say("child", child.Pid, state.ExitCode())
	}
}

// Replaces itself by another program in the middle of calls, which maps its own code and takes it
// away again, and is killed in the middle of calls. Prints for each: how often deep was entered, and
// in how many calls it was then.
package main

import (
	"fmt"
	"os"
	"syscall"
)

var entered int

// Enters itself depth times, and does last in the innermost call.
//
//go:noinline
func deep(depth int, last func()) int {
	entered++
	if depth == 1 {
		last()
		return 0
	}
	return deep(depth-1, last) + 1
}

// Maps the code of this program at another place, and takes it away.
func remap() {
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		panic(err)
	}
	defer self.Close()
	info, err := self.Stat()
	if err != nil {
		panic(err)
	}
	code, err := syscall.Mmap(int(self.Fd()), 0, int(info.Size()), syscall.PROT_READ|syscall.PROT_EXEC, syscall.MAP_PRIVATE)
	if err != nil {
		panic(err)
	}
	if err := syscall.Munmap(code); err != nil {
		panic(err)
	}
}

func main() {
	if len(os.Args) == 1 {
		deep(3, func() {})
		deep(7, func() {
			fmt.Println(entered, 7)
			panic(syscall.Exec("/proc/self/exe", []string{"program", "again"}, os.Environ()))
		})
	}
	for range 100 {
		remap()
		deep(2, func() {})
	}
	deep(5, func() {
		fmt.Println(entered, 5)
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	})
}

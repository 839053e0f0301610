// Prints its own path in each way that it can be asked for, what its process is as the kernel has it, what a child of it
// has open, and what it prints when it is run by its own path; entries and returns of its functions as it counts them.
// With an argument it reads its input to the end, says so, and is done.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

var entries, returns int

//go:noinline
func descend(n int) int {
	entries++
	var local [64]byte
	local[n%64] = byte(n)
	sum := 0
	if n > 0 {
		sum = descend(n-1) + int(local[n%64])
	}
	returns++
	return sum
}

func status() {
	file, err := os.Open("/proc/self/status")
	if err != nil {
		panic(err)
	}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		// Each thread has a mask of its own: this is that of the first.
		for _, name := range []string{"Tracer", "Sig", "Shd", "Cap", "NoNew", "Seccomp:", "Uid"} {
			if strings.HasPrefix(lines.Text(), name) && !strings.HasPrefix(lines.Text(), "SigQ") {
				fmt.Println(lines.Text())
			}
		}
	}
}

func main() {
	if len(os.Args) > 1 {
		fmt.Println("again")
		io.Copy(io.Discard, os.Stdin)
		return
	}
	path, err := os.Executable()
	fmt.Println(path, err)
	link, err := os.Readlink("/proc/self/exe")
	fmt.Println(link, err)
	fmt.Println(os.Args)
	status()
	open, err := exec.Command("ls", "/proc/self/fd").Output()
	fmt.Printf("%s%v\n", open, err)
	again := exec.Command("/proc/self/exe", "again")
	if os.Getenv("WAIT") != "" {
		again.Stdin = os.Stdin
	}
	out, err := again.Output()
	fmt.Printf("%s%v\n", out, err)
	for i := 0; i < 100; i++ {
		descend(200)
	}
	fmt.Println("main.descend", entries, returns)
}

// Prints its arguments, how many variables it has, and what a child of it has open.
package main

import (
	"fmt"
	"os"
	"os/exec"
)

func main() {
	fmt.Println(os.Args, len(os.Environ()))
	out, err := exec.Command("ls", "/proc/self/fd").Output()
	fmt.Println(string(out), err)
}

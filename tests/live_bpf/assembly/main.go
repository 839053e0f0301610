// Calls between Go and assembly, which the compiler leads through wrappers of the same names.
package main

import "fmt"

func add(a, b int) int

func back(times int)

var callbacks int

//go:noinline
func callback() { callbacks++ }

func main() {
	sum := 0
	for i := 0; i < 1000; i++ {
		sum = add(sum, 1)
	}
	f := add
	for i := 0; i < 500; i++ {
		sum = f(sum, 1)
	}
	for i := 0; i < 300; i++ {
		back(1)
	}
	callback()
	fmt.Println("main.add", sum, sum)
	fmt.Println("main.callback", callbacks, callbacks)
}

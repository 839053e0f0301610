// Loads a plugin, calls it a hundred times, and prints what came of it.
package main

import (
	"fmt"
	"os"
	"plugin"
)

//go:noinline
func call(sum func(int) int, n int) int {
	return sum(n) + 1
}

func main() {
	loaded, err := plugin.Open(os.Args[1])
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	sum, err := loaded.Lookup("Sum")
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	all := 0
	for n := range 100 {
		all += call(sum.(func(int) int), n)
	}
	fmt.Println(all)
}

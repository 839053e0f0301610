// What a host loads.
package main

// Sum is 1 and all up to n.
//
//go:noinline
func Sum(n int) int {
	if n == 0 {
		return 0
	}
	return n + Sum(n-1)
}

func main() {}

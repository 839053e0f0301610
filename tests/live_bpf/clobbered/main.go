// A program for arm64 whose assembly keeps something else in the register of g, as C code may.
package main

var elsewhere [64]uint64

func spin(rounds int, other *[64]uint64)

func main() {
	for i := range elsewhere {
		elsewhere[i] = uint64(1_000_000 + i)
	}
	spin(300_000_000, &elsewhere)
}

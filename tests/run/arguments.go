// Functions whose first arguments are of all kinds.
package main

type text string

type number int16

//go:noinline
func nothing() int { return 1 }

//go:noinline
func float(f float64) int { return int(f) }

//go:noinline
func negative(n int) int { return n + 1 }

//go:noinline
func narrow(n number) int { return int(n) + 1 }

//go:noinline
func unsigned(n uint8) int { return int(n) + 1 }

//go:noinline
func named(t text) int { return len(t) }

//go:noinline
func word(f func()) { f() }

var wide = -3

func main() {
	nothing()
	float(2.5)
	negative(-1)
	narrow(number(wide))
	unsigned(uint8(wide))
	named("of a type with a name")
	word(func() {})
}

// Package assembly adds numbers up, in assembly where there is some for the architecture.
package assembly

// Sum adds up numbers; the sum wraps around as Go's does.
func Sum(numbers []uint64) uint64 {
	return sum(numbers)
}

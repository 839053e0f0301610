//go:build !amd64 && !arm64

package assembly

func sum(numbers []uint64) uint64 {
	total := uint64(0)
	for _, number := range numbers {
		total += number
	}
	return total
}

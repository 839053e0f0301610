// Generics instantiates the containers of package ordered for many shapes of elements.
package main

import (
	"cmp"
	"fmt"

	"example.com/generics/ordered"
)

func main() {
	keys := []int{5, 3, 8, 1}
	fmt.Println(
		count[int8](keys), count[int16](keys), count[int32](keys), count[int64](keys),
		count[uint8](keys), count[uint16](keys), count[uint32](keys), count[uint64](keys),
		count[float32](keys), count[float64](keys),
	)
	fmt.Println(depth(keys), depth(ordered.Map(keys, func(k int) string { return fmt.Sprint(k) })))
}

type number interface {
	~int8 | ~int16 | ~int32 | ~int64 | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~float32 | ~float64
}

// count stores keys as one type under values of many, and counts what it stored.
func count[K number](keys []int) int {
	converted := ordered.Map(keys, func(k int) K { return K(k) })
	return fill(converted, int8(1)) + fill(converted, int32(1)) + fill(converted, "one") +
		fill(converted, [3]byte{1}) + fill(converted, 1.0) + fill(converted, struct{ a, b K }{1, 2})
}

func fill[K cmp.Ordered, V any](keys []K, value V) int {
	var tree ordered.Tree[K, V]
	for _, key := range keys {
		tree.Put(key, value)
	}
	return ordered.Fold(ordered.Zip(keys, keys), 0, func(sum int, _ ordered.Pair[K, K]) int { return sum + 1 }) +
		tree.Len()
}

// depth zips a slice with itself four times: pairs of pairs of pairs of pairs.
func depth[A any](values []A) int {
	two := ordered.Zip(values, values)
	four := ordered.Zip(two, two)
	eight := ordered.Zip(four, four)
	return len(ordered.Zip(eight, eight))
}

package ordered

import (
	"slices"
	"testing"
)

func TestWalkIsInOrder(t *testing.T) {
	var tree Tree[string, int]
	for i, word := range []string{"pear", "apple", "quince", "apple"} {
		tree.Put(word, i)
	}
	var keys []string
	tree.Walk(func(key string, _ int) { keys = append(keys, key) })
	if want := []string{"apple", "pear", "quince"}; !slices.Equal(keys, want) || tree.Len() != 3 {
		t.Errorf("%v, %d keys", keys, tree.Len())
	}
}

func TestZipEndsWithTheShorter(t *testing.T) {
	pairs := Zip([]int{1, 2, 3}, []string{"one", "two"})
	if want := []Pair[int, string]{{1, "one"}, {2, "two"}}; !slices.Equal(pairs, want) {
		t.Errorf("%v", pairs)
	}
}

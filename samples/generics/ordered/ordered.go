// Package ordered holds containers that are compiled anew for each shape of element.
package ordered

import "cmp"

// Tree is a binary search tree without balance.
type Tree[K cmp.Ordered, V any] struct {
	root *node[K, V]
	size int
}

type node[K cmp.Ordered, V any] struct {
	key         K
	value       V
	left, right *node[K, V]
}

// Put stores a value under a key and reports whether the key is new.
func (t *Tree[K, V]) Put(key K, value V) bool {
	place := &t.root
	for *place != nil {
		switch order := cmp.Compare(key, (*place).key); {
		case order < 0:
			place = &(*place).left
		case order > 0:
			place = &(*place).right
		default:
			(*place).value = value
			return false
		}
	}
	*place = &node[K, V]{key: key, value: value}
	t.size++
	return true
}

// Len counts the keys.
func (t *Tree[K, V]) Len() int { return t.size }

// Walk visits the keys in order.
func (t *Tree[K, V]) Walk(visit func(K, V)) { t.root.walk(visit) }

func (n *node[K, V]) walk(visit func(K, V)) {
	if n == nil {
		return
	}
	n.left.walk(visit)
	visit(n.key, n.value)
	n.right.walk(visit)
}

// Map makes a slice of another one.
func Map[A, B any](from []A, convert func(A) B) []B {
	to := make([]B, 0, len(from))
	for _, a := range from {
		to = append(to, convert(a))
	}
	return to
}

// Fold brings a slice down to one value.
func Fold[A, B any](from []A, start B, add func(B, A) B) B {
	for _, a := range from {
		start = add(start, a)
	}
	return start
}

// Pair is two values; pairs of pairs are how a few lines become many shapes.
type Pair[A, B any] struct {
	First  A
	Second B
}

// Zip pairs what stands at the same place, as far as both reach.
func Zip[A, B any](a []A, b []B) []Pair[A, B] {
	pairs := make([]Pair[A, B], 0, min(len(a), len(b)))
	for i := range pairs[:cap(pairs)] {
		pairs = append(pairs, Pair[A, B]{a[i], b[i]})
	}
	return pairs
}

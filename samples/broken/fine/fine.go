// Package fine compiles.
package fine

// Half is half of a number.
func Half(n int) int { return n / 2 }

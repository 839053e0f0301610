// Package terrain is the slow side of the diamond, and so on the critical path of its build:
// the few functions here are compiled once for each kind of kinds.go.
package terrain

import (
	"fmt"
	"math"
	"sort"
	"strings"

	"example.com/diamond/units"
)

//go:generate go run generate.go

// Height is the height of a place, by its name.
func Height(place string) units.Metres {
	seed := 0
	for _, letter := range strings.ToLower(place) {
		seed = (seed*31 + int(letter)) & 0xffff
	}
	return units.Metres(kinds[seed%len(kinds)](seed))
}

// point is a height on a map, with a mark of some size.
type point[Mark comparable] struct {
	mark   Mark
	height float64
}

// ridge is a line of points.
type ridge[Mark comparable] []point[Mark]

func hills[Mark comparable](seed int) ridge[Mark] {
	line := make(ridge[Mark], 64)
	for i := range line {
		line[i].height = 400 * (2 + math.Sin(float64(seed+i)) + math.Cos(float64(seed-i)/3))
	}
	return line
}

func (line ridge[Mark]) smooth(passes int) {
	for ; passes > 0; passes-- {
		before := append(ridge[Mark](nil), line...)
		for i := 1; i+1 < len(line); i++ {
			line[i].height = (before[i-1].height + 2*before[i].height + before[i+1].height) / 4
		}
	}
}

func (line ridge[Mark]) marked() map[Mark][]float64 {
	heights := make(map[Mark][]float64)
	for _, p := range line {
		heights[p.mark] = append(heights[p.mark], p.height)
	}
	return heights
}

func (line ridge[Mark]) String() string {
	var text strings.Builder
	for mark, heights := range line.marked() {
		switch len(heights) {
		case 0:
			fmt.Fprintf(&text, "%v: none; ", mark)
		case 1:
			fmt.Fprintf(&text, "%v: %.0f; ", mark, heights[0])
		default:
			fmt.Fprintf(&text, "%v: %.0f to %.0f; ", mark, heights[0], heights[len(heights)-1])
		}
	}
	return text.String()
}

func highest[Mark comparable](seed int) float64 {
	line := hills[Mark](seed)
	line.smooth(4)
	sort.Slice(line, func(i, j int) bool { return line[i].height > line[j].height })
	if strings.HasPrefix(line.String(), "none") {
		return 0
	}
	return line[0].height
}

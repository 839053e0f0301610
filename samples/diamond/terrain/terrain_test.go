package terrain

import "testing"

func TestSmoothLowersTheSummit(t *testing.T) {
	line := hills[[1]byte](7)
	rough := line[0].height
	for _, p := range line {
		rough = max(rough, p.height)
	}
	line.smooth(1)
	for _, p := range line[1 : len(line)-1] {
		if p.height > rough {
			t.Errorf("a point rose to %v above %v", p.height, rough)
		}
	}
}

func TestHeightIsTheSameForTheSamePlace(t *testing.T) {
	if Height("Summit") != Height("summit") {
		t.Error("the height depends on capital letters")
	}
}
